package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/client"
)

// Secrets that errors must never show.
const (
	jwt    = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	token  = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"
	signed = "X-Amz-Signature=5ca1ab1e"
)

func always(context.Context) (string, time.Time, error) {
	return jwt, time.Now().Add(time.Hour), nil
}

// fake is a gateway with fixed answers, which counts requests.
type fake struct {
	*httptest.Server
	requests atomic.Int64
	mu       sync.Mutex
	answers  []http.HandlerFunc // in order; the last one for all further requests
}

func newFake(t testing.TB, answers ...http.HandlerFunc) *fake {
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		f.requests.Add(1)
		f.mu.Lock()
		answer := f.answers[0]
		if len(f.answers) > 1 {
			f.answers = f.answers[1:]
		}
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ok(body string) http.HandlerFunc { return answer(http.StatusOK, "application/json", body) }

func refusal(code string) http.HandlerFunc {
	return ok(fmt.Sprintf(`{"errors":[{"message":"no","extensions":{"code":%q}}],"data":null}`, code))
}

// dropped breaks the connection once the request has arrived.
func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const grantedBody = `{"data":{"createGrants":{"grants":[{"expiresAt":"2030-01-01T00:00:00Z","missing":[]}]}}}`

const signedBody = `{"method":"PUT","url":"https://store.example/v/1?` + signed + `","headers":[{"name":"X-Key","value":"secret-key"}],"expiresAt":"2030-01-01T00:00:00Z"}`

// calls has one call of every method.
func calls(ctx context.Context, c *client.Client) map[string]func() error {
	return map[string]func() error{
		"Tokenize":        func() error { _, err := c.Tokenize(ctx, client.Value{}); return err },
		"TokenizeBatch":   func() error { _, err := c.TokenizeBatch(ctx, make([]client.Value, 2)); return err },
		"Detokenize":      func() error { _, err := c.Detokenize(ctx, token); return err },
		"DetokenizeBatch": func() error { _, err := c.DetokenizeBatch(ctx, []string{token}); return err },
		"Token":           func() error { _, err := c.Token(ctx, token); return err },
		"Viewer":          func() error { _, err := c.Viewer(ctx); return err },
		"CreateGrants":    func() error { _, err := c.CreateGrants(ctx, "s", oneGrant); return err },
		"VerifyGrants":    func() error { _, err := c.VerifyGrants(ctx, "s", bothChecks[:1]); return err },
		"VerifyBoth":      func() error { _, err := c.VerifyGrants(ctx, "s", bothChecks); return err },
		"RevokeGrants":    func() error { _, err := c.RevokeGrants(ctx, client.Revocation{Session: "s"}); return err },
		"CarryGrants":     func() error { _, err := c.CarryGrants(ctx, "s", "t"); return err },
		"EndSession":      func() error { _, err := c.EndSession(ctx, "s"); return err },
		"DeleteTokens":    func() error { _, err := c.DeleteTokens(ctx, []string{token}); return err },
	}
}
