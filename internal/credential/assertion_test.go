package credential

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

const (
	testState       = "a-state-that-the-gateway-has-sealed"
	assertionHeader = `{"alg":"ES256","kid":"k1","typ":"` + jose.AssertionType + `"}`
)

// asserted returns the claims of an assertion, with edits as for claimsOf.
func asserted(edits ...string) string {
	return claimsOf(append([]string{"exp", fmt.Sprint(start.Unix() + 60), "jti", `"j1"`, "s_hash", `"` + stateHash(testState) + `"`}, edits...)...)
}

func assertion(payload string) string {
	return token("ES256", testKeys()["es256"], assertionHeader, payload)
}

func TestStateHash(t *testing.T) {
	// FAPI 1.0 Part 2, section 5.1: the left half of the hash, computed here with sha256sum and base64.
	require.Equal(t, "ungWv48Bz-pBQUDeXa4iIw", stateHash("abc"))
}

func TestAssertionAccepted(t *testing.T) {
	f := newFixture(t, nil)
	ends := start.Add(90 * time.Second)
	for name, test := range map[string]struct {
		jws  string
		ends *time.Time
	}{
		"plain":                {assertion(asserted()), nil},
		"session_exp":          {assertion(asserted("session_exp", fmt.Sprint(ends.Unix()))), &ends},
		"another claim":        {assertion(asserted("x", `{"a":[1]}`)), nil},
		"typ in another case":  {token("ES256", testKeys()["es256"], strings.Replace(assertionHeader, "cloakroom-s", "Cloakroom-S", 1), asserted()), nil},
		"five minutes to live": {assertion(asserted("exp", fmt.Sprint(start.Unix()+300))), nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := f.Assertion(context.Background(), "clinic", test.jws, testState)
			require.NoError(t, err, name)
			require.True(t, f.Holds(context.Background(), "clinic", a.Key))
			require.False(t, f.Holds(context.Background(), "bank", a.Key), "the key is another issuer's")
			a.Key = Thumbprint{}
			require.Equal(t, &Assertion{Subject: "user-1", Session: caller.HashSession("clinic", "session-1"), IssuedAt: start, SessionExpires: test.ends}, a, name)
		})
	}
	require.Zero(t, f.seen.of(Verified), "an assertion is no credential of a request")
}

func TestAssertionRefused(t *testing.T) {
	f := newFixture(t, nil)
	at := start.Unix()
	for name, jws := range map[string]string{
		"a session's JWT":        good(asserted()),
		"typ JWT":                token("ES256", testKeys()["es256"], goodHeader, asserted()),
		"no typ":                 token("ES256", testKeys()["es256"], `{"alg":"ES256","kid":"k1"}`, asserted()),
		"typ application/…":      token("ES256", testKeys()["es256"], `{"alg":"ES256","kid":"k1","typ":"application/cloakroom-sign-in+jwt"}`, asserted()),
		"alg none":               b64([]byte(`{"alg":"none","typ":"`+jose.AssertionType+`"}`)) + "." + b64([]byte(asserted())) + ".AAAA",
		"HS256":                  token("ES256", testKeys()["es256"], strings.Replace(assertionHeader, "ES256", "HS256", 1), asserted()),
		"another's key":          token("ES256", testKeys()["mallory"], assertionHeader, asserted()),
		"the bank's, by iss":     assertion(asserted("iss", `"`+bankIss+`"`)),
		"the bank's, by key":     token("ES256", testKeys()["bank"], `{"alg":"ES256","kid":"b1","typ":"`+jose.AssertionType+`"}`, asserted("iss", `"`+bankIss+`"`)),
		"the bank's key, our is": token("ES256", testKeys()["bank"], `{"alg":"ES256","kid":"b1","typ":"`+jose.AssertionType+`"}`, asserted()),
		"no iss":                 assertion(asserted("iss", "")),
		"aud of another":         assertion(asserted("aud", `"https://other.example"`)),
		"no aud":                 assertion(asserted("aud", "")),
		"no sub":                 assertion(asserted("sub", "")),
		"no sid":                 assertion(asserted("sid", "")),
		"empty sid":              assertion(asserted("sid", `""`)),
		"no iat":                 assertion(asserted("iat", "")),
		"no exp":                 assertion(asserted("exp", "")),
		"no jti":                 assertion(asserted("jti", "")),
		"jti a number":           assertion(asserted("jti", "1")),
		"expired":                assertion(asserted("iat", fmt.Sprint(at-60), "exp", fmt.Sprint(at))),
		"issued in the future":   assertion(asserted("iat", fmt.Sprint(at+30), "exp", fmt.Sprint(at+60))),
		"not before":             assertion(asserted("nbf", fmt.Sprint(at+30))),
		"too long a life":        assertion(asserted("exp", fmt.Sprint(at+301))),
		"no s_hash":              assertion(asserted("s_hash", "")),
		"s_hash of another":      assertion(asserted("s_hash", `"`+stateHash("other")+`"`)),
		"s_hash whole":           assertion(asserted("s_hash", `"`+testState+`"`)),
		"s_hash padded":          assertion(asserted("s_hash", `"`+stateHash(testState)+`=="`)),
		"s_hash null":            assertion(asserted("s_hash", "null")),
		"s_hash twice":           assertion(strings.TrimSuffix(asserted(), "}") + `,"s_hash":"` + stateHash(testState) + `"}`),
		"roles":                  assertion(asserted("roles", `["application"]`)),
		"roles admin":            assertion(asserted("roles", `["admin"]`)),
		"unknown roles":          assertion(asserted("roles", `["clerk"]`)),
		"roles empty":            assertion(asserted("roles", `[]`)),
		"roles null":             assertion(asserted("roles", `null`)),
		"session is over":        assertion(asserted("session_exp", fmt.Sprint(at))),
		"session_exp text":       assertion(asserted("session_exp", `"soon"`)),
		"session_exp null":       assertion(asserted("session_exp", "null")),
		"session_exp negative":   assertion(asserted("session_exp", "-1")),
		"crit":                   token("ES256", testKeys()["es256"], `{"alg":"ES256","kid":"k1","crit":["x"],"typ":"`+jose.AssertionType+`"}`, asserted()),
		"empty":                  "", "dots": "..", "huge": strings.Repeat("A", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := f.Assertion(context.Background(), "clinic", jws, testState)
			require.Error(t, err, name)
			require.Nil(t, a, name)
		})
	}
	right := assertion(asserted())
	for _, name := range []string{"", "bank", "Clinic", clinicIss, "nobody"} {
		_, err := f.Assertion(context.Background(), name, right, testState)
		require.Error(t, err, "as %q", name)
	}
	_, err := f.Assertion(context.Background(), "clinic", right, testState+"x")
	require.Error(t, err, "for another state")
	c, err := f.Authenticate(bearer(right))
	require.Nil(t, c)
	require.Equal(t, fault.Unauthenticated, fault.Public(err).Code, "an assertion is no bearer token")
	ignoring := newFixture(t, func(o *Options) { o.Issuers[0].TrustRoles = false })
	_, err = ignoring.Assertion(context.Background(), "clinic", assertion(asserted("roles", `["application"]`)), testState)
	require.Error(t, err, "roles are refused even where they mean nothing")
}

// TestHoldsEndsWithTheKey: Holds is false for a withdrawn key after the next refresh, and for any key once the keys are too
// old; a new key is found when it is first asked for.
func TestHoldsEndsWithTheKey(t *testing.T) {
	s := newIssuerServer(t, serveKeys(oldKeys()))
	holds := func(key Thumbprint) bool { return s.fixture.Holds(context.Background(), "clinic", key) }
	thumbprint := func(set []byte) Thumbprint {
		ks, err := jose.ParseSet(set)
		require.NoError(t, err)
		return ks.Keys()[0].Thumbprint
	}
	before, after := thumbprint(oldKeys()), thumbprint(newKeys())
	require.True(t, holds(before), "fetched when first needed, as after a start")
	require.False(t, holds(after))
	s.now(serveKeys(newKeys()))
	require.False(t, holds(after), "the issuer was asked less than ten seconds ago")
	s.fixture.clock.advance(refreshAtMost)
	require.True(t, holds(after))
	require.False(t, holds(before))
	s.now(status(http.StatusInternalServerError))
	s.fixture.clock.advance(2 * time.Hour)
	require.False(t, holds(after), "the keys are too old")
}
