package appkit_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// An application that already has logins mounts the kit beside its own routes.
func Example() {
	folder, err := os.MkdirTemp("", "app")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()

	key, err := appkit.LoadOrCreateKey(filepath.Join(folder, "signing-key.jwk"))
	if err != nil {
		log.Fatal(err)
	}
	keys, err := appkit.NewKeys(key)
	if err != nil {
		log.Fatal(err)
	}
	kit, err := appkit.New(appkit.Options{
		Issuer:   "https://app.example",
		Audience: "https://gateway.example",
		Keys:     keys,
		Session: func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
			login, err := r.Cookie("login") // look it up in the application's own sessions
			if err != nil {
				return appkit.Session{}, appkit.ErrNoSession
			}
			return appkit.Session{ID: login.Value, Subject: "user-7"}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)

	// A page asks for a session token.
	for _, cookie := range []string{"", "login=abc"} {
		request := httptest.NewRequest(http.MethodPost, "/.cloakroom/session", nil)
		request.Header.Set("Cookie", cookie)
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	// Output:
	// 401
	// 200
}

// If the gateway keeps the session in a cookie, it redirects browsers here to learn their session; a browser without a
// session is redirected to the application's login page, and returns after the login.
func ExampleKit_SignInReturn() {
	kit := exampleKit(func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
		return appkit.Session{}, appkit.ErrNoSession
	})
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)
	mux.HandleFunc("GET /login", func(http.ResponseWriter, *http.Request) {}) // shows a form, with return_to in a hidden field
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("return_to") // after checking the password
		if !kit.SignInReturn(to) {
			to = "/"
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	login := func(url string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, url, nil))
		fmt.Println(w.Header().Get("Location"))
	}
	asked := httptest.NewRecorder()
	mux.ServeHTTP(asked, httptest.NewRequest(http.MethodGet, "/.cloakroom/sign-in?state=bWFkZSBieSB0aGUgZ2F0ZXdheQ", nil))
	fmt.Println(asked.Header().Get("Location"))
	login(asked.Header().Get("Location"))
	login("/login?return_to=https://evil.example")
	// Output:
	// /login?return_to=%2F.cloakroom%2Fsign-in%3Fstate%3DbWFkZSBieSB0aGUgZ2F0ZXdheQ
	// /.cloakroom/sign-in?state=bWFkZSBieSB0aGUgZ2F0ZXdheQ
	// /
}
