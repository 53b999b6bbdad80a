package webtest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"
)

const cookieName = "app_session"

// serveSession is the app's POST /.cloakroom/session: a JWT for the session of the cookie, or, with
// ?new=1 or without a cookie, for a new anonymous session.
func (s *Servers) serveSession(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/.cloakroom/session" || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	if r.Header.Get("Origin") != s.Gateway.URL {
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", s.Gateway.URL)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	w.Header().Set("Cache-Control", "no-store")
	s.mu.Lock()
	refusing := s.refusing
	s.mu.Unlock()
	if refusing {
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil || r.URL.Query().Get("new") == "1" {
		cookie = &http.Cookie{Name: cookieName, Value: rand.Text(), HttpOnly: true, SameSite: http.SameSiteLaxMode, Path: "/"}
		http.SetCookie(w, cookie)
	}
	token := "fake." + rand.Text()
	s.mu.Lock()
	s.sessions[token] = cookie.Value
	ttl := s.jwtTTL
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token": token, "expiresAt": time.Now().Add(ttl).UTC().Format(time.RFC3339),
	})
}
