package appkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// SessionToken returns a JWT that makes its bearer that session at the gateway, and when it ends.
func (k *Kit) SessionToken(ctx context.Context, session Session) (token string, expiresAt time.Time, err error) {
	if session.ID == "" {
		return "", time.Time{}, errors.New("session token: the session's ID is empty: return ErrNoSession instead")
	}
	if err := checkSubject("Subject", session.Subject); err != nil {
		return "", time.Time{}, fmt.Errorf("session token: %w", err)
	}
	return k.sign(ctx, session.Subject, k.options.SessionTokenTTL, "sid", SessionID(session.ID))
}

// ApplicationToken returns a JWT that makes its bearer the application itself at the gateway, and
// when it ends. It is for the backend's own requests and never leaves it for a browser.
func (k *Kit) ApplicationToken(ctx context.Context) (token string, expiresAt time.Time, err error) {
	return k.sign(ctx, k.options.ApplicationSubject, k.options.ApplicationTokenTTL, "roles", []string{"application"})
}

func (k *Kit) sign(ctx context.Context, subject string, ttl time.Duration, claim string, value any) (string, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return "", time.Time{}, err
	}
	now := k.options.Now().UTC().Truncate(time.Second) // JWTs count whole seconds
	expiresAt := now.Add(ttl.Truncate(time.Second))
	unsigned, err := jwt.NewBuilder().
		Issuer(k.options.Issuer).
		Audience([]string{k.options.Audience}).
		Subject(subject).
		IssuedAt(now).
		Expiration(expiresAt).
		JwtID(rand.Text()).
		Claim(claim, value).
		Build()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("build a JWT: %w", err)
	}
	key, err := k.options.Keys.signer(now)
	if err != nil {
		return "", time.Time{}, err
	}
	signed, err := jwt.Sign(unsigned, jwt.WithKey(jwa.ES256, key.private)) // adds kid and typ
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a JWT: %w", err)
	}
	return string(signed), expiresAt, nil
}

func checkSubject(name, subject string) error {
	if subject == "" || len(subject) > maxSubject || !utf8.ValidString(subject) {
		return fmt.Errorf("%s must have 1 to %d bytes of UTF-8: use the user's id", name, maxSubject)
	}
	return nil
}
