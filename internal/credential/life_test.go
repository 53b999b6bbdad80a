package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// issuerServer is an issuer's JWKS URL whose behaviour a test changes.
type issuerServer struct {
	*httptest.Server
	asked   atomic.Int64
	answer  atomic.Pointer[http.HandlerFunc]
	fixture *fixture
}

func serveKeys(set []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (s *issuerServer) now(h http.HandlerFunc) { s.answer.Store(&h) }

func newIssuerServer(t *testing.T, h http.HandlerFunc) *issuerServer {
	s := &issuerServer{}
	s.now(h)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	s.fixture = newFixture(t, func(o *Options) {
		o.Issuers = o.Issuers[:1]
		o.Issuers[0].JWKS, o.Issuers[0].JWKSURL = nil, s.URL
		o.Issuers[0].MaxLifetime = 3 * time.Hour
	})
	return s
}

func (s *issuerServer) refresh() {
	s.fixture.issuers[clinicIss].source.refresh(context.Background(), 0)
}

// with signs claims that differ by their session, under a kid.
func with(keyName, kid, sid string) string {
	return token("ES256", testKeys()[keyName], `{"alg":"ES256","kid":"`+kid+`","typ":"JWT"}`, claimsOf("sid", `"`+sid+`"`, "exp", fmt.Sprint(start.Unix()+7200)))
}

func oldKeys() []byte { return jwks(publicJWK("k1", public("es256"))) }
func newKeys() []byte { return jwks(publicJWK("k9", public("bank"))) }

// TestUnknownKidsCauseOneFetch: 200 concurrent requests with unknown kids cause one fetch, and another only after ten
// seconds.
func TestUnknownKidsCauseOneFetch(t *testing.T) {
	s := newIssuerServer(t, serveKeys(oldKeys()))
	volley := func() {
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				_, err := s.fixture.Authenticate(bearer(with("mallory", "unknown-"+strings.Repeat("x", i), "s")))
				assert.Error(t, err)
			})
		}
		all.Wait()
	}
	volley()
	require.EqualValues(t, 1, s.asked.Load())
	s.fixture.clock.advance(refreshAtMost - time.Millisecond)
	volley()
	require.EqualValues(t, 1, s.asked.Load())
	s.fixture.clock.advance(time.Millisecond)
	volley()
	require.EqualValues(t, 2, s.asked.Load())
}

// TestRotation: a new key is found by its kid; a removed one stops working with the refresh, for cached JWTs too.
func TestRotation(t *testing.T) {
	s := newIssuerServer(t, serveKeys(oldKeys()))
	f, old, next := s.fixture, with("es256", "k1", "s1"), with("bank", "k9", "s2")
	_, err := f.Authenticate(bearer(old))
	require.NoError(t, err)

	s.now(serveKeys(jwks(publicJWK("k1", public("es256")), publicJWK("k9", public("bank")))))
	_, err = f.Authenticate(bearer(next))
	require.Error(t, err, "the issuer was asked less than ten seconds ago")
	f.clock.advance(refreshAtMost)
	for _, jwt := range []string{next, old} {
		_, err = f.Authenticate(bearer(jwt))
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, s.asked.Load())

	verified := f.seen.of(Verified)
	s.refresh() // the same keys: cache entries stay valid
	_, err = f.Authenticate(bearer(old))
	require.NoError(t, err)
	require.Equal(t, verified, f.seen.of(Verified))

	s.now(serveKeys(newKeys()))
	s.refresh()
	_, err = f.Authenticate(bearer(old))
	require.Error(t, err, "its key was removed")
	_, err = f.Authenticate(bearer(next))
	require.NoError(t, err)
}

// TestSameKidOtherKey: if a key is replaced under its kid, cached JWTs of the old key are refused.
func TestSameKidOtherKey(t *testing.T) {
	s := newIssuerServer(t, serveKeys(oldKeys()))
	jwt := with("es256", "k1", "s1")
	_, err := s.fixture.Authenticate(bearer(jwt))
	require.NoError(t, err)
	s.now(serveKeys(jwks(publicJWK("k1", public("bank")))))
	s.refresh()
	_, err = s.fixture.Authenticate(bearer(jwt))
	require.Error(t, err)
}

// TestIssuerFails: whatever an issuer answers, known keys are used until they are too old; then nothing is accepted until
// the issuer answers again.
func TestIssuerFails(t *testing.T) {
	private := publicJWK("k1", public("es256"), `"d":"AAAA"`)
	for name, answer := range map[string]http.HandlerFunc{
		"down": status(http.StatusServiceUnavailable), "not found": status(http.StatusNotFound), "empty": status(http.StatusOK), "no content": status(http.StatusNoContent),
		"garbage": serveKeys([]byte("<html>")), "no keys": serveKeys(jwks()), "a private key": serveKeys(jwks(private)),
		"hangs up":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too large": serveKeys(append(newKeys(), make([]byte, maxJWKS)...)),
		"endless":   func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 64<<20)) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				_, _ = w.Write(newKeys())
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIssuerServer(t, answer)
			f, jwt, fresh := s.fixture, with("es256", "k1", "s1"), with("bank", "k9", "s2")
			_, err := f.Authenticate(bearer(jwt))
			require.Error(t, err, "no keys are known yet")
			f.clock.advance(refreshAtMost)
			s.now(serveKeys(oldKeys()))
			_, err = f.Authenticate(bearer(jwt))
			require.NoError(t, err)

			s.now(answer)
			for range 6 {
				f.clock.advance(10 * time.Minute)
				s.refresh()
				_, err = f.Authenticate(bearer(jwt))
				require.NoError(t, err)
				_, err = f.Authenticate(bearer(fresh))
				require.Error(t, err)
			}
			f.clock.advance(time.Second)
			_, err = f.Authenticate(bearer(jwt))
			require.Error(t, err, "the keys are older than MaxAge")
			f.clock.advance(refreshAtMost)
			s.now(serveKeys(oldKeys()))
			_, err = f.Authenticate(bearer(jwt))
			require.NoError(t, err)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSlowIssuer: while an issuer does not answer, JWTs with known kids are verified and cached ones accepted; a client
// that disconnects does not cancel the fetch for the others.
func TestSlowIssuer(t *testing.T) {
	s := newIssuerServer(t, serveKeys(oldKeys()))
	f := s.fixture
	_, err := f.Authenticate(bearer(with("es256", "k1", "s1")))
	require.NoError(t, err)
	f.clock.advance(refreshAtMost)
	reached, release := make(chan struct{}), make(chan struct{})
	s.now(func(w http.ResponseWriter, _ *http.Request) {
		close(reached)
		<-release
		_, _ = w.Write(newKeys())
	})
	ctx, leave := context.WithCancel(context.Background())
	waiting := make(chan error, 1)
	go func() {
		_, err := f.Authenticate(bearer(with("bank", "k9", "s2")).WithContext(ctx))
		waiting <- err
	}()
	<-reached
	for _, sid := range []string{"s1", "s2", "s3"} {
		_, err := f.Authenticate(bearer(with("es256", "k1", sid)))
		require.NoError(t, err)
	}
	leave()
	close(release)
	require.NoError(t, <-waiting)
	_, err = f.Authenticate(bearer(with("bank", "k9", "s3")))
	require.NoError(t, err)
}

// TestWaitingEndsWithTheClient: a request stops waiting for another request's fetch when its own client disconnects.
func TestWaitingEndsWithTheClient(t *testing.T) {
	s := newIssuerServer(t, nil)
	reached, held := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	s.now(func(w http.ResponseWriter, _ *http.Request) {
		close(reached)
		<-held
		_, _ = w.Write(oldKeys())
	})
	var first sync.WaitGroup
	var answered atomic.Bool
	first.Go(func() {
		_, _ = s.fixture.Authenticate(bearer(with("es256", "k1", "s1")))
		answered.Store(true)
	})
	<-reached
	disconnected, leave := context.WithCancel(context.Background())
	leave()
	_, err := s.fixture.Authenticate(bearer(with("es256", "k1", "s2")).WithContext(disconnected))
	require.Error(t, err)
	require.False(t, answered.Load(), "it waited for the other request's fetch")
	release()
	first.Wait()
}

// script is a RoundTripper that plays answers by the clock of a synctest bubble.
type script func() (int, []byte)

func (s script) RoundTrip(*http.Request) (*http.Response, error) {
	code, b := s()
	if code == 0 {
		return nil, errors.New("unreachable")
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(string(b)))}, nil
}

// TestRun: keys are fetched in the background, at once and every five minutes; an issuer that was never
// reached is tried every two seconds.
func TestRun(t *testing.T) {
	testKeys() // made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var asked []time.Duration
		var mu sync.Mutex
		f := newFixture(t, func(o *Options) {
			o.Now = time.Now
			o.Issuers = append(o.Issuers[:1], bank()) // one with a URL, one without
			o.Issuers[0].JWKS, o.Issuers[0].JWKSURL = nil, "https://clinic.example/jwks.json"
			o.Client = &http.Client{Transport: script(func() (int, []byte) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, time.Since(begin))
				if len(asked) < 3 {
					return 0, nil
				}
				return http.StatusOK, oldKeys()
			})}
		})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		time.Sleep(11 * time.Minute) // of the bubble's clock
		stop()
		<-done
		synctest.Wait()
		require.Equal(t, []time.Duration{0, 2 * time.Second, 4 * time.Second, 4*time.Second + 5*time.Minute, 4*time.Second + 10*time.Minute}, asked)
	})
}
