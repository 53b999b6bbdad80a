// Package webtest has stand-ins for the playground's servers: a gateway, an app with its session endpoint,
// and an object store, each on a separate origin. They implement the part of the contract that a browser
// sees (sign-in, GraphQL, CORS, signed requests, errors) and nothing else: no signatures, no
// encryption, no database. Documents are validated against the contract's schema.
package webtest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/web"
)

// Servers are the running stand-ins.
type Servers struct {
	Gateway, App, Store *httptest.Server

	mu       sync.Mutex
	sessions map[string]string          // JWT to session
	grants   map[string]map[string]bool // session to tokens it may read
	values   map[string]*value          // by token
	ttl      time.Duration              // of signed requests
	jwtTTL   time.Duration
	refusing bool // the app refuses every session
}

type value struct {
	token, filename, contentType, key string
	size                              int
	created                           time.Time
	object                            []byte // nil until uploaded
}

// Start runs the three servers until the test ends.
func Start(t testing.TB) *Servers {
	t.Helper()
	s := &Servers{
		sessions: map[string]string{},
		grants:   map[string]map[string]bool{},
		values:   map[string]*value{},
		ttl:      5 * time.Minute,
		jwtTTL:   5 * time.Minute,
	}
	mux := http.NewServeMux()
	s.Gateway = httptest.NewServer(mux)
	s.App = httptest.NewServer(http.HandlerFunc(s.serveSession))
	s.Store = httptest.NewServer(http.HandlerFunc(s.serveObject))
	t.Cleanup(s.Gateway.Close)
	t.Cleanup(s.App.Close)
	t.Cleanup(s.Store.Close)
	mux.HandleFunc("/graphql", s.serveGraphQL)
	mux.Handle("/", web.Playground(web.PlaygroundConfig{
		Endpoint:       "/graphql",
		SessionURL:     s.App.URL + "/.cloakroom/session",
		ConnectSources: []string{s.App.URL, s.Store.URL},
	}))
	return s
}

// Origins returns the origins to which the page at Gateway.URL may connect.
func (s *Servers) Origins() []string {
	return []string{s.Gateway.URL, s.App.URL, s.Store.URL}
}

// SetRequestTTL sets how long signed requests are valid; with a negative time they have expired.
func (s *Servers) SetRequestTTL(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ttl = ttl
}

// SetSessionTTL sets how long later JWTs are valid.
func (s *Servers) SetSessionTTL(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jwtTTL = ttl
}

// RefuseSessions makes the app answer 503 to session requests, or stops that.
func (s *Servers) RefuseSessions(refusing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = refusing
}

// SignIns returns the number of JWTs issued so far.
func (s *Servers) SignIns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Break changes the key of every value, so that no signed request is valid any more.
func (s *Servers) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		v.key += "-changed"
	}
}
