package credential

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// liveIssuer is an issuer by HTTP inside of a synctest bubble: client and server are net/http's, with pipes for
// connections, so that all time is the bubble's. It records which keys it has published, and when.
type liveIssuer struct {
	client    *http.Client
	transport *http.Transport
	conns     chan net.Conn

	mu      sync.Mutex
	answer  http.HandlerFunc // nil: connections are refused
	pending int              // requests that have no answer yet
	served  []publication
	flooded []time.Time // when requests caused a fetch; Run's fetches are not among them
	strayed []string    // other hosts that were asked
}

// publication is a set of keys that was sent in full, in a valid answer.
type publication struct {
	at   time.Time
	kids []string
}

const liveURL = "http://issuer.example/jwks.json"

// background marks the context of Run: a request to the issuer has the values of its cause's context.
type background struct{}

func newLiveIssuer(t *testing.T) *liveIssuer {
	i := &liveIssuer{conns: make(chan net.Conn), client: fetchClient(Issuer{})}
	i.transport = &http.Transport{DialContext: i.dial}
	i.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		i.mu.Lock()
		if r.Context().Value(background{}) == nil {
			i.flooded = append(i.flooded, time.Now())
		}
		if r.URL.String() != liveURL {
			i.strayed = append(i.strayed, r.URL.String())
		}
		i.mu.Unlock()
		return i.transport.RoundTrip(r)
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		answer := i.answer
		i.pending++
		i.mu.Unlock()
		defer func() {
			i.mu.Lock()
			i.pending--
			i.mu.Unlock()
		}()
		answer(w, r)
	})}
	go func() { _ = server.Serve(i) }()
	t.Cleanup(func() {
		i.transport.CloseIdleConnections()
		_ = server.Close()
	})
	return i
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (i *liveIssuer) dial(context.Context, string, string) (net.Conn, error) {
	i.mu.Lock()
	down := i.answer == nil
	i.mu.Unlock()
	if down {
		return nil, syscall.ECONNREFUSED
	}
	theirs, ours := net.Pipe()
	i.conns <- theirs
	return ours, nil
}

// Accept, Close and Addr make it a net.Listener.
func (i *liveIssuer) Accept() (net.Conn, error) {
	if c, ok := <-i.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (i *liveIssuer) Close() error   { close(i.conns); return nil }
func (i *liveIssuer) Addr() net.Addr { return &net.TCPAddr{} }

func (i *liveIssuer) become(answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
	i.transport.CloseIdleConnections() // an idle one would still work while new ones are refused
}

// publish answers with keys, and records it.
func (i *liveIssuer) publish(kids ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		i.served = append(i.served, publication{time.Now(), kids})
		i.mu.Unlock()
		_, _ = w.Write(liveSet(kids...))
	}
}

// latest returns the newest publication.
func (i *liveIssuer) latest() publication {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.served) == 0 {
		return publication{}
	}
	return i.served[len(i.served)-1]
}

// may returns the allowed results of a request with the kid that took from begin to end. Both are allowed only if the keys
// changed meanwhile.
func (i *liveIssuer) may(kid string, begin, end time.Time) (accept, refuse bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	by := func(p publication) {
		fits := slices.Contains(p.kids, kid) && begin.Sub(p.at) <= maxStale
		accept, refuse = accept || fits, refuse || !fits
	}
	before := publication{}
	for _, p := range i.served {
		switch {
		case p.at.Before(begin):
			before = p
		case !p.at.After(end):
			by(p)
		}
	}
	by(before)
	return accept, refuse
}

// liveKey is the key of a kid.
func liveKey(kid string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(kid))
	return ed25519.NewKeyFromSeed(seed[:])
}

func liveSet(kids ...string) []byte {
	var keys []string
	for _, kid := range kids {
		keys = append(keys, publicJWK(kid, liveKey(kid).Public()))
	}
	return jwks(keys...)
}

// liveJWT returns a JWT with a kid, signed by the key of signer.
func liveJWT(kid, signer string, session int) string {
	return token("EdDSA", liveKey(signer), fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":"JWT"}`, kid),
		claimsOf("sid", fmt.Sprintf(`"s%d"`, session), "exp", fmt.Sprint(start.Add(24*time.Hour).Unix())))
}

// badAnswers are answers that must not be accepted. Where possible they contain m1, an attacker's key.
func badAnswers() map[string]http.HandlerFunc {
	evil := liveSet("m1")
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	return map[string]http.HandlerFunc{
		"hangs until the client gives up": hang,
		"hangs mid-body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(evil)))
			_, _ = w.Write(evil[:len(evil)-2])
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		},
		"status 500": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(evil)
		},
		"hangs up":               func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"garbage":                serveKeys(append([]byte("<html>"), evil...)),
		"truncated":              serveKeys(evil[:len(evil)-2]),
		"garbage keys":           serveKeys([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k2","x":"!"},{"kty":"EC","crv":"P-256","kid":"k3","x":"AA","y":"AA"}]}`)),
		"no keys":                serveKeys(jwks()),
		"a private key alone":    serveKeys(jwks(publicJWK("k3", liveKey("k3").Public(), fmt.Sprintf(`"d":%q`, b64(liveKey("k3").Seed()))))),
		"a huge body":            serveKeys(append(evil, strings.Repeat(" ", maxJWKS)...)),
		"a redirect":             redirect(evil, "http://evil.example/jwks.json"),
		"a redirect on the host": redirect(evil, "/other.json"),
		"refuses connections":    nil,
	}
}

func redirect(set []byte, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host+r.URL.Path != liveURL {
			_, _ = w.Write(set)
			return
		}
		http.Redirect(w, r, to, http.StatusPermanentRedirect)
	}
}
