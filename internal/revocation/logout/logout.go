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

// Verifier verifies logout tokens. Its errors quote nothing of them.
type Verifier interface {
	VerifyLogout(ctx context.Context, token string) (*credential.Logout, error)
}

// Rates bound logout tokens that are refused, with other credentials. Their errors are faults RATE_LIMITED.
type Rates interface {
	// Admit is asked before a token is verified; it charges nothing.
	Admit(r *http.Request) error
	// Refused is told of each token that was refused.
	Refused(r *http.Request) error
}

// Ender ends what a logout token names; what has ended may be ended again.
type Ender interface {
	// EndSession ends one session, with its grants.
	EndSession(ctx context.Context, tenant, sessionID, reason string) (revoked int, err error)
	// EndSubject ends all credentials of a subject that were issued before a moment.
	EndSubject(ctx context.Context, tenant, subject string, issuedBefore time.Time) error
}

// Observer counts logout tokens.
type Observer interface{ Logout(outcome string) }

// Outcomes of a logout token.
const (
	accepted = "accepted"
	refused  = "refused"
	failed   = "failed"  // it was right, and the session could not be ended
	limited  = "limited" // not verified: too many of its address were refused
)

// Options are what a Handler is made of; all are needed.
type Options struct {
	Verifier Verifier
	Ender    Ender
	Rates    Rates
	Observer Observer
	Logger   *slog.Logger
	Timeout  time.Duration // for one request
}

// Handler answers POST requests with a form whose field logout_token, there exactly once, is a logout token (section
// 2.5): 200 once what it names has ended; 400 with a JSON object of error and error_description where the token
// is refused, or the logout failed (section 2.8); then the provider may send it again. 429, with Retry-After, where too
// many of the address were refused.
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
		answer(w, http.StatusTooManyRequests, "temporarily_unavailable", "Too many logout tokens of this address were refused: send the token again later.")
		return
	}
	// A provider that doesn't wait for the answer has said its word all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.opts.Timeout)
	defer cancel()
	l, err := h.opts.Verifier.VerifyLogout(ctx, token)
	if err != nil {
		_ = h.opts.Rates.Refused(r) // it is refused for what it is, whatever is left
		h.refuse(ctx, w, err)
		return
	}
	if err := h.end(ctx, l); err != nil {
		h.opts.Observer.Logout(failed)
		h.opts.Logger.ErrorContext(ctx, "a logout failed", slog.String("tenant", l.Tenant), slog.Any("error", err))
		answer(w, http.StatusBadRequest, "temporarily_unavailable", "The logout could not be carried out: send the token again.")
		return
	}
	h.opts.Observer.Logout(accepted)
	h.opts.Logger.InfoContext(ctx, "an issuer has ended a session", slog.String("tenant", l.Tenant), slog.Bool("whole_subject", l.Session == ""))
	w.WriteHeader(http.StatusOK)
}

// end ends the session, or else all of the subject's: those whose credentials were issued up to the token itself.
// Many issuers count in whole seconds, so that the token's own second counts as before.
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
	answer(w, http.StatusBadRequest, "invalid_request", "The request holds no logout token that the gateway accepts.")
}

func answer(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

// logoutToken reads the form's field from the body alone; other fields are ignored, as section 2.5 wants.
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", errors.New("a body that breaks off, or is too long")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", errors.New("a malformed form") // the parser's text quotes the input
	}
	if tokens := form["logout_token"]; len(tokens) == 1 {
		return tokens[0], nil
	}
	return "", errors.New("not one logout_token")
}
