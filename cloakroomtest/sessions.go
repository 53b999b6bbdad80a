package cloakroomtest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/grant"
)

// Session is a session of a user at the application.
type Session struct {
	// ID is the session's id as its JWT names it, for which grants are created: directives.Options.Session returns it.
	ID string

	gw      *Gateway
	session appkit.Session
}

// Session returns the session of a login, whose id at the gateway is appkit.SessionID(login). The same login is the same
// session; the user's name is the login's.
func (gw *Gateway) Session(login string) *Session {
	return &Session{ID: appkit.SessionID(login), gw: gw, session: appkit.Session{ID: login, Subject: login}}
}

// Credentials returns the session's credential, for client.Options.Credentials or as a page's Bearer token. Its errors are
// those of signing.
func (s *Session) Credentials(ctx context.Context) (jwt string, expiresAt time.Time, err error) {
	return s.gw.kit.SessionToken(ctx, s.session)
}

// Client returns a client of the gateway that is the session.
func (s *Session) Client(t testing.TB) *client.Client {
	t.Helper()
	return newClient(t, s.gw.URL, s.Credentials)
}

// Tokenize stores a value in a session, as a page does, and returns its token.
func (gw *Gateway) Tokenize(t testing.TB, s *Session, value string) (token string) {
	t.Helper()
	c, size := s.Client(t), int64(len(value))
	made, err := c.Tokenize(t.Context(), client.Value{Size: &size})
	if err != nil {
		t.Fatalf("cloakroomtest: tokenizing a value: %v", err)
	}
	if err := c.Upload(t.Context(), made, strings.NewReader(value), size); err != nil {
		t.Fatalf("cloakroomtest: uploading a value: %v", err)
	}
	return made.Token
}

// Detokenize returns the value of a token, as a page of the session reads it; the test fails at once if the session has no
// READ grant.
func (gw *Gateway) Detokenize(t testing.TB, s *Session, token string) (value string) {
	t.Helper()
	value, err := s.read(t, token)
	if err != nil {
		t.Fatalf("cloakroomtest: detokenizing: %v", err)
	}
	return value
}

func (s *Session) read(t testing.TB, token string) (string, error) {
	t.Helper()
	c := s.Client(t)
	redeemed, err := c.Detokenize(t.Context(), token)
	if err != nil {
		return "", err
	}
	body, err := c.Download(t.Context(), redeemed)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	value, err := io.ReadAll(body)
	return string(value), err
}

// Held returns the kinds of grants that a session, by its id, holds on a token: none, one or both, READ first. It returns
// none for a token that does not exist.
func (gw *Gateway) Held(t testing.TB, sessionID, token string) (kinds []grant.Kind) {
	t.Helper()
	missing, err := gw.Grants.VerifyGrants(t.Context(), sessionID, []grant.Check{{Token: token, Kind: grant.Read}, {Token: token, Kind: grant.Store}})
	if err != nil {
		t.Fatalf("cloakroomtest: verifying grants: %v", err)
	}
	absent := map[grant.Kind]bool{}
	for _, m := range missing {
		absent[m.Kind] = true
	}
	for _, kind := range []grant.Kind{grant.Read, grant.Store} {
		if !absent[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// RequireGrant fails the test at once unless a session, by its id, holds a grant of the kind on a token.
func (gw *Gateway) RequireGrant(t testing.TB, sessionID, token string, kind grant.Kind) {
	t.Helper()
	if !gw.holds(t, sessionID, token, kind) {
		t.Fatalf("cloakroomtest: the session has no %s grant on the token", kind)
	}
}

// RequireNoGrant fails the test at once if a session, by its id, holds a grant of the kind on a token.
func (gw *Gateway) RequireNoGrant(t testing.TB, sessionID, token string, kind grant.Kind) {
	t.Helper()
	if gw.holds(t, sessionID, token, kind) {
		t.Fatalf("cloakroomtest: the session has a %s grant on the token", kind)
	}
}

func (gw *Gateway) holds(t testing.TB, sessionID, token string, kind grant.Kind) bool {
	t.Helper()
	for _, held := range gw.Held(t, sessionID, token) {
		if held == kind {
			return true
		}
	}
	return false
}
