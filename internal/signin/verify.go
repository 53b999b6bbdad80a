package signin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Verify answers whose session the caller has: 200 with tenant, subject, sessionHash and expiresAt (RFC 3339); 401 without
// a session; 412 if the session is not that of the precondition.
func (f *Flow) Verify(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	c, ok := f.admitted(w, r, admit)
	if !ok {
		return
	}
	writeJSON(w, struct {
		Tenant      string    `json:"tenant"`
		Subject     string    `json:"subject"`
		SessionHash string    `json:"sessionHash"`
		ExpiresAt   time.Time `json:"expiresAt"`
	}{c.Tenant, c.Subject, c.Session.String(), c.ExpiresAt})
}

// admitted returns the caller of an admitted request, or answers a refused one and returns false.
func (f *Flow) admitted(w http.ResponseWriter, r *http.Request, admit guard.Admit) (*caller.Caller, bool) {
	c, err := admit()
	if err != nil {
		if fault.Public(err).Code == fault.Unauthenticated {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		f.opts.Refuse(w, r, guard.Status(err), err)
		return nil, false
	}
	return c, true
}

// maxEndBody limits the body of a sign-out, which is ignored, in bytes.
const maxEndBody = 16 << 10

// End signs out: it ends the cookie's login, also for copies of the cookie, and revokes the session's grants. It answers
// 200 with how many grants were in force.
func (f *Flow) End(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	c, ok := f.admitted(w, r, admit)
	if !ok {
		return
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxEndBody)); err != nil {
		f.refuseBody(w, r, err)
		return
	}
	revoked, err := f.signOut(w, r, c)
	if err != nil {
		status := 0
		if fault.Public(err).Code == fault.LimitExceeded { // a limit on what is stored here, not on the request
			status = http.StatusServiceUnavailable
		}
		f.opts.Refuse(w, r, status, err)
		return
	}
	f.opts.Observer.SignIn(ended)
	writeJSON(w, struct {
		Revoked int `json:"revoked"`
	}{revoked})
}

// signOut ends the login and the grants, and expires the cookie. It finishes even if the client disconnects. If no more
// ended logins can be stored, it does the rest and returns a fault LIMIT_EXCEEDED.
func (f *Flow) signOut(w http.ResponseWriter, r *http.Request, c *caller.Caller) (revoked int, err error) {
	ctx := context.WithoutCancel(r.Context())
	if deadline, ok := r.Context().Deadline(); ok { // the route's deadline
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	cookie := f.loginOf(r, c)
	revoked, closed, err := f.opts.Revocation.SignOut(ctx, c, cookie)
	full := err != nil && fault.Public(err).Code == fault.LimitExceeded
	if closed || full {
		f.setCookie(w, sessionCookie, "", 0)
	}
	if full {
		err = fault.Wrap(err, fault.LimitExceeded,
			"This browser is signed out and the session's grants are revoked, but a copy of its cookie is accepted until it expires.")
	}
	return revoked, err
}

// loginOf returns the caller whose login ends: the one of the session's cookie, even if the request has another credential
// too; nil if there is no cookie.
func (f *Flow) loginOf(r *http.Request, c *caller.Caller) *caller.Caller {
	if c.Login != nil {
		return c
	}
	other, _, err := f.cookieCaller(r)
	if err != nil || other == nil || other.Tenant != c.Tenant || *other.Session != *c.Session {
		return nil // a cookie that is not accepted needs no end
	}
	return other
}

func (f *Flow) refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		f.opts.Refuse(w, r, 0, fault.New(fault.LimitExceeded, "The request's body is too long: it may have %d bytes at most.", large.Limit))
		return
	}
	f.opts.Refuse(w, r, 0, fault.Wrap(err, fault.BadUserInput, "The request's body ended early: send the request again."))
}

func writeJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}
