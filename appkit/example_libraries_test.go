package appkit_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// exampleKit returns a kit with the given Session callback.
func exampleKit(session func(http.ResponseWriter, *http.Request) (appkit.Session, error)) *appkit.Kit {
	key, err := appkit.GenerateKey() // an application loads its keys: LoadKeys
	if err != nil {
		log.Fatal(err)
	}
	keys, err := appkit.NewKeys(key)
	if err != nil {
		log.Fatal(err)
	}
	kit, err := appkit.New(appkit.Options{
		Issuer: "https://app.example", Audience: "https://gateway.example", Keys: keys, Session: session,
		SignInPage: "/login",
	})
	if err != nil {
		log.Fatal(err)
	}
	return kit
}

// visit logs in, and requests the application as the same browser before and after.
func visit(app http.Handler) {
	ask := func(path string, cookies []*http.Cookie) *http.Response {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Result()
	}
	fmt.Println("before:", ask("/graphql", nil).Status)
	cookies := ask("/login", nil).Cookies()
	fmt.Println("after:", ask("/graphql", cookies).Status)
	fmt.Println("session token:", ask("/.cloakroom/session", cookies).Status)
}

// graphqlServer stands for the application's server; @token calls appkit.GatewaySession in the same way.
var graphqlServer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, ok := appkit.GatewaySession(r.Context()); !ok {
		http.Error(w, "sign in first", http.StatusUnauthorized)
	}
})

// With github.com/alexedwards/scs, the session's own token is the id, and the session exists once it is saved.
func ExampleKit_Middleware_scs() {
	manager := scs.New()
	kit := exampleKit(func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
		user, id := manager.GetString(r.Context(), "user"), manager.Token(r.Context())
		if user == "" || id == "" {
			return appkit.Session{}, appkit.ErrNoSession
		}
		return appkit.Session{ID: id, Subject: user}, nil
	})
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)
	mux.Handle("/graphql", kit.Middleware(graphqlServer))
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) { // after checking the password
		if err := manager.RenewToken(r.Context()); err != nil {
			log.Fatal(err)
		}
		manager.Put(r.Context(), "user", "user-7")
	})
	visit(manager.LoadAndSave(mux)) // outermost: it loads the session before the callback reads it
	// Output:
	// before: 401 Unauthorized
	// after: 200 OK
	// session token: 200 OK
}

// With github.com/gorilla/sessions, whose cookie store has no ids, login puts a random one into the session.
func ExampleKit_Middleware_gorilla() {
	store := sessions.NewCookieStore([]byte("32 bytes from appkit.LoadOrCreateSecret"))
	kit := exampleKit(func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
		session, err := store.Get(r, "app")
		id, ok := session.Values["id"].(string)
		if err != nil || !ok {
			return appkit.Session{}, appkit.ErrNoSession
		}
		user, _ := session.Values["user"].(string)
		return appkit.Session{ID: id, Subject: user}, nil
	})
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)
	mux.Handle("/graphql", kit.Middleware(graphqlServer))
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { // after checking the password
		session, _ := store.New(r, "app")
		session.Values["id"], session.Values["user"] = "an unguessable id, such as rand.Text()", "user-7"
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	})
	visit(mux)
	// Output:
	// before: 401 Unauthorized
	// after: 200 OK
	// session token: 200 OK
}
