package client_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// signer makes numbered JWTs that last for a minute of its clock, and counts them.
type signer struct {
	mu    sync.Mutex
	clock time.Time
	made  int
	err   error
	hold  chan struct{} // nil: don't wait
}

func (s *signer) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *signer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func (s *signer) credentials(ctx context.Context) (string, time.Time, error) {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return "", time.Time{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", time.Time{}, s.err
	}
	s.made++
	return string(rune('a' + s.made - 1)), s.clock.Add(time.Minute), nil
}

func (s *signer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// viewerOf answers with the JWT that it was called with, as the tenant.
func viewerOf(w http.ResponseWriter, r *http.Request) {
	ok(`{"data":{"viewer":{"roles":[],"tenant":"`+r.Header.Get("Authorization")+`","expiresAt":"2030-01-01T00:00:00Z"}}}`)(w, r)
}

func TestJWTIsRenewedBeforeItEnds(t *testing.T) {
	s := &signer{clock: time.Now()}
	c := newClient(t, newFake(t, viewerOf).URL, s.credentials, func(o *client.Options) { o.Now = s.now })
	used := func() string {
		t.Helper()
		v, err := c.Viewer(t.Context())
		require.NoError(t, err)
		return v.Tenant
	}
	require.Equal(t, "Bearer a", used())
	s.pass(47 * time.Second)
	require.Equal(t, "Bearer a", used())
	require.Equal(t, 1, s.count())
	s.pass(2 * time.Second) // within the last fifth: renewed, and still used
	used()
	require.Eventually(t, func() bool { return used() == "Bearer b" }, 10*time.Second, time.Millisecond)
	require.Equal(t, 2, s.count())
	s.pass(time.Hour) // expired: no call uses it
	require.Equal(t, "Bearer c", used())
	// An error of the next JWT is returned only when the current one is no longer used.
	s.mu.Lock()
	s.err = errors.New("the signer is away")
	s.mu.Unlock()
	s.pass(50 * time.Second)
	require.Equal(t, "Bearer c", used())
	s.pass(9 * time.Second)
	_, err := c.Viewer(t.Context())
	require.ErrorIs(t, err, s.err)
}

func TestOneCallForAJWT(t *testing.T) {
	s := &signer{clock: time.Now(), hold: make(chan struct{})}
	c := newClient(t, newFake(t, viewerOf).URL, s.credentials, func(o *client.Options) { o.Now = s.now })
	const callers = 20
	errs := make(chan error, callers)
	// The first caller is cancelled before the answer: the others still get it.
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := c.Viewer(ctx); first <- err }()
	for range callers {
		go func() { _, err := c.Viewer(t.Context()); errs <- err }()
	}
	leave()
	require.ErrorIs(t, <-first, context.Canceled)
	close(s.hold)
	for range callers {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, s.count())
}

func TestBadCredentials(t *testing.T) {
	f := newFake(t, ok(grantedBody))
	sentinel := errors.New("no key")
	for name, credentials := range map[string]gatewaytest.Credentials{
		"an error": func(context.Context) (string, time.Time, error) { return "", time.Time{}, sentinel },
		"a panic":  func(context.Context) (string, time.Time, error) { panic(jwt) },
		"nothing":  func(context.Context) (string, time.Time, error) { return "", time.Now().Add(time.Hour), nil },
		"a line break": func(context.Context) (string, time.Time, error) {
			return jwt + "\r\nX: y", time.Now().Add(time.Hour), nil
		},
		"an old one": func(context.Context) (string, time.Time, error) { return jwt, time.Now().Add(-time.Hour), nil },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, f.URL, credentials, nil).Viewer(t.Context())
			require.Error(t, err, name)
			noSecrets(t, err)
			if name == "an error" {
				require.ErrorIs(t, err, sentinel)
			}
		})
	}
	require.Zero(t, f.requests.Load())
	hang := func(ctx context.Context) (string, time.Time, error) {
		<-ctx.Done()
		return "", time.Time{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := newClient(t, f.URL, hang, nil).Viewer(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A JWT without an expiry is not kept.
func TestJWTWithoutAnEnd(t *testing.T) {
	asked := atomic.Int64{}
	c := newClient(t, newFake(t, ok(grantedBody)).URL, func(context.Context) (string, time.Time, error) {
		asked.Add(1)
		return jwt, time.Time{}, nil
	}, nil)
	for range 3 {
		_, err := c.CreateGrants(t.Context(), "s", oneGrant)
		require.NoError(t, err)
	}
	require.EqualValues(t, 3, asked.Load())
}

// A JWT that the gateway refuses before its expiry is replaced once, also for operations that are not repeated
// otherwise, because a refused request changes nothing.
func TestRefusedJWTIsReplaced(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	asked := 0
	c := newClient(t, g.URL, func(ctx context.Context) (string, time.Time, error) {
		if asked++; asked == 1 {
			return jwt, time.Now().Add(time.Hour), nil
		}
		return g.Session(gatewaytest.Own, "s")(ctx)
	}, nil)
	_, err := c.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	require.Equal(t, 2, asked)
	_, err = c.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	require.Equal(t, 2, asked)

	f := newFake(t, answer(http.StatusUnauthorized, "application/json", `{"errors":[{"message":"no `+jwt+`","extensions":{"code":"UNAUTHENTICATED"}}]}`))
	for method, call := range calls(t.Context(), newClient(t, f.URL, always, nil)) {
		before := f.requests.Load()
		err := call()
		require.ErrorIs(t, err, client.ErrUnauthenticated, method)
		noSecrets(t, err)
		require.EqualValues(t, 2, f.requests.Load()-before, method)
	}
}
