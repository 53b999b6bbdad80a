package clinic

// Format of the session cookie, in unpadded base64url:
//
//	version (1 byte, 1) | session id (16 bytes) | expiry (8 bytes, Unix seconds) | HMAC-SHA-256 of those
//
// A session has exactly one encoding: the length is fixed and the decoder strict.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

const (
	cookieVersion = 1
	idSize        = 16
	signedSize    = 1 + idSize + 8
	cookieSize    = signedSize + sha256.Size

	sessionLifetime = 7 * 24 * time.Hour
	anonymous       = "anonymous"
)

var cookieEncoding = base64.RawURLEncoding.Strict()

// sessions are the clinic's sessions: anonymous ones of visitors in their cookies, and those of logged-in users
// (login.go) in the store.
type sessions struct {
	key    []byte
	name   string
	secure bool
	now    func() time.Time

	store    *store.Store
	ended    func(ctx context.Context, session string)        // called when a login ends
	carry    func(ctx context.Context, from, to string) error // moves grants, by the sessions' ids at the gateway; may be nil
	log      *slog.Logger
	checking chan struct{} // holds one for each password that is being checked
}

// cookieName returns different names for two applications on one machine, because cookies ignore ports.
func cookieName(base *url.URL) string {
	if base.Scheme == "https" {
		return "__Host-cloakroom_clinic"
	}
	if port := base.Port(); port != "" {
		return "cloakroom_clinic_" + port
	}
	return "cloakroom_clinic"
}

// current returns the caller's session. If there is none, or if ?new=1 asks for another, it makes an anonymous
// one, but only for a page's request for its token, and for a sign-in. Other sites can cause these requests, but
// the visitor's cookie never replaces a login's.
func (s *sessions) current(w http.ResponseWriter, r *http.Request) (appkit.Session, error) {
	asksForToken, signsIn := r.URL.Path == appkit.Path+"session", r.URL.Path == appkit.Path+"sign-in"
	another := asksForToken && r.URL.Query().Get("new") == "1"
	if another {
		if _, err := s.logout(w, r); err != nil {
			return appkit.Session{}, err
		}
	} else {
		session, err := s.loggedIn(r)
		if !errors.Is(err, appkit.ErrNoSession) {
			return session, err
		}
		if session, ok := s.visitor(r); ok {
			return session, nil
		}
	}
	if !asksForToken && !signsIn {
		return appkit.Session{}, appkit.ErrNoSession
	}
	id := make([]byte, idSize)
	_, _ = rand.Read(id) // never fails
	expires := s.now().Add(sessionLifetime)
	s.setCookie(w, s.name, s.seal(id, expires), sessionLifetime)
	return appkit.Session{ID: string(id), Subject: anonymous, ExpiresAt: expires}, nil
}

// visitor returns the anonymous session of the browser's own cookie.
func (s *sessions) visitor(r *http.Request) (appkit.Session, bool) {
	for _, cookie := range r.CookiesNamed(s.name) {
		if id, expires, ok := s.open(cookie.Value); ok {
			return appkit.Session{ID: id, Subject: anonymous, ExpiresAt: expires}, true
		}
	}
	return appkit.Session{}, false
}

// setCookie sets a cookie, or deletes it if the life is negative.
func (s *sessions) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the base URL is https; plain HTTP is for loopback
		Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (s *sessions) seal(id []byte, expires time.Time) string {
	signed := append(make([]byte, 0, cookieSize), cookieVersion)
	signed = append(signed, id...)
	signed = binary.BigEndian.AppendUint64(signed, uint64(expires.Unix()))
	return cookieEncoding.EncodeToString(append(signed, s.mac(signed)...))
}

// open returns the session id and the expiry of a cookie that seal made and that hasn't expired.
func (s *sessions) open(value string) (id string, expires time.Time, ok bool) {
	if len(value) != cookieEncoding.EncodedLen(cookieSize) {
		return "", time.Time{}, false
	}
	cookie, err := cookieEncoding.DecodeString(value)
	if err != nil || len(cookie) != cookieSize { // the decoder skips line breaks
		return "", time.Time{}, false
	}
	signed, mac := cookie[:signedSize], cookie[signedSize:]
	if !hmac.Equal(mac, s.mac(signed)) || signed[0] != cookieVersion {
		return "", time.Time{}, false
	}
	expires = time.Unix(int64(binary.BigEndian.Uint64(signed[1+idSize:])), 0)
	if !s.now().Before(expires) {
		return "", time.Time{}, false
	}
	return string(bytes.Clone(signed[1 : 1+idSize])), expires, true
}

func (s *sessions) mac(signed []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(signed)
	return mac.Sum(nil)
}
