package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/cloakroomhq/cloakroom/internal/credential"
)

// signer makes keys of an algorithm.
type signer struct {
	alg jwa.SignatureAlgorithm
	key func() (crypto.Signer, error)
}

func newRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

var signers = []signer{
	{jwa.ES256, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	{jwa.RS256, newRSA},
	{jwa.EdDSA, func() (crypto.Signer, error) { _, k, err := ed25519.GenerateKey(rand.Reader); return k, err }},
	{jwa.PS256, newRSA},
}

// issuerKey is an issuer's only key.
type issuerKey struct {
	alg     jwa.SignatureAlgorithm
	private jwk.Key
	public  crypto.PublicKey
	set     []byte // JWKS
}

func newIssuerKey(s signer) (*issuerKey, error) {
	raw, err := s.key()
	if err != nil {
		return nil, err
	}
	private, err := jwk.FromRaw(raw)
	if err != nil {
		return nil, err
	}
	if err := private.Set(jwk.KeyIDKey, "k1"); err != nil {
		return nil, err
	}
	public, err := private.PublicKey()
	if err != nil {
		return nil, err
	}
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	return &issuerKey{s.alg, private, raw.Public(), set}, err
}

// jwts returns the JWTs of n sessions.
func (k *issuerKey) jwts(n int, issuer string) ([]string, error) {
	now := time.Now().Truncate(time.Second)
	all := make([]string, n)
	for i := range all {
		unsigned, err := jwt.NewBuilder().Issuer(issuer).Audience([]string{"gateway"}).Subject(fmt.Sprintf("user-%06d", i)).
			IssuedAt(now).Expiration(now.Add(time.Hour)).Claim("sid", rand.Text()).Build()
		if err != nil {
			return nil, err
		}
		text, err := jwt.Sign(unsigned, jwt.WithKey(k.alg, k.private))
		if err != nil {
			return nil, err
		}
		all[i] = string(text)
	}
	return all, nil
}

// authenticator returns an authenticator that trusts the key, with an empty cache.
func (k *issuerKey) authenticator() (*credential.Authenticator, error) {
	return credential.New(credential.Options{
		Issuers: []credential.Issuer{{
			Name: tenant, Issuer: issuerName, Audience: "gateway", Algorithms: []string{k.alg.String()}, Types: []string{"JWT"}, SessionClaim: "sid", TrustRoles: true,
			MaxLifetime: 24 * time.Hour, ClockSkew: 5 * time.Second, JWKS: k.set,
		}},
		Remember: 10_000, Logger: slog.New(slog.DiscardHandler), Observer: uncounted{},
	})
}

// bearers returns requests with JWTs.
func bearers(texts ...string) []*http.Request {
	all := make([]*http.Request, len(texts))
	for i, text := range texts {
		all[i] = &http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}}
	}
	return all
}

// refusals measures the cost of a refused JWT, by the check that refuses it. None is remembered, so the cost is the
// same each time.
func (b *bench) refusals(ctx context.Context) error {
	k, err := newIssuerKey(signers[0])
	if err != nil {
		return err
	}
	auth, err := k.authenticator()
	if err != nil {
		return err
	}
	good, err := k.jwts(1, issuerName)
	if err != nil {
		return err
	}
	foreign, err := k.jwts(1, "https://other.example")
	if err != nil {
		return err
	}
	parts := strings.Split(good[0], ".")
	b64 := base64.RawURLEncoding.EncodeToString
	otherKid := b64([]byte(`{"alg":"ES256","kid":"k2","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2]
	forged := parts[0] + "." + parts[1] + "." + b64([]byte(rand.Text() + rand.Text() + rand.Text())[:64])
	names := []string{"over 8 KiB", "not a JWT", "a claim twice", "an unknown issuer", "an unknown `kid`", "a signature that does not verify", "8 KiB of claims, unknown issuer"}
	requests := bearers(strings.Repeat("A", credential.DefaultMaxSize+1), "A.A.A", parts[0]+"."+b64([]byte(`{"iss":"a","sub":"b","iss":"c"}`))+"."+parts[2],
		foreign[0], otherKid, forged, parts[0]+"."+b64([]byte(`{"iss":"a"`+distinct(430)+`}`))+"."+parts[2])
	all := make([]*timed, len(names))
	for i, name := range names {
		all[i] = &timed{name: name, do: func(int) error {
			if who, err := auth.Authenticate(requests[i]); err == nil || who != nil {
				return errors.New("accepted")
			}
			return nil
		}}
	}
	if err := together(ctx, b.rounds, all, nil); err != nil {
		return err
	}
	fmt.Println("| refusal, ES256 | time: median | 10 % to 90 % of rounds | allocations |\n|---|---:|---|---:|")
	for _, c := range all {
		fmt.Printf("| %s | %s | %s to %s | %.0f |\n", c.name, c.micros(), micros(time.Duration(quantile(c.rounds, 0.1))),
			micros(time.Duration(quantile(c.rounds, 0.9))), c.allocations())
	}
	return nil
}

// distinct returns n JSON members with different names.
func distinct(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"n%05d":[]`, i)
	}
	return s.String()
}
