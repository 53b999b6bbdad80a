package credential

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/costtest"
)

// TestWorstCase limits the processor time for JWTs of the largest allowed size. Those that an issuer signed cost the most,
// because they are read completely.
func TestWorstCase(t *testing.T) {
	members := strings.TrimSuffix(claimsOf(), "}")
	// fill grows the claims as far as the limit on a JWT lets it.
	fill := func(more func(i int) string) string {
		var b strings.Builder
		for i := 0; ; i++ {
			m := more(i)
			if (len(members)+b.Len()+len(m)+2)*4/3+500 > DefaultMaxSize {
				return members + b.String() + "}"
			}
			b.WriteString(m)
		}
	}
	deep := strings.Repeat("[", maxNesting-2) + strings.Repeat("]", maxNesting-2)
	payloads := map[string]string{
		"many names":            fill(func(i int) string { return fmt.Sprintf(`,"%x":0`, i) }),
		"many names, escaped":   fill(func(i int) string { return fmt.Sprintf(`,"\u0061%x":0`, i) }),
		"many names, nested":    members + `,"x":{"":0` + strings.TrimPrefix(strings.TrimSuffix(fill(func(i int) string { return fmt.Sprintf(`,"%x":0`, i) }), "}"), members) + "}}",
		"long names, alike":     fill(func(i int) string { return fmt.Sprintf(`,"%s%x":0`, strings.Repeat("a", 100), i) }),
		"nested, over and over": members + `,"x":[0` + strings.TrimPrefix(strings.TrimSuffix(fill(func(int) string { return "," + deep }), "}"), members) + "]}",
		"one long string":       members + `,"x":"` + strings.TrimPrefix(strings.TrimSuffix(fill(func(int) string { return "a" }), "}"), members)[:10000] + `"}`,
		"one long number":       members + `,"x":1` + strings.Repeat("0", 10000) + "}",
		"a long exp":            claimsOf("exp", fmt.Sprint(start.Unix()+600)+"."+strings.Repeat("1", 10000)),
		"escapes in aud":        claimsOf("aud", `["`+ours+`","`+strings.Repeat(`\u0061`, 1700)+`"]`),
		"many of aud":           claimsOf("aud", `["`+ours+`"`+strings.Repeat(`,""`, 3500)+"]"),
		"many roles":            claimsOf("roles", `["doctor"`+strings.Repeat(`,"admin"`, 1200)+"]"),
		"a claim too many":      strings.TrimSuffix(fill(func(i int) string { return fmt.Sprintf(`,"%x":0`, i) }), "}") + `,"0":0}`,
	}
	for _, alg := range []string{"ES256", "ES512", "RS256", "PS256", "EdDSA"} {
		key := map[string]string{"ES256": "es256", "ES512": "es512", "RS256": "rsa", "PS256": "rsa", "EdDSA": "ed"}[alg]
		kid := map[string]string{"ES256": "k1", "ES512": "k5", "RS256": "k2", "PS256": "k2", "EdDSA": "k3"}[alg]
		for name, payload := range payloads {
			t.Run(name, func(t *testing.T) {
				jwt := token(alg, testKeys()[key], fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid), payload)
				require.LessOrEqual(t, len(jwt), DefaultMaxSize, name)
				require.Greater(t, len(jwt), DefaultMaxSize/2, name)
				f := newFixture(t, nil)
				var err error
				took := costtest.Of(func() {
					f.cache.InvalidateAll()
					_, err = f.Authenticate(bearer(jwt))
				})
				require.Less(t, took, costtest.Most, name)
				require.Equal(t, name == "a claim too many", err != nil, "%s: %v", name, err)
				t.Logf("%9s %s %s (%d bytes)", took, alg, name, len(jwt))
			})
		}
	}
}
