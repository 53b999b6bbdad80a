package appkit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

const (
	tokenType     = "JWT"
	assertionType = "cloakroom-sign-in+jwt" // so that an assertion is not accepted as a session token, or the reverse
	assertionTTL  = time.Minute
)

// SessionToken returns a JWT that authenticates its bearer as the session at the gateway, and the JWT's expiry. Errors:
// ErrNoSession, wrapped, for an ended session; ctx's error; and without a sentinel: ID or Subject is malformed, or the JWT
// can't be signed.
func (k *Kit) SessionToken(ctx context.Context, session Session) (token string, expiresAt time.Time, err error) {
	if err := checkSession(session); err != nil {
		return "", time.Time{}, fmt.Errorf("session token: %w", err)
	}
	ttl := k.options.SessionTokenTTL
	if !session.ExpiresAt.IsZero() {
		ttl = min(ttl, session.ExpiresAt.Truncate(time.Second).Sub(k.now()))
	}
	if ttl <= 0 {
		return "", time.Time{}, fmt.Errorf("session token: %w: it ended at %s", ErrNoSession, session.ExpiresAt)
	}
	return k.sign(ctx, tokenType, session.Subject, ttl, map[string]any{"sid": SessionID(session.ID)})
}

// ApplicationToken returns a JWT that authenticates its bearer as the application at the gateway, and the JWT's
// expiry. It is for the backend's own requests: never send it to a browser. Errors: ctx's error, and those of
// signing, as for SessionToken.
func (k *Kit) ApplicationToken(ctx context.Context) (token string, expiresAt time.Time, err error) {
	return k.sign(ctx, tokenType, k.options.ApplicationSubject, k.options.ApplicationTokenTTL, map[string]any{"roles": []string{"application"}})
}

// assertion returns a JWT that names to the gateway the session of the browser with this state. The claim s_hash binds it
// to the state, as in an ID token of FAPI 1.0 Part 2, section 5.1.
func (k *Kit) assertion(ctx context.Context, session Session, state string) (string, error) {
	if err := checkSession(session); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(state))
	claims := map[string]any{
		"sid":    SessionID(session.ID),
		"s_hash": base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]),
	}
	if !session.ExpiresAt.IsZero() {
		claims["session_exp"] = session.ExpiresAt.Unix()
	}
	signed, _, err := k.sign(ctx, assertionType, session.Subject, assertionTTL, claims)
	return signed, err
}

func (k *Kit) sign(ctx context.Context, typ, subject string, ttl time.Duration, claims map[string]any) (string, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return "", time.Time{}, err
	}
	now := k.now()
	expiresAt := now.Add(ttl.Truncate(time.Second))
	builder := jwt.NewBuilder().
		Issuer(k.options.Issuer).
		Audience([]string{k.options.Audience}).
		Subject(subject).
		IssuedAt(now).
		Expiration(expiresAt).
		JwtID(rand.Text())
	for name, value := range claims {
		builder = builder.Claim(name, value)
	}
	unsigned, err := builder.Build()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("build a JWT: %w", err)
	}
	key, err := k.options.Keys.signer(now)
	if err != nil {
		return "", time.Time{}, err
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, typ); err != nil {
		return "", time.Time{}, fmt.Errorf("build a JWT: %w", err)
	}
	signed, err := jwt.Sign(unsigned, jwt.WithKey(jwa.ES256, key.private, jws.WithProtectedHeaders(headers))) // adds kid
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a JWT: %w", err)
	}
	return string(signed), expiresAt, nil
}

func checkSession(session Session) error {
	if session.ID == "" {
		return errors.New("the session's ID is empty: return ErrNoSession instead")
	}
	return checkSubject("Subject", session.Subject)
}

func checkSubject(name, subject string) error {
	if subject == "" || len(subject) > maxSubject || !utf8.ValidString(subject) {
		return fmt.Errorf("%s must have 1 to %d bytes of UTF-8: use the user's id", name, maxSubject)
	}
	return nil
}
