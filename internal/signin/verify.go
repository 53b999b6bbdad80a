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

// Verify says whose session the caller is in: 200 with tenant, subject, sessionHash and expiresAt (RFC 3339),
// 401 without a session, 412 where it is not the one of the precondition.
func (f *Flow) Verify(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	who, ok := f.admitted(w, r, admit)
	if !ok {
		return
	}
	writeJSON(w, struct {
		Tenant      string    `json:"tenant"`
		Subject     string    `json:"subject"`
		SessionHash string    `json:"sessionHash"`
		ExpiresAt   time.Time `json:"expiresAt"`
	}{who.Tenant, who.Subject, who.Session.String(), who.ExpiresAt})
}

// admitted returns the caller of an admitted request; else it has answered.
func (f *Flow) admitted(w http.ResponseWriter, r *http.Request, admit guard.Admit) (*caller.Caller, bool) {
	who, err := admit()
	if err != nil {
		if fault.Public(err).Code == fault.Unauthenticated {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		f.opts.Refuse(w, r, guard.Status(err), err)
		return nil, false
	}
	return who, true
}

// maxEndBody bounds a body that nobody reads, in bytes.
const maxEndBody = 16 << 10

// End signs out: the cookie's login is over, wherever a copy of the cookie may be, and so are the session's
// grants. It answers 200 with how many were in force.
func (f *Flow) End(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	who, ok := f.admitted(w, r, admit)
	if !ok {
		return
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxEndBody)); err != nil {
		f.refuseBody(w, r, err)
		return
	}
	revoked, err := f.signOut(w, r, who)
	if err != nil {
		status := 0
		if fault.Public(err).Code == fault.LimitExceeded { // of what is kept here, not of what was sent
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

// signOut ends the login and the grants, and expires the cookie. It goes on when the page that asked for it has gone.
// Where no further end of a login is kept, the rest is done all the same, and a fault LIMIT_EXCEEDED says so.
func (f *Flow) signOut(w http.ResponseWriter, r *http.Request, who *caller.Caller) (revoked int, err error) {
	ctx := context.WithoutCancel(r.Context())
	if deadline, ok := r.Context().Deadline(); ok { // that of the route
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	cookie := f.loginOf(r, who)
	revoked, closed, err := f.opts.Revocation.SignOut(ctx, who, cookie)
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

// loginOf returns the caller whose login ends: that of the session's cookie, if the request bears one, even beside
// another credential; nil where there is none.
func (f *Flow) loginOf(r *http.Request, who *caller.Caller) *caller.Caller {
	if who.Login != nil {
		return who
	}
	other, _, err := f.cookieCaller(r)
	if err != nil || other == nil || other.Tenant != who.Tenant || *other.Session != *who.Session {
		return nil // a cookie that opens nothing needs no end
	}
	return other
}

func (f *Flow) refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		f.opts.Refuse(w, r, 0, fault.New(fault.LimitExceeded, "The request's body has %d bytes at most.", large.Limit))
		return
	}
	f.opts.Refuse(w, r, 0, fault.Wrap(err, fault.BadUserInput, "The request's body broke off."))
}

func writeJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}
