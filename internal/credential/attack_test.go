package credential

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/costtest"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestAttacks sends every attack to issuers with fixed keys and to one with a JWKS URL. Each must be
// refused as UNAUTHENTICATED, for little processor time, and no URL but the configured one may be asked.
func TestAttacks(t *testing.T) {
	var trapped, asked atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		trapped.Add(1)
		_, _ = w.Write(jwks(publicJWK("k1", public("mallory")), publicJWK("m1", public("mallory"))))
	}))
	defer trap.Close()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/jwks.json" {
			trapped.Add(1)
		}
		_, _ = w.Write(clinic().JWKS)
	}))
	defer issuer.Close()

	groups := map[string][]attack{
		"algorithms": algorithmAttacks(), "headers": headerAttacks(trap.URL), "signatures": signatureAttacks(),
		"encodings": encodingAttacks(), "claims": claimAttacks(trap.URL),
	}
	fixed := newFixture(t, nil)
	fetching := newFixture(t, func(o *Options) {
		i := clinic()
		i.JWKS, i.JWKSURL = nil, issuer.URL+"/jwks.json"
		o.Issuers = []Issuer{i, bank()}
	})
	for _, f := range []*fixture{fixed, fetching} { // a good JWT is accepted
		_, err := f.Authenticate(bearer(good(claimsOf())))
		require.NoError(t, err)
	}
	cases := 0
	sent := map[*fixture]int{} // some more than once, to measure them
	var most time.Duration
	worst := ""
	for group, attacks := range groups {
		for _, a := range attacks {
			cases++
			t.Run(group+"/"+a.name, func(t *testing.T) {
				for _, f := range []*fixture{fixed, fetching} {
					r, refused := bearer(a.jwt), 0
					took := costtest.Of(func() {
						c, err := f.Authenticate(r)
						require.Nil(t, c)
						require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
						refused++
					})
					require.Less(t, took, costtest.Most)
					if took > most {
						most, worst = took, group+"/"+a.name
					}
					sent[f] += refused
				}
			})
		}
	}
	t.Logf("%d attacks; the most processor time was %s, of %s", cases, most, worst)
	require.GreaterOrEqual(t, cases, 120)
	require.Zero(t, trapped.Load(), "a URL of the attacker's was asked")
	require.EqualValues(t, 1, asked.Load(), "the clock stands still, so the issuer is asked once")
	require.Equal(t, sent[fixed], fixed.seen.of(Refused))
}

func TestAuthorizationHeaders(t *testing.T) {
	jwt := good(claimsOf())
	f := newFixture(t, nil)
	for name, values := range map[string][]string{
		"empty": {""}, "Basic": {"Basic dTpw"}, "Basic with the JWT": {"Basic " + jwt}, "no scheme": {jwt}, "scheme alone": {"Bearer"},
		"scheme and a space": {"Bearer "}, "two spaces": {"Bearer  " + jwt}, "a tab": {"Bearer\t" + jwt}, "a space before": {" Bearer " + jwt},
		"a space after": {"Bearer " + jwt + " "}, "two headers": {"Bearer " + jwt, "Bearer " + jwt}, "a good one first": {"Bearer " + jwt, "Basic dTpw"},
		"a good one last": {"Basic dTpw", "Bearer " + jwt}, "list": {"Bearer " + jwt + ", Basic dTpw"}, "list of two": {"Bearer " + jwt + ",Bearer " + jwt},
		"auth-param": {`Bearer token="` + jwt + `"`}, "DPoP": {"DPoP " + jwt}, "Bearer:": {"Bearer: " + jwt}, "NUL": {"Bearer " + jwt + "\x00"},
		"kelvin sign": {"Bearer\u212a " + jwt},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := f.Authenticate(request(values...))
			require.Nil(t, c)
			require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
		})
	}
	for _, scheme := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
		c, err := f.Authenticate(request(scheme + " " + jwt))
		require.NoError(t, err, scheme)
		require.Equal(t, "clinic", c.Tenant)
	}
	c, err := f.Authenticate(request())
	require.NoError(t, err, "no credentials is no fault")
	require.Nil(t, c)
}

// TestRefusalsRevealNothing: the message is one of a closed set, and holds no part of the credential. If the signature does
// not verify, the only reason told is an unknown issuer.
func TestRefusalsRevealNothing(t *testing.T) {
	f := newFixture(t, nil)
	for _, a := range claimAttacks("http://127.0.0.1:1") {
		_, err := f.Authenticate(bearer(a.jwt))
		message := fault.Public(err).Message
		require.True(t, message == notAccepted || slices.Contains(slices.Collect(maps.Values(messages)), message), message)
		require.NotContains(t, err.Error(), a.jwt)
	}
	for _, a := range slices.Concat(signatureAttacks(), algorithmAttacks(), headerAttacks("http://127.0.0.1:1")) {
		_, err := f.Authenticate(bearer(a.jwt))
		require.Equal(t, notAccepted, fault.Public(err).Message, a.name)
		require.NotContains(t, err.Error(), a.jwt)
	}
	stranger := token("ES256", testKeys()["mallory"], goodHeader, claimsOf("iss", `"https://stranger.example"`))
	_, err := f.Authenticate(bearer(stranger))
	require.Equal(t, messages[ReasonIssuer], fault.Public(err).Message)
	forged := token("ES256", testKeys()["mallory"], goodHeader, claimsOf("aud", `"https://other.example"`))
	_, err = f.Authenticate(bearer(forged))
	require.Equal(t, notAccepted, fault.Public(err).Message, "later checks are not told if the signature does not verify")
}
