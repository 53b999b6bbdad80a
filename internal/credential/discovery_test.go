package credential

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// provider is an OpenID provider whose metadata and keys a test changes.
type provider struct {
	*httptest.Server
	metadata atomic.Pointer[string] // "" answers 503
	asked    sync.Map               // path: *atomic.Int64
	fixture  *fixture
}

func (p *provider) count(path string) int64 {
	n, _ := p.asked.LoadOrStore(path, &atomic.Int64{})
	return n.(*atomic.Int64).Load()
}

func (p *provider) says(metadata string) { p.metadata.Store(&metadata) }

func metadataOf(issuer, jwksURI string) string {
	b, _ := json.Marshal(map[string]any{"issuer": issuer, "jwks_uri": jwksURI, "response_types_supported": []string{"code"}})
	return string(b)
}

// newProvider serves old keys at /old and new ones at /new, over TLS.
func newProvider(t *testing.T, start func(http.Handler) *httptest.Server, path string) *provider {
	p := &provider{}
	p.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := p.asked.LoadOrStore(r.URL.Path, &atomic.Int64{})
		n.(*atomic.Int64).Add(1)
		switch r.URL.Path {
		case strings.TrimSuffix(path, "/") + wellKnown:
			if m := *p.metadata.Load(); m != "" {
				_, _ = w.Write([]byte(m))
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/old":
			_, _ = w.Write(oldKeys())
		case "/new":
			_, _ = w.Write(newKeys())
		case "/redirect":
			http.Redirect(w, r, "/old", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(p.Close)
	p.says(metadataOf(p.URL+path, p.URL+"/old"))
	p.fixture = newFixture(t, func(o *Options) {
		i := clinic()
		i.JWKS, i.Discovery, i.Issuer, i.MaxLifetime = nil, true, p.URL+path, 3*time.Hour
		if c := p.Certificate(); c != nil {
			i.RootCAs = x509.NewCertPool()
			i.RootCAs.AddCert(c)
		}
		o.Issuers = []Issuer{i}
	})
	return p
}

func (p *provider) jwt(keyName, kid, sid string) string {
	return token("ES256", testKeys()[keyName], `{"alg":"ES256","kid":"`+kid+`","typ":"JWT"}`,
		claimsOf("iss", fmt.Sprintf("%q", p.iss()), "sid", `"`+sid+`"`, "exp", fmt.Sprint(start.Unix()+7200)))
}

func (p *provider) iss() string {
	for iss := range p.fixture.issuers {
		return iss
	}
	return ""
}

func (p *provider) refresh() {
	p.fixture.issuers[p.iss()].source.refresh(context.Background(), 0)
}

// TestDiscovery: keys are found by the issuer's metadata, over TLS with its own authority, for any path of the issuer; if
// the URL of the keys changes, the new keys are used and the old ones refused.
func TestDiscovery(t *testing.T) {
	for _, path := range []string{"", "/", "/realms/shop", "/realms/shop/"} {
		p := newProvider(t, httptest.NewTLSServer, path)
		old, next := p.jwt("es256", "k1", "s1"), p.jwt("bank", "k9", "s2")
		_, err := p.fixture.Authenticate(bearer(old))
		require.NoError(t, err, path)
		p.says(metadataOf(p.URL+path, p.URL+"/new"))
		p.refresh()
		_, err = p.fixture.Authenticate(bearer(old))
		require.Error(t, err, "cached or not")
		_, err = p.fixture.Authenticate(bearer(next))
		require.NoError(t, err)
	}
}

// TestDiscoveryRefuses: metadata of another issuer, or with a jwks_uri that is not https, are refused; the previous keys
// are kept up to their maximum age.
func TestDiscoveryRefuses(t *testing.T) {
	p := newProvider(t, httptest.NewTLSServer, "")
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	defer trap.Close()
	good := metadataOf(p.URL, p.URL+"/old")
	jwt := p.jwt("es256", "k1", "s1")
	for name, metadata := range map[string]string{
		"down": "", "garbage": "<html>", "null": "null", "a list": "[]", "another issuer": metadataOf("https://other.example", p.URL+"/old"),
		"a slash more": metadataOf(p.URL+"/", p.URL+"/old"), "other case": strings.Replace(good, `"issuer"`, `"Issuer"`, 1), "no issuer": `{"jwks_uri":"` + p.URL + `/old"}`,
		"two issuers": strings.Replace(good, `{`, `{"issuer":"`+p.URL+`",`, 1), "no jwks_uri": `{"issuer":"` + p.URL + `"}`, "jwks_uri null": `{"issuer":"` + p.URL + `","jwks_uri":null}`,
		"jwks_uri a list": `{"issuer":"` + p.URL + `","jwks_uri":["` + p.URL + `/old"]}`, "http": metadataOf(p.URL, trap.URL+"/old"), "http by name": metadataOf(p.URL, "http://localhost/old"),
		"a file": metadataOf(p.URL, "file:///etc/passwd"), "relative": metadataOf(p.URL, "/old"), "a user": metadataOf(p.URL, strings.Replace(p.URL, "https://", "https://u:p@", 1)+"/old"),
		"a redirect": metadataOf(p.URL, p.URL+"/redirect"), "not found": metadataOf(p.URL, p.URL+"/nothing"), "no keys there": metadataOf(p.URL, p.URL+wellKnown),
		"too large": good + strings.Repeat(" ", maxJWKS), "nested deep": strings.Replace(good, `{`, `{"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`,`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newSource(p.fixture.issuers[p.URL].Issuer, Options{Logger: p.fixture.issuers[p.URL].source.log, Now: p.fixture.clock.now})
			require.NoError(t, err)
			p.says(metadata)
			require.Error(t, s.fetch(context.Background()))
			require.Nil(t, s.keys())
			p.says(good)
			require.NoError(t, s.fetch(context.Background()))
			p.says(metadata)
			p.fixture.clock.advance(time.Hour)
			require.Error(t, s.fetch(context.Background()))
			require.NotNil(t, s.keys(), "the previous keys are kept")
			p.fixture.clock.advance(1)
			require.Nil(t, s.keys(), "up to their maximum age")
		})
	}
	s, err := newSource(Issuer{Issuer: p.URL, Discovery: true, Refresh: 1, MaxAge: 1}, Options{Logger: p.fixture.issuers[p.URL].source.log, Now: p.fixture.clock.now})
	require.NoError(t, err)
	require.Error(t, s.fetch(context.Background()), "a certificate that the system does not know")
	_, err = p.fixture.Authenticate(bearer(jwt))
	require.Error(t, err, "expired meanwhile")
}

// TestDiscoveryOnLoopback: an issuer with an http URL on loopback may have its keys at an http URL on loopback only.
func TestDiscoveryOnLoopback(t *testing.T) {
	p := newProvider(t, httptest.NewServer, "")
	_, err := p.fixture.Authenticate(bearer(p.jwt("es256", "k1", "s1")))
	require.NoError(t, err)
	s := p.fixture.issuers[p.URL].source
	for uri, may := range map[string]bool{
		"http://127.0.0.1:1/x": true, "http://[::1]/x": true, "http://localhost/x": true, "https://idp.example/x": true,
		"http://idp.example/x": false, "http://127.0.0.1.evil.example/x": false, "http://0.0.0.0/x": false, "http://169.254.169.254/x": false, "http:127.0.0.1": false, "": false,
	} {
		t.Run(uri, func(t *testing.T) {
			require.Equal(t, may, s.mayAsk(uri), uri)
		})
	}
}

// TestNoURLOfATokenIsFetched: only the issuer's own metadata and keys are fetched, at most once in ten seconds, whatever kid
// or header a JWT has.
func TestNoURLOfATokenIsFetched(t *testing.T) {
	p := newProvider(t, httptest.NewTLSServer, "")
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			_, err := p.fixture.Authenticate(bearer(token("ES256", testKeys()["mallory"],
				fmt.Sprintf(`{"alg":"ES256","kid":"u%d","typ":"JWT","jku":%q,"x5u":%q}`, i, p.URL+"/new", p.URL+"/new"), claimsOf("iss", fmt.Sprintf("%q", p.URL)))))
			assert.Error(t, err)
		})
	}
	all.Wait()
	require.EqualValues(t, 1, p.count(wellKnown))
	require.EqualValues(t, 1, p.count("/old"))
	require.Zero(t, p.count("/new"))
}

// TestRefreshInterval: a removed key stops working within one refresh interval of its issuer, for cached JWTs too; while
// the issuer fails it is asked every ten seconds, and its keys expire at their maximum age.
func TestRefreshInterval(t *testing.T) {
	testKeys() // made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		var answer atomic.Pointer[[]byte]
		says := func(b []byte) { answer.Store(&b) }
		says(oldKeys())
		var asked atomic.Int64
		f := newFixture(t, func(o *Options) {
			o.Now, o.Issuers = time.Now, o.Issuers[:1]
			i := &o.Issuers[0]
			i.JWKS, i.JWKSURL, i.Refresh, i.MaxAge, i.MaxLifetime = nil, "https://clinic.example/jwks.json", time.Minute, 3*time.Minute, 24*time.Hour
			o.Client = &http.Client{Transport: script(func() (int, []byte) {
				asked.Add(1)
				if b := *answer.Load(); b != nil {
					return http.StatusOK, b
				}
				return 0, nil
			})}
		})
		now := time.Now().Unix()
		jwt := good(claimsOf("iat", fmt.Sprint(now), "exp", fmt.Sprint(now+7200)))
		accepted := func() bool { _, err := f.Authenticate(bearer(jwt)); return err == nil }
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		synctest.Wait()
		require.True(t, accepted())

		time.Sleep(time.Second)
		says(newKeys()) // the key is removed
		require.True(t, accepted(), "the keys are not yet fetched again")
		time.Sleep(59*time.Second + time.Millisecond)
		require.False(t, accepted(), "within the interval")

		says(oldKeys())
		time.Sleep(time.Minute)
		require.True(t, accepted())
		says(nil)
		before := asked.Load()
		time.Sleep(2*time.Minute + 58*time.Second)
		require.True(t, accepted(), "cached keys are fresh enough")
		require.InDelta(t, 13, asked.Load()-before, 1, "one at the interval, then one every ten seconds")
		time.Sleep(3 * time.Second)
		require.False(t, accepted(), "too old")
		says(oldKeys())
		time.Sleep(11 * time.Second)
		require.True(t, accepted())
		stop()
		running.Wait()
		synctest.Wait()
	})
}
