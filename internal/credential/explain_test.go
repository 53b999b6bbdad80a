package credential

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func failed(explanation *Explanation) (all []Reason) {
	for _, c := range explanation.Checks {
		if c.Err != nil {
			all = append(all, c.Reason)
		}
	}
	return all
}

// TestExplain: it reports every broken rule, not only the first, as far as the signature allows.
func TestExplain(t *testing.T) {
	for name, test := range map[string]struct {
		jwt    string
		issuer string
		want   []Reason
	}{
		"a good one":                {good(claimsOf()), "clinic", nil},
		"an application's":          {good(claimsOf("roles", `["application"]`, "sid", "")), "clinic", nil},
		"an unknown issuer's":       {good(claimsOf("iss", `"https://stranger.example"`, "aud", `"x"`)), "", []Reason{ReasonIssuer}},
		"several broken rules":      {good(claimsOf("aud", `"x"`, "exp", fmt.Sprint(start.Unix()+7200), "sid", "", "sub", "")), "clinic", []Reason{ReasonAudience, ReasonLifetime, ReasonSubject, ReasonSession}},
		"header and claims":         {headed(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`), "clinic", []Reason{ReasonType}},
		"without times":             {good(claimsOf("exp", "")), "clinic", []Reason{ReasonTimes}},
		"an unknown key":            {headed(`{"alg":"ES256","kid":"k9","typ":"JWT"}`), "clinic", []Reason{ReasonKey}},
		"forged":                    {token("ES256", testKeys()["mallory"], goodHeader, claimsOf("aud", `"x"`, "sid", "")), "clinic", []Reason{ReasonSignature, ReasonAudience}},
		"claims of the wrong types": {good(claimsOf("aud", `1`)), "clinic", []Reason{ReasonClaims}},
		"no JWT":                    {"abc", "", []Reason{ReasonForm}},
		"empty":                     {"", "", []Reason{ReasonForm}},
		"huge":                      {strings.Repeat("A", DefaultMaxSize+1), "", []Reason{ReasonSize}},
		"an event":                  {good(claimsOf("events", `{}`)), "clinic", []Reason{ReasonEvents}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			explanation := f.Explain(t.Context(), test.jwt)
			require.Equal(t, test.want, failed(explanation))
			require.Equal(t, test.issuer, explanation.Issuer)
			require.Equal(t, test.want == nil, explanation.Caller != nil)
			_, err := f.Authenticate(bearer(test.jwt))
			if test.jwt != "" {
				require.Equal(t, test.want == nil, err == nil, "Authenticate says the same")
			}
			for _, part := range strings.Split(test.jwt, ".") {
				if len(part) > 3 {
					require.NotContains(t, fmt.Sprint(explanation.Checks), part)
				}
			}
			require.Zero(t, f.seen.of(Verified)-map[bool]int{true: 1}[test.want == nil])
		})
	}
}

// FuzzExplain: Explain agrees with Authenticate on every input.
func FuzzExplain(f *testing.F) {
	seeds(f)
	fix := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, jwt string) {
		explanation := fix.Explain(t.Context(), jwt)
		_, err := fix.bearer((&http.Request{}).WithContext(t.Context()), jwt)
		require.Equal(t, err == nil, explanation.Caller != nil)
		require.Equal(t, err == nil, len(failed(explanation)) == 0)
	})
}

// TestAsk: it returns the keys that an issuer publishes, and by how much its clock differs.
func TestAsk(t *testing.T) {
	set := jwks(publicJWK("k1", public("es256")), `{"kty":"AKP","kid":"pq","alg":"ML-DSA-44","pub":"AA"}`)
	s := newIssuerServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", start.Add(90e9).Format(http.TimeFormat))
		_, _ = w.Write(set)
	})
	answers := s.fixture.Ask(t.Context())
	require.NotEmpty(t, answers)
	a := answers[len(answers)-1]
	for _, one := range answers {
		if one.Issuer == "clinic" {
			a = one
		}
	}
	require.NoError(t, a.Err)
	require.Equal(t, []string{`"k1" for ES256`}, a.Keys)
	require.Len(t, a.Unused, 1)
	require.Contains(t, a.Unsignable, "RS256")
	require.True(t, a.Clocked)
	require.Equal(t, "1m30s", a.Ahead.String())
	s.now(status(http.StatusNotFound))
	for _, one := range s.fixture.Ask(t.Context()) {
		require.Equal(t, one.Issuer == "clinic", one.Err != nil)
	}
}
