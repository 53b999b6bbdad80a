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
