// Package webtest stands in for what the playground talks to: a gateway, an app with its session
// endpoint, and an object store, each on an origin of its own. They keep the contract where a browser
// sees it (sign-in, GraphQL, CORS, signed requests, errors) and nothing behind it: no signatures, no
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
	refusing bool // the app has no session for anybody
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

// Origins are those that the page at Gateway.URL may talk to.
func (s *Servers) Origins() []string {
	return []string{s.Gateway.URL, s.App.URL, s.Store.URL}
}

// SetRequestTTL sets how long signed requests are good for; negative ones have expired.
func (s *Servers) SetRequestTTL(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ttl = ttl
}

// SetSessionTTL sets how long the JWTs to come are good for.
func (s *Servers) SetSessionTTL(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jwtTTL = ttl
}

// RefuseSessions makes the app answer 503 to who asks for a session, or no more.
func (s *Servers) RefuseSessions(refusing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = refusing
}

// SignIns counts the JWTs given out so far.
func (s *Servers) SignIns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Break changes the key of every value, so that no signed request is right any more.
func (s *Servers) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		v.key += "-changed"
	}
}
