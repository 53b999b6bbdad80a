package credential

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func seeds(f *testing.F) {
	for _, list := range [][]attack{algorithmAttacks(), headerAttacks("http://127.0.0.1:1"), signatureAttacks(), encodingAttacks(), claimAttacks("http://127.0.0.1:1")} {
		for i, a := range list {
			if i%8 == 0 && len(a.jwt) < 4096 {
				f.Add(a.jwt)
			}
		}
	}
	f.Add(good(claimsOf()))
}

// FuzzSplit: an accepted JWT has one encoding, and its payload is the signed one.
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, jwt string) {
		p, err := split(jwt)
		if err != nil {
			require.ErrorIs(t, err, errMalformed)
			return
		}
		segments := strings.Split(jwt, ".")
		require.Len(t, segments, 3)
		require.Equal(t, segments[1], b64(p.payload))
		header := mustB64(segments[0])
		require.Equal(t, segments[0], b64(header))
		var alone map[string]any
		require.NoError(t, json.Unmarshal(header, &alone))
		require.Equal(t, p.header.alg, alone["alg"])
	})
}

// FuzzAuthenticate: never panics, and accepts only the signed JWT. EdDSA has one signature for each key and message, so no
// other text may pass.
func FuzzAuthenticate(f *testing.F) {
	seeds(f)
	signed := token("EdDSA", testKeys()["ed"], `{"alg":"EdDSA","kid":"k3","typ":"JWT"}`, claimsOf())
	f.Add("Bearer " + signed)
	fix := newFixture(f, func(o *Options) { o.Issuers[0].Algorithms = []string{"EdDSA"} })
	f.Fuzz(func(t *testing.T, value string) {
		for _, authorization := range []string{value, "Bearer " + value} {
			c, err := fix.Authenticate(request(authorization))
			scheme, jwt, _ := strings.Cut(authorization, " ")
			if strings.EqualFold(scheme, "Bearer") && jwt == signed {
				require.NoError(t, err)
				continue
			}
			require.Error(t, err)
			require.Nil(t, c)
		}
	})
}

// FuzzClaims: signed claims of any form give a caller with every part in place, or a refusal.
func FuzzClaims(f *testing.F) {
	f.Add(claimsOf())
	f.Add(claimsOf("roles", `["application"]`))
	f.Add(claimsOf("aud", `["`+ours+`"]`, "nbf", "1.5e9"))
	f.Add(claimsOf("exp", "1e400"))
	i := newFixture(f, nil).issuers[clinicIss]
	f.Fuzz(func(t *testing.T, payload string) {
		o, err := decodeObject([]byte(payload))
		if err != nil {
			return
		}
		c, err := i.check(&rules{}, o, start)
		if err != nil {
			require.Nil(t, c)
			return
		}
		require.True(t, validID(c.Subject))
		require.True(t, c.ExpiresAt.After(start) && c.ExpiresAt.Sub(start) <= i.MaxLifetime+i.ClockSkew)
		require.Equal(t, c.IsApplication(), c.Session == nil)
		require.Equal(t, "clinic", c.Tenant)
	})
}
