package credential

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

func mappedFixture(t testing.TB, c Claims) *fixture {
	return newFixture(t, func(o *Options) { o.Issuers[0].Claims = c })
}

// TestMapping: session, subject and roles are found by the configured expressions.
func TestMapping(t *testing.T) {
	f := mappedFixture(t, Claims{
		Session: "ext.session.id", Subject: `"https://idp.example/user"`, Roles: "realm_access.roles[?@=='vault-client'] && ['application']",
	})
	jwt := good(claimsOf("sub", "", "sid", `"not this"`, "roles", `["admin"]`, "https://idp.example/user", `"ann"`, "ext", `{"session":{"id":"s-9"}}`))
	for range 2 {
		c, err := f.Authenticate(bearer(jwt))
		require.NoError(t, err)
		require.Equal(t, "ann", c.Subject)
		require.Equal(t, caller.HashSession("clinic", "s-9"), *c.Session)
		require.Empty(t, c.Roles, "the claim roles is not read")
	}
	c, err := f.Authenticate(bearer(good(claimsOf("https://idp.example/user", `"batch"`, "realm_access", `{"roles":["x","vault-client"]}`))))
	require.NoError(t, err)
	require.True(t, c.IsApplication())
	require.Nil(t, c.Session)
}

// TestMappingRefuses: session and subject must be one valid string, and roles one string or a list of strings, even if the
// signature verifies.
func TestMappingRefuses(t *testing.T) {
	f := mappedFixture(t, Claims{Session: "ext.sid", Subject: "ext.sub", Roles: "ext.roles"})
	ext := func(sid, sub, roles string) string {
		return good(claimsOf("ext", fmt.Sprintf(`{"sid":%s,"sub":%s,"roles":%s}`, sid, sub, roles)))
	}
	_, err := f.Authenticate(bearer(ext(`"s"`, `"u"`, `["x"]`)))
	require.NoError(t, err)
	_, err = f.Authenticate(bearer(ext(`"s"`, `"u"`, `"x"`)))
	require.NoError(t, err)
	for _, bad := range []string{
		`null`, `1`, `true`, `[]`, `["s"]`, `{}`, `{"a":"b"}`, `""`, `"\u0000"`, `"\ud800"`, `"a\nb"`, `"null"`, `"<no value>"`, `"(null)"`, `"-"`, `"undefined"`,
		`"` + strings.Repeat("x", maxID+1) + `"`,
	} {
		_, err := f.Authenticate(bearer(ext(bad, `"u"`, `[]`)))
		require.Error(t, err, "session %s", bad)
		_, err = f.Authenticate(bearer(ext(`"s"`, bad, `[]`)))
		require.Error(t, err, "subject %s", bad)
	}
	for _, bad := range []string{`1`, `true`, `{}`, `[1]`, `["application",1]`, `[null]`, `[["application"]]`, `{"admin":true}`} {
		_, err := f.Authenticate(bearer(ext(`"s"`, `"u"`, bad)))
		require.Error(t, err, "roles %s", bad)
	}
	_, err = f.Authenticate(bearer(good(claimsOf())))
	require.Error(t, err, "the default claims don't replace missing ones")
	_, err = f.Authenticate(bearer(good(claimsOf("ext", `{"sid":"s","sub":"u"}`, "n", "1e999"))))
	require.Error(t, err, "an invalid number")
}

// TestMappingOfLargeNumbers: large numbers that differ by one are different.
func TestMappingOfLargeNumbers(t *testing.T) {
	f := mappedFixture(t, Claims{Roles: "groups[?id==`9007199254740991`] && ['application']"})
	for id, application := range map[string]bool{"9007199254740991": true, "9007199254740992": false, "9007199254740991.1": false, "9007199254740990": false} {
		t.Run(id, func(t *testing.T) {
			c, err := f.Authenticate(bearer(good(claimsOf("groups", `[{"id":`+id+`}]`))))
			require.NoError(t, err, id)
			require.Equal(t, application, c.IsApplication(), id)
		})
	}
	_, err := New(Options{Issuers: []Issuer{{Name: "clinic", Issuer: "x", Claims: Claims{Roles: "groups[?id==`12345678901234567890`] && ['application']"}}}})
	require.ErrorContains(t, err, "2^53")
}

// TestMappingOfUnverifiedClaims: no expression sees claims whose signature does not verify.
func TestMappingOfUnverifiedClaims(t *testing.T) {
	f := mappedFixture(t, Claims{Session: "ext.sid"})
	_, err := f.Authenticate(bearer(token("ES256", testKeys()["mallory"], goodHeader, claimsOf("ext", `{"sid":1}`))))
	require.ErrorContains(t, err, "signature")
}

// TestPlaceholdersAreRefused: what templates write for a missing value is refused as a session in the default claim too.
func TestPlaceholdersAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	for _, sid := range []string{"<no value>", "null", "NULL", "(null)", "None", "undefined", "-"} {
		_, err := f.Authenticate(bearer(good(claimsOf("sid", fmt.Sprintf("%q", sid)))))
		require.Error(t, err, sid)
	}
}

// TestTypes: only the issuer's types are accepted, in any case; an empty one accepts a JWT without typ.
func TestTypes(t *testing.T) {
	for _, test := range []struct {
		types    []string
		header   string
		accepted bool
	}{
		{[]string{"at+jwt"}, `,"typ":"at+jwt"`, true}, {[]string{"at+jwt"}, `,"typ":"AT+JWT"`, true}, {[]string{"at+jwt"}, `,"typ":"JWT"`, false},
		{[]string{"at+jwt"}, ``, false}, {[]string{"JWT", "at+jwt"}, `,"typ":"at+jwt"`, true}, {[]string{"JWT", "at+jwt"}, `,"typ":"JWT"`, true},
		{[]string{"JWT", ""}, ``, true}, {[]string{""}, ``, true}, {[]string{""}, `,"typ":"JWT"`, false}, {[]string{"JWT", ""}, `,"typ":""`, false},
		{[]string{"JWT", ""}, `,"typ":null`, false}, {[]string{"JWT", ""}, `,"typ":"logout+jwt"`, false}, {[]string{"JWT", ""}, `,"typ":"cloakroom-sign-in+jwt"`, false},
		{[]string{"at+jwt"}, `,"typ":"application/at+jwt"`, false}, {nil, ``, false}, {nil, `,"typ":"JWT"`, false},
	} {
		f := newFixture(t, func(o *Options) { o.Issuers[0].Types = test.types })
		_, err := f.Authenticate(bearer(headed(`{"alg":"ES256","kid":"k1"` + test.header + `}`)))
		require.Equal(t, test.accepted, err == nil, "%q, %s", test.types, test.header)
	}
}
