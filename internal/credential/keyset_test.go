package credential

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestUnknownKeyTypesAreSkipped: if an issuer adds a key of an unknown type, JWTs under its other keys are accepted as
// before, and one log line names the unused key, however often the set is fetched.
func TestUnknownKeyTypesAreSkipped(t *testing.T) {
	const akp = `{"kty":"AKP","kid":"pq-1","alg":"ML-DSA-44","use":"sig","pub":"AAAA"}`
	known := publicJWK("k1", public("es256"))
	s := newIssuerServer(t, serveKeys(jwks(known)))
	log := &lines{}
	s.fixture.issuers[clinicIss].source.log = logTo(log)
	authenticate := func() error {
		_, err := s.fixture.Authenticate(bearer(good(claimsOf("iat", fmt.Sprint(s.fixture.clock.now().Unix()), "exp", fmt.Sprint(s.fixture.clock.now().Unix()+600)))))
		return err
	}
	require.NoError(t, authenticate())
	s.now(serveKeys(jwks(akp, known)))
	for range 20 {
		s.fixture.clock.advance(maxStale + 1) // the keys fetched before are too old by then
		require.NoError(t, authenticate())
	}
	all := log.read(t)
	require.Len(t, all, 1)
	require.Contains(t, all[0]["key"], `key "pq-1": of an unknown kty ("AKP")`)
}

// TestKeysThatAreNotKnownYet: while the issuer's keys are not known, a session is told to try again, because signing in again does not
// help.
func TestKeysThatAreNotKnownYet(t *testing.T) {
	s := newIssuerServer(t, status(http.StatusBadGateway))
	_, err := s.fixture.Authenticate(bearer(good(claimsOf())))
	require.Equal(t, fault.Unavailable, fault.Public(err).Code)
	require.Contains(t, fault.Public(err).Message, "try again")
	s.now(serveKeys(jwks(publicJWK("k1", public("es256")))))
	s.fixture.clock.advance(refreshAtMost)
	_, err = s.fixture.Authenticate(bearer(good(claimsOf())))
	require.NoError(t, err)
}

// TestUnusedKeysDoNotFillTheLog: an issuer that changes the names of unused keys in each answer can't fill the log.
func TestUnusedKeysDoNotFillTheLog(t *testing.T) {
	n := 0
	s := newIssuerServer(t, func(w http.ResponseWriter, _ *http.Request) {
		members := []string{publicJWK("k1", public("es256"))}
		for range 50 {
			n++
			members = append(members, fmt.Sprintf(`{"kty":"X%d","kid":"%s%d"}`, n, strings.Repeat("k", 10_000), n))
		}
		_, _ = w.Write(jwks(members...))
	})
	log := &lines{}
	s.fixture.issuers[clinicIss].source.log = logTo(log)
	for range 5 {
		s.fixture.Ask(t.Context())
	}
	all := log.read(t)
	require.Len(t, all, maxLogged)
	require.Equal(t, true, all[maxLogged-1]["last_logged"])
	for _, line := range all {
		require.Less(t, len(line["key"].(string)), 300)
	}
}

// TestEd25519: if either name is allowed, both are accepted, in the header and in the key (RFC 9864, section 2.2).
func TestEd25519(t *testing.T) {
	for _, allowed := range []string{"EdDSA", "Ed25519"} {
		for _, header := range []string{"EdDSA", "Ed25519"} {
			for _, key := range []string{"", `"alg":"EdDSA"`, `"alg":"Ed25519"`} {
				t.Run(allowed+" "+header+" "+key, func(t *testing.T) {
					more := []string{key}
					if key == "" {
						more = nil
					}
					f := newFixture(t, func(o *Options) {
						o.Issuers[0].Algorithms, o.Issuers[0].JWKS = []string{allowed}, jwks(publicJWK("k3", public("ed"), more...))
					})
					_, err := f.Authenticate(bearer(token(header, testKeys()["ed"], fmt.Sprintf(`{"alg":%q,"kid":"k3","typ":"JWT"}`, header), claimsOf())))
					require.NoError(t, err)
				})
			}
		}
	}
}
