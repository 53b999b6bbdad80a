// Package logout is the endpoint to which identity providers send logout tokens: OpenID Connect Back-Channel
// Logout 1.0.
package logout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 10

// Verifier verifies logout tokens. Its errors do not quote them.
type Verifier interface {
	VerifyLogout(ctx context.Context, token string) (*credential.Logout, error)
}

// Rates limit refused logout tokens, together with other refused credentials. Errors are faults RATE_LIMITED.
type Rates interface {
	// Admit is called before a token is verified; it charges nothing.
	Admit(r *http.Request) error
	// Refused is called for each refused token, and charges it.
	Refused(r *http.Request) error
}

// Ender ends the session or the subject of a logout token; an ended one may be ended again.
type Ender interface {
	// EndSession ends one session, with its grants.
	EndSession(ctx context.Context, tenant, sessionID, reason string) (revoked int, err error)
	// EndSubject ends all credentials of a subject issued before issuedBefore.
	EndSubject(ctx context.Context, tenant, subject string, issuedBefore time.Time) error
}

// Observer counts logout tokens.
type Observer interface{ Logout(outcome string) }

// Outcomes of a logout token.
const (
	accepted = "accepted"
	refused  = "refused"
	failed   = "failed"  // the token is valid, but the end could not be written
	limited  = "limited" // not verified: too many tokens of this address were refused
)

// Options configure a Handler; all are required.
type Options struct {
	Verifier Verifier
	Ender    Ender
	Rates    Rates
	Observer Observer
	Logger   *slog.Logger
	Timeout  time.Duration // for one request
}

// Handler answers POST requests with a form that has the field logout_token exactly once (section 2.5). Responses: 200 when
// the session or subject has ended; 400 with a JSON object of error and error_description if the token is refused or the
// logout failed (section 2.8), after which the provider may send it again; 429 with Retry-After if too many tokens of the
// address were refused.
type Handler struct{ opts Options }

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o} }

// Handle is a guard.Handler.
func (h *Handler) Handle(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	w.Header().Set("Cache-Control", "no-store")
	if _, err := admit(); err != nil {
		if guard.Status(err) == http.StatusMethodNotAllowed {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h.refuse(r.Context(), w, fmt.Errorf("not a form: %w", err))
		return
	}
	token, err := logoutToken(w, r)
	if err != nil {
		h.refuse(r.Context(), w, err)
		return
	}
	if err := h.opts.Rates.Admit(r); err != nil {
		h.opts.Observer.Logout(limited)
		w.Header().Set("Retry-After", strconv.Itoa(int(fault.Public(err).RetryAfter.Seconds())))
		answer(w, http.StatusTooManyRequests, "temporarily_unavailable", "Too many logout tokens from this address were refused: send the token again later.")
		return
	}
	// Finish even if the provider disconnects.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.opts.Timeout)
	defer cancel()
	l, err := h.opts.Verifier.VerifyLogout(ctx, token)
	if err != nil {
		_ = h.opts.Rates.Refused(r) // the response is 400 even if the rate is now exceeded
		h.refuse(ctx, w, err)
		return
	}
	if err := h.end(ctx, l); err != nil {
		h.opts.Observer.Logout(failed)
		h.opts.Logger.ErrorContext(ctx, "a logout failed", slog.String("tenant", l.Tenant), slog.Any("error", err))
		answer(w, http.StatusBadRequest, "temporarily_unavailable", "The logout failed: send the token again.")
		return
	}
	h.opts.Observer.Logout(accepted)
	h.opts.Logger.InfoContext(ctx, "an issuer has ended a session", slog.String("tenant", l.Tenant), slog.Bool("whole_subject", l.Session == ""))
	w.WriteHeader(http.StatusOK)
}

// end ends the session if the token names one, or else all credentials of the subject issued no later than the token. Many
// issuers round to whole seconds, so credentials of the token's own second end too.
func (h *Handler) end(ctx context.Context, l *credential.Logout) error {
	if l.Session != "" {
		_, err := h.opts.Ender.EndSession(ctx, l.Tenant, l.Session, caller.EndedByBackChannel)
		return err
	}
	return h.opts.Ender.EndSubject(ctx, l.Tenant, l.Subject, l.IssuedAt.Truncate(time.Second).Add(time.Second))
}

func (h *Handler) refuse(ctx context.Context, w http.ResponseWriter, err error) {
	h.opts.Observer.Logout(refused)
	h.opts.Logger.InfoContext(ctx, "a logout token was refused", slog.Any("error", err))
	answer(w, http.StatusBadRequest, "invalid_request", "The request has no logout token that the gateway accepts: send a valid one as the form field logout_token.")
}

func answer(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

// logoutToken reads the form's field from the body only; other fields are ignored, as section 2.5 requires.
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", errors.New("the body is incomplete or too long")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", errors.New("the form is malformed") // the parser's text quotes the input
	}
	if tokens := form["logout_token"]; len(tokens) == 1 {
		return tokens[0], nil
	}
	return "", errors.New("the form has no logout_token or several")
}
