package clinic

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

const (
	loginLifetime = 12 * time.Hour
	maxLoginForm  = 4 << 10
	maxChecking   = 2 // passwords checked at a time: each check occupies a processor, and anonymous clients can cause it
)

func (s *sessions) loginCookie() string { return s.name + "_login" }

// loggedIn returns the session of a caller who logged in, and ErrNoSession for every other caller.
func (s *sessions) loggedIn(r *http.Request) (appkit.Session, error) {
	for _, cookie := range r.CookiesNamed(s.loginCookie()) {
		user, expires, err := s.store.UserOf(r.Context(), cookie.Value, s.now())
		if err == nil {
			return appkit.Session{ID: cookie.Value, Subject: "user-" + strconv.FormatInt(user.ID, 10), ExpiresAt: expires}, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return appkit.Session{}, err
		}
	}
	return appkit.Session{}, appkit.ErrNoSession
}

// serveLogin starts a session with a new id, ends the browser's earlier session, and moves a visitor's grants to the new one.
func (s *sessions) serveLogin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	user, err := s.check(r.Context(), r.PostFormValue("email"), r.PostFormValue("password"))
	if errors.Is(err, store.ErrNotFound) {
		http.Redirect(w, r, "/?login=refused", http.StatusSeeOther)
		return
	}
	session, wasIn := rand.Text(), false
	if err == nil {
		wasIn, err = s.logout(w, r)
	}
	if err == nil {
		err = s.store.Login(r.Context(), user, session, s.now(), s.now().Add(loginLifetime))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !wasIn {
		s.carryOver(w, r, session)
	}
	s.setCookie(w, s.loginCookie(), session, loginLifetime)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// carryOver moves the grants of the browser's visitor to the login's session, and ends the visitor's session in this browser,
// so that the next user who logs in does not get its later tokens. A login succeeds even if the gateway does not answer.
func (s *sessions) carryOver(w http.ResponseWriter, r *http.Request, login string) {
	visitor, ok := s.visitor(r)
	if !ok || s.carry == nil {
		return
	}
	if err := s.carry(r.Context(), appkit.SessionID(visitor.ID), appkit.SessionID(login)); err != nil {
		s.log.ErrorContext(r.Context(), "a visitor's grants could not be moved to the login's session", slog.Any("error", err))
		return
	}
	s.setCookie(w, s.name, "", -time.Second)
}

// check returns the user of an address and a password, and ErrNotFound if either is wrong.
func (s *sessions) check(ctx context.Context, email, password string) (store.User, error) {
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-ctx.Done():
		return store.User{}, ctx.Err()
	}
	user, hash, err := s.store.UserByEmail(ctx, email)
	against := []byte(hash)
	if errors.Is(err, store.ErrNotFound) { // compare nevertheless, so that the response takes as long
		against, _ = demoHash()
	} else if err != nil {
		return store.User{}, err
	}
	if bcrypt.CompareHashAndPassword(against, []byte(password)) != nil {
		return store.User{}, store.ErrNotFound
	}
	return user, err
}

func (s *sessions) serveLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if _, err := s.logout(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout ends the caller's login, and reports whether there was one. The session's JWT stays valid until it expires, unless the
// session is ended at the gateway too.
func (s *sessions) logout(w http.ResponseWriter, r *http.Request) (wasIn bool, err error) {
	session, err := s.loggedIn(r)
	if errors.Is(err, appkit.ErrNoSession) {
		return false, nil
	}
	if err == nil {
		err = s.store.Logout(r.Context(), session.ID)
	}
	if err != nil {
		return false, err
	}
	s.setCookie(w, s.loginCookie(), "", -time.Second)
	if s.ended != nil {
		s.ended(r.Context(), session.ID)
	}
	return true, nil
}

func (s *sessions) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "login or logout failed", slog.Any("error", err))
	http.Error(w, "The clinic has a problem: try again later.", http.StatusServiceUnavailable)
}
