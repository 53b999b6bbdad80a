package signin

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

const (
	sessionCookie = "cloakroom-session"
	browserCookie = "cloakroom-browser"

	// browserLife outlives every state that is bound to the cookie; each sign-in renews it.
	browserLife = 2 * config.MaxStateLifetime
	browserSize = 32
)

// outcomeCookie is the outcome of a credential that is an accepted cookie; see credential.Verified.
const outcomeCookie = "cookie"

var (
	errTwoCookies = errors.New("two cookies of one name")
	errCookie     = errors.New("the cookie's issuer, its time, or the key of its assertion is not accepted")
)

// login is the content of a session's cookie. It holds no session id.
type login struct {
	issuer  string // its name
	subject string
	session caller.SessionHash
	key     credential.Thumbprint // that signed the assertion: the cookie ends when the key is withdrawn
	id      [16]byte
	issued  time.Time // iat of the assertion; ends of sessions are compared with it
	expires time.Time
}

func (f *Flow) newLogin(issuer string, a *credential.Assertion, now time.Time) *login {
	l := &login{issuer: issuer, subject: a.Subject, session: a.Session, key: a.Key, issued: a.IssuedAt, expires: now.Add(f.opts.Cookie.Lifetime)}
	if a.SessionExpires != nil && a.SessionExpires.Before(l.expires) {
		l.expires = *a.SessionExpires
	}
	_, _ = rand.Read(l.id[:]) // never fails: crypto/rand
	return l
}

func (f *Flow) sealLogin(l *login) (string, error) {
	b := append(make([]byte, 0, 256), version)
	b = appendMoment(appendMoment(b, l.issued), l.expires)
	b = append(append(append(b, l.id[:]...), l.session[:]...), l.key[:]...)
	return seal(f.opts.CookieKeys, appendText(appendText(b, l.issuer), l.subject))
}

// openLogin opens the result of sealLogin. The login may have expired.
func (f *Flow) openLogin(text string) (*login, error) {
	b, err := open(f.opts.CookieKeys, text)
	if err != nil {
		return nil, err
	}
	p := readPayload(b)
	l := &login{issued: p.moment(), expires: p.moment(), id: [16]byte(p.take(16)), session: caller.SessionHash(p.take(32)), key: credential.Thumbprint(p.take(32)), issuer: p.text(), subject: p.text()}
	if !p.complete() {
		return nil, errSealed
	}
	return l, nil
}

func (l *login) caller(tenant string) *caller.Caller {
	hash := caller.HashLogin(tenant, l.id[:])
	return &caller.Caller{
		Tenant: tenant, Subject: l.subject, Session: &l.session, Login: &hash, IssuedAt: l.issued, ExpiresAt: l.expires, Ambient: true,
	}
}

// Authenticate returns the request's caller, from any other credential or, without one, from the session's cookie. A cookie
// that is not accepted is a fault UNAUTHENTICATED. A cookie of another provider's user than the page's is ignored, so that
// the page doesn't learn of it and can have its own user sign in.
func (f *Flow) Authenticate(r *http.Request) (*caller.Caller, error) {
	c, err := f.opts.Next.Authenticate(r)
	if c != nil || err != nil {
		return c, err
	}
	c, p, err := f.cookieCaller(r)
	switch {
	case err != nil:
		f.opts.Observer.Credential(credential.Refused)
		// A returning user has an expired cookie that was sealed here. Such users must sign in; waiting does not help.
		if limited := f.opts.Rates.Refused(r); limited != nil && !errors.Is(err, errCookie) {
			return nil, limited
		}
		return nil, fault.Wrap(err, fault.Unauthenticated, "The session's cookie is not accepted: sign in again.")
	case c == nil:
		return nil, nil
	case !p.serves(r):
		f.opts.Observer.Credential(credential.Refused)
		f.opts.Logger.InfoContext(r.Context(), "a cookie is ignored, because the page is at none of its issuer's sign_in.return_to", slog.String("issuer", p.Name))
		return nil, nil
	}
	f.opts.Observer.Credential(outcomeCookie)
	return c, nil
}

// serves reports whether the page that sent the request may use the cookies of the provider's users. A request without an
// Origin comes from the gateway's own pages, or changes nothing and has an answer that no page can read.
func (p *provider) serves(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if p.pages != nil && !slices.Contains(p.pages, origin) {
			return false
		}
	}
	return true
}

// cookieCaller returns the caller of the session's cookie and its provider, or nil if there is no cookie.
func (f *Flow) cookieCaller(r *http.Request) (*caller.Caller, *provider, error) {
	text, err := f.cookie(r, sessionCookie)
	if err != nil || text == "" {
		return nil, nil, err
	}
	l, err := f.openLogin(text)
	if err != nil {
		return nil, nil, err
	}
	p := f.providers[l.issuer]
	if p == nil || !f.opts.Now().Before(l.expires) || !f.opts.Assertions.Holds(r.Context(), l.issuer, l.key) {
		return nil, nil, errCookie
	}
	return l.caller(p.Tenant), p, nil
}

// cookie returns the value of the cookie; "" if there is none.
func (f *Flow) cookie(r *http.Request, name string) (string, error) {
	found := r.CookiesNamed(f.cookieName(name))
	switch {
	case len(found) == 0:
		return "", nil
	case len(found) > 1:
		return "", errTwoCookies
	case found[0].Quoted || found[0].Value == "":
		return "", errSealed
	}
	return found[0].Value, nil
}

// cookieName adds a prefix with which browsers accept the cookie from the gateway's own host only. Without TLS they accept
// no cookie with the prefix (RFC 6265bis, section 4.1.3.2).
func (f *Flow) cookieName(name string) string {
	if f.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for the time life; 0 expires it.
func (f *Flow) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure, except on loopback over http, the only case that config.Verify allows
		Name: f.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: f.secure, Partitioned: f.opts.Cookie.Partitioned,
		MaxAge: int(life / time.Second), SameSite: http.SameSiteStrictMode,
	}
	switch f.opts.Cookie.SameSite {
	case "lax":
		c.SameSite = http.SameSiteLaxMode
	case "none":
		c.SameSite = http.SameSiteNoneMode
	}
	if life <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// browser returns the value of the cookie that binds states to a browser; "" if there is none.
func (f *Flow) browser(r *http.Request) (string, error) {
	value, err := f.cookie(r, browserCookie)
	if err != nil || value == "" {
		return "", err
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(value); err != nil || len(b) != browserSize {
		return "", errSealed
	}
	return value, nil
}

func newBrowser() string {
	var b [browserSize]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}
