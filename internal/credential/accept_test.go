package credential

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// TestSupportedAlgorithms: each supported algorithm verifies with its key type, and only these can be configured.
func TestSupportedAlgorithms(t *testing.T) {
	require.Subset(t, jose.Algorithms, config.DefaultIssuer().Algorithms)
	key := map[string]string{"ES256": "es256", "ES384": "es384", "ES512": "es512", "EdDSA": "ed", "Ed25519": "ed"}
	kid := map[string]string{"ES256": "k1", "ES384": "k4", "ES512": "k5", "EdDSA": "k3", "Ed25519": "k3"}
	for _, alg := range jose.Algorithms {
		if key[alg] == "" {
			key[alg], kid[alg] = "rsa", "k2"
		}
		f := newFixture(t, func(o *Options) { o.Issuers[0].Algorithms = []string{alg} })
		c, err := f.Authenticate(bearer(token(alg, testKeys()[key[alg]], fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid[alg]), claimsOf())))
		require.NoError(t, err, alg)
		require.Equal(t, "user-1", c.Subject)
		require.True(t, jose.Supported(alg))
	}
	for _, alg := range []string{"none", "HS256", "HS384", "HS512", "ES256K", "RSA-OAEP", "dir", "", "es256", "Ed448", "ESP256", "ed25519"} {
		require.False(t, jose.Supported(alg), alg)
	}
}

// TestOneTenantOfTwoIssuers: an application makes grants for a provider's users, so both issuers may have one tenant.
func TestOneTenantOfTwoIssuers(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Issuers[0].Tenant = "bank" })
	user, err := f.Authenticate(bearer(good(claimsOf())))
	require.NoError(t, err)
	require.Equal(t, "bank", user.Tenant)
	require.Equal(t, caller.HashSession("bank", "session-1"), *user.Session)
	signedIn, err := f.Assertion(context.Background(), "clinic", assertion(asserted()), testState)
	require.NoError(t, err)
	require.Equal(t, *user.Session, signedIn.Session)
}

func TestAccepted(t *testing.T) {
	at := start.Unix()
	hash := func(id string) *caller.SessionHash { h := caller.HashSession("clinic", id); return &h }
	session := caller.Caller{Tenant: "clinic", Subject: "user-1", Session: hash("session-1"), IssuedAt: start, ExpiresAt: start.Add(10 * time.Minute)}
	with := func(change func(*caller.Caller)) caller.Caller { c := session; change(&c); return c }
	for name, test := range map[string]struct {
		jwt  string
		want caller.Caller
	}{
		"session":                  {good(claimsOf()), session},
		"typ in lower case":        {headed(`{"alg":"ES256","kid":"k1","typ":"jwt"}`), session},
		"no kid, one key fits":     {headed(`{"alg":"ES256","typ":"JWT"}`), session},
		"unknown header member":    {headed(`{"alg":"ES256","kid":"k1","typ":"JWT","iss":"x","X":{"a":[1]}}`), session},
		"white space in JSON":      {good(" \n" + strings.ReplaceAll(claimsOf(), ",", "\t,\r\n") + " "), session},
		"aud a list of one":        {good(claimsOf("aud", `["`+ours+`"]`)), session},
		"aud a list":               {good(claimsOf("aud", `["https://a.example","`+ours+`"]`)), session},
		"an escaped name":          {good(strings.Replace(claimsOf(), `"iss"`, `"\u0069ss"`, 1)), session},
		"unknown claims":           {good(claimsOf("email", `"a@b"`, "x", `{"iss":"y","z":[{}]}`, "ISS", `1`)), session},
		"unknown roles":            {good(claimsOf("roles", `["doctor","Application"]`)), session},
		"no roles":                 {good(claimsOf("roles", `[]`)), session},
		"fractional exp":           {good(claimsOf("exp", fmt.Sprintf("%d.5", at+600))), with(func(c *caller.Caller) { c.ExpiresAt = start.Add(10*time.Minute + 500*time.Millisecond) })},
		"exp with an exponent":     {good(claimsOf("exp", fmt.Sprintf("%d.%de9", (at+600)/1e9, (at+600)%1e9))), session},
		"exp in a moment":          {good(claimsOf("exp", fmt.Sprintf("%d.001", at), "iat", fmt.Sprint(at-60))), with(func(c *caller.Caller) { c.IssuedAt, c.ExpiresAt = start.Add(-time.Minute), start.Add(999999) })},
		"the longest life":         {good(claimsOf("exp", fmt.Sprint(at+3600))), with(func(c *caller.Caller) { c.ExpiresAt = start.Add(time.Hour) })},
		"iat at the skew":          {good(claimsOf("iat", fmt.Sprint(at+5))), with(func(c *caller.Caller) { c.IssuedAt = start.Add(5 * time.Second) })},
		"nbf passed":               {good(claimsOf("nbf", fmt.Sprint(at-60))), session},
		"nbf at the skew":          {good(claimsOf("nbf", fmt.Sprint(at+5))), session},
		"sid of other letters":     {good(claimsOf("sid", `"ключ 🔑"`)), with(func(c *caller.Caller) { c.Session = hash("ключ 🔑") })},
		"the longest sid":          {good(claimsOf("sid", `"`+strings.Repeat("s", 1024)+`"`)), with(func(c *caller.Caller) { c.Session = hash(strings.Repeat("s", 1024)) })},
		"a surrogate pair":         {good(claimsOf("sid", `"\ud83d\udd11"`)), with(func(c *caller.Caller) { c.Session = hash("🔑") })},
		"application":              {good(claimsOf("roles", `["application"]`, "sid", "")), with(func(c *caller.Caller) { c.Session, c.Roles = nil, []string{"application"} })},
		"application, with others": {good(claimsOf("roles", `["x","application","x"]`, "sid", "")), with(func(c *caller.Caller) { c.Session, c.Roles = nil, []string{"application"} })},
		"admin":                    {good(claimsOf("roles", `["admin"]`)), with(func(c *caller.Caller) { c.Session, c.Roles = nil, []string{"admin"} })},
		"both, repeated":           {good(claimsOf("roles", `["admin","application","admin"]`)), with(func(c *caller.Caller) { c.Session, c.Roles = nil, []string{"admin", "application"} })},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			for range 2 { // verified, then cached
				c, err := f.Authenticate(bearer(test.jwt))
				require.NoError(t, err)
				require.WithinDuration(t, test.want.ExpiresAt, c.ExpiresAt, time.Millisecond)
				got := *c
				got.ExpiresAt = test.want.ExpiresAt
				require.Equal(t, test.want, got)
			}
			require.Equal(t, 1, f.seen.of(Verified))
			require.Equal(t, 1, f.seen.of(Remembered))
		})
	}
}

// TestTenantsAreApart: the same ids under two issuers are two sessions.
func TestTenantsAreApart(t *testing.T) {
	f := newFixture(t, nil)
	clinic, err := f.Authenticate(bearer(good(claimsOf())))
	require.NoError(t, err)
	bank, err := f.Authenticate(bearer(token("ES256", testKeys()["bank"], `{"alg":"ES256","kid":"b1","typ":"JWT"}`, claimsOf("iss", `"`+bankIss+`"`))))
	require.NoError(t, err)
	require.Equal(t, "bank", bank.Tenant)
	require.NotEqual(t, *clinic.Session, *bank.Session)
}

// TestSessionClaim: the configured claim alone holds the session's id.
func TestSessionClaim(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Issuers[0].SessionClaim = "session" })
	c, err := f.Authenticate(bearer(good(claimsOf("session", `"other"`))))
	require.NoError(t, err)
	require.Equal(t, caller.HashSession("clinic", "other"), *c.Session)
	_, err = f.Authenticate(bearer(good(claimsOf())))
	require.Error(t, err)
}

// TestIgnoredRoles: if the issuer's roles mean something else, they make no caller an application.
func TestIgnoredRoles(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Issuers[0].TrustRoles = false })
	c, err := f.Authenticate(bearer(good(claimsOf("roles", `["admin","application"]`))))
	require.NoError(t, err)
	require.Empty(t, c.Roles)
	require.False(t, c.IsApplication())
	require.NotNil(t, c.Session)
	_, err = f.Authenticate(bearer(good(claimsOf("roles", `["application"]`, "sid", ""))))
	require.Error(t, err, "a session needs an id")
}

func TestNewRefuses(t *testing.T) {
	changed := func(change func(*Issuer)) []Issuer {
		i := clinic()
		change(&i)
		return []Issuer{i}
	}
	for name, issuers := range map[string][]Issuer{
		"two of one iss":      {clinic(), clinic()},
		"no keys":             {{Name: "x", Issuer: "x"}},
		"garbage":             {{Name: "x", Issuer: "x", JWKS: []byte("{")}},
		"a bad expression":    changed(func(i *Issuer) { i.Claims.Roles = "a[" }),
		"a constant session":  changed(func(i *Issuer) { i.Claims.Session = "sid || 'guest'" }),
		"no refresh":          changed(func(i *Issuer) { i.JWKS, i.JWKSURL, i.Refresh = nil, "https://clinic.example", 0 }),
		"an age below":        changed(func(i *Issuer) { i.JWKS, i.JWKSURL, i.MaxAge = nil, "https://clinic.example", time.Minute }),
		"discovery, no times": changed(func(i *Issuer) { i.JWKS, i.Discovery, i.Refresh, i.MaxAge = nil, true, 0, 0 }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Issuers: issuers, Remember: 10, Observer: &outcomes{}, Logger: slog.New(slog.DiscardHandler)})
			require.Error(t, err, name)
		})
	}
}
