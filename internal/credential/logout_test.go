package credential

import (
	"context"
	"crypto"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/costtest"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

const (
	client       = "client-1"
	logoutEvents = `{"http://schemas.openid.net/event/backchannel-logout":{}}`
	logoutHeader = `{"alg":"ES256","kid":"k1","typ":"logout+jwt"}`
	plainHeader  = goodHeader
)

// logoutClaims are those of a logout token; edits are as for claimsOf.
func logoutClaims(edits ...string) string {
	return claimsOf(append([]string{
		"aud", `"` + client + `"`, "jti", `"j1"`, "events", logoutEvents, "exp", fmt.Sprint(start.Unix() + 120),
	}, edits...)...)
}

func logoutToken(edits ...string) string {
	return token("ES256", testKeys()["es256"], logoutHeader, logoutClaims(edits...))
}

// withLogout lets the clinic send logout tokens; the bank does not.
func withLogout(types ...string) func(*Options) {
	return func(o *Options) { o.Issuers[0].Logout = &LogoutRules{Audience: client, Types: types} }
}

func TestLogout(t *testing.T) {
	f := newFixture(t, withLogout(jose.LogoutType))
	for name, test := range map[string]struct {
		edits []string
		want  Logout
	}{
		"sid and sub":        {nil, Logout{Session: "session-1", Subject: "user-1"}},
		"sid":                {[]string{"sub", ""}, Logout{Session: "session-1"}},
		"sub":                {[]string{"sid", ""}, Logout{Subject: "user-1"}},
		"several audiences":  {[]string{"aud", `["other","` + client + `"]`}, Logout{Session: "session-1", Subject: "user-1"}},
		"further events":     {[]string{"events", `{"https://other.example":1,` + logoutEvents[1:]}, Logout{Session: "session-1", Subject: "user-1"}},
		"an event's member":  {[]string{"events", `{"http://schemas.openid.net/event/backchannel-logout":{"why":"x"}}`}, Logout{Session: "session-1", Subject: "user-1"}},
		"no exp (drafts)":    {[]string{"exp", ""}, Logout{Session: "session-1", Subject: "user-1"}},
		"a clock ahead":      {[]string{"iat", fmt.Sprint(start.Unix() + 5)}, Logout{Session: "session-1", Subject: "user-1", IssuedAt: start.Add(5 * time.Second)}},
		"roles mean nothing": {[]string{"roles", `["admin"]`}, Logout{Session: "session-1", Subject: "user-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the same token again has the same result
				got, err := f.VerifyLogout(context.Background(), logoutToken(test.edits...))
				require.NoError(t, err, name)
				test.want.Tenant = "clinic"
				if test.want.IssuedAt.IsZero() {
					test.want.IssuedAt = start
				}
				require.Equal(t, &test.want, got, name)
			}
		})
	}
	f.clock.advance(119 * time.Second)
	_, err := f.VerifyLogout(context.Background(), logoutToken("exp", ""))
	require.NoError(t, err)
	f.clock.advance(time.Second)
	for _, exp := range []string{"", fmt.Sprint(start.Unix() + 120)} {
		_, err = f.VerifyLogout(context.Background(), logoutToken("exp", exp))
		require.ErrorIs(t, err, errExpired, "two minutes later")
	}
}

// logoutAttacks are refused by issuers that accept both types.
func logoutAttacks() (list []attack) {
	add := func(name, jwt string) { list = append(list, attack{name, jwt}) }
	edits := func(name string, edits ...string) { add(name, logoutToken(edits...)) }
	headed := func(name, header string) { add(name, token("ES256", testKeys()["es256"], header, logoutClaims())) }
	at := start.Unix()

	add("a session's JWT", good(claimsOf()))
	add("a session's JWT for the client", good(claimsOf("aud", `"`+client+`"`, "jti", `"j"`)))
	add("an ID token with a nonce and the events", logoutToken("nonce", `"n"`))
	for name, v := range map[string]string{
		"missing": "", "null": "null", "a string": `"http://schemas.openid.net/event/backchannel-logout"`, "a list": `["http://schemas.openid.net/event/backchannel-logout"]`,
		"empty": "{}", "another event": `{"http://schemas.openid.net/event/other":{}}`, "in capitals": strings.ToUpper(logoutEvents),
		"an event that is null": `{"http://schemas.openid.net/event/backchannel-logout":null}`, "an event that is true": `{"http://schemas.openid.net/event/backchannel-logout":true}`,
		"an event that is a list": `{"http://schemas.openid.net/event/backchannel-logout":[]}`, "an event that is text": `{"http://schemas.openid.net/event/backchannel-logout":"{}"}`,
		"by https": `{"https://schemas.openid.net/event/backchannel-logout":{}}`, "twice": logoutEvents[:len(logoutEvents)-1] + "," + logoutEvents[1:],
	} {
		edits("events "+name, "events", v)
	}
	for _, v := range []string{`""`, "null", "false", `"x"`, "0"} {
		edits("nonce "+v, "nonce", v)
	}
	for name, v := range map[string]string{"missing": "", "null": "null", "empty": `""`, "a number": "1", "with LF": `"a\nb"`, "huge": `"` + strings.Repeat("j", 1025) + `"`} {
		edits("jti "+name, "jti", v)
	}
	edits("neither sub nor sid", "sub", "", "sid", "")
	for _, claim := range []string{"sub", "sid"} {
		for name, v := range map[string]string{"null": "null", "empty": `""`, "a number": "1", "a list": `["a"]`, "with NUL": `"a\u0000"`, "huge": `"` + strings.Repeat("s", 1025) + `"`} {
			edits(claim+" "+name, claim, v)
		}
	}
	for name, v := range map[string]string{"missing": "", "null": "null", "the gateway": `"` + ours + `"`, "another client": `"client-2"`, "longer": `"client-11"`, "empty list": "[]", "a list with null": `["` + client + `",null]`} {
		edits("aud "+name, "aud", v)
	}
	for name, v := range map[string]string{"missing": "", "unknown": `"https://evil.example"`, "the bank's": `"` + bankIss + `"`, "a list": `["` + clinicIss + `"]`} {
		edits("iss "+name, "iss", v)
	}
	for name, v := range map[string]string{"missing": "", "null": "null", "a string": fmt.Sprintf(`"%d"`, at), "ahead": fmt.Sprint(at + 6), "over the lifetime ago": fmt.Sprint(at - 3600)} {
		edits("iat "+name, "iat", v)
	}
	edits("iat long ago, no exp", "iat", fmt.Sprint(at-121), "exp", "")
	for name, v := range map[string]string{"null": "null", "now": fmt.Sprint(at), "past": fmt.Sprint(at - 1), "over the lifetime": fmt.Sprint(at + 3601), "before iat": fmt.Sprint(at - 10), "1e400": "1e400"} {
		edits("exp "+name, "exp", v)
	}
	edits("nbf ahead", "nbf", fmt.Sprint(at+6))
	for name, typ := range map[string]string{"at+jwt": `"at+jwt"`, "an assertion's": `"cloakroom-sign-in+jwt"`, "a security event's": `"secevent+jwt"`, "empty": `""`, "null": "null", "a list": `["logout+jwt"]`} {
		headed("typ "+name, `{"alg":"ES256","kid":"k1","typ":`+typ+`}`)
	}
	headed("no typ", `{"alg":"ES256","kid":"k1"}`)
	headed("alg none", `{"alg":"none","kid":"k1","typ":"logout+jwt"}`)
	headed("alg HS256", `{"alg":"HS256","kid":"k1","typ":"logout+jwt"}`)
	headed("another alg", `{"alg":"RS256","kid":"k1","typ":"logout+jwt"}`)
	headed("crit", `{"alg":"ES256","kid":"k1","typ":"logout+jwt","crit":["exp"]}`)
	headed("an unknown kid", `{"alg":"ES256","kid":"k9","typ":"logout+jwt"}`)
	headed("its own key", `{"alg":"ES256","typ":"logout+jwt","kid":"m","jwk":`+publicJWK("m", public("mallory"))+`}`)
	for name, key := range map[string]crypto.Signer{"mallory": testKeys()["mallory"], "the bank": testKeys()["bank"]} {
		add("signed by "+name, token("ES256", key, logoutHeader, logoutClaims()))
	}
	add("of a bank that sends none", token("ES256", testKeys()["bank"], `{"alg":"ES256","kid":"b1","typ":"logout+jwt"}`, logoutClaims("iss", `"`+bankIss+`"`)))
	jwt := logoutToken()
	cut := strings.LastIndexByte(jwt, '.')
	add("without a signature", jwt[:cut+1])
	add("alg none without a signature", b64([]byte(`{"alg":"none","typ":"logout+jwt"}`))+"."+b64([]byte(logoutClaims()))+".")
	add("of another token's signature", jwt[:cut+1]+strings.Split(logoutToken("sid", `"s2"`), ".")[2])
	add("padded", jwt+"==")
	add("empty", "")
	add("a repeated name", token("ES256", testKeys()["es256"], logoutHeader, `{"sid":"other",`+logoutClaims()[1:]))
	add("too deep", logoutToken("x", strings.Repeat("[", 100)+strings.Repeat("]", 100)))
	add("huge", logoutToken("x", `"`+strings.Repeat("x", 20000)+`"`))
	return list
}

func TestLogoutAttacks(t *testing.T) {
	attacks := logoutAttacks()
	require.GreaterOrEqual(t, len(attacks), 40)
	var most time.Duration
	worst := ""
	for _, types := range [][]string{{jose.LogoutType}, {jose.LogoutType, "JWT"}} {
		f := newFixture(t, withLogout(types...))
		_, err := f.VerifyLogout(context.Background(), logoutToken())
		require.NoError(t, err, "a good token is accepted")
		for _, a := range attacks {
			var got *Logout
			var err error
			took := costtest.Of(func() { got, err = f.VerifyLogout(context.Background(), a.jwt) })
			require.Error(t, err, a.name)
			require.Nil(t, got, a.name)
			require.Less(t, took, costtest.Most, a.name)
			if took > most {
				most, worst = took, a.name
			}
			for _, part := range strings.Split(a.jwt, ".") {
				if len(part) > 10 {
					require.NotContains(t, err.Error(), part, a.name)
				}
			}
			require.NotContains(t, err.Error(), "session-1", a.name)
		}
	}
	t.Logf("%d attacks; the most processor time was %s, of %s", len(attacks), most, worst)
}

// TestLogoutTokensAreNoCredentials: a logout token is never a credential, whatever its typ and its other claims; a token
// with a credential's typ is a logout token only if the settings of the issuer allow that typ.
func TestLogoutTokensAreNoCredentials(t *testing.T) {
	both := logoutClaims("aud", `["`+client+`","`+ours+`"]`)
	typed := map[string]string{"logout+jwt": token("ES256", testKeys()["es256"], logoutHeader, both), "JWT": token("ES256", testKeys()["es256"], plainHeader, both)}
	for _, types := range [][]string{{jose.LogoutType}, {jose.LogoutType, "JWT"}} {
		f := newFixture(t, withLogout(types...))
		for typ, jwt := range typed {
			t.Run(typ, func(t *testing.T) {
				_, err := f.Authenticate(bearer(jwt))
				require.Error(t, err, typ)
				_, err = f.VerifyLogout(context.Background(), jwt)
				require.Equal(t, typ == "JWT" && len(types) == 1, err != nil, typ)
			})
		}
		_, err := f.Authenticate(bearer(good(claimsOf("aud", `["`+client+`","`+ours+`"]`, "jti", `"j"`))))
		require.NoError(t, err)
		_, err = f.VerifyLogout(context.Background(), good(claimsOf("aud", `["`+client+`","`+ours+`"]`, "jti", `"j"`)))
		require.Error(t, err)
	}
}

// TestLogoutTokensAreRefusedByDefault: without LogoutRules, logout tokens are refused.
func TestLogoutTokensAreRefusedByDefault(t *testing.T) {
	f := newFixture(t, nil)
	_, err := f.VerifyLogout(context.Background(), logoutToken("aud", `"`+ours+`"`))
	require.Error(t, err)
}

// FuzzLogout: never panics, and accepts only the signed token.
func FuzzLogout(f *testing.F) {
	for _, a := range logoutAttacks() {
		if len(a.jwt) < 4096 {
			f.Add(a.jwt)
		}
	}
	signed := token("EdDSA", testKeys()["ed"], `{"alg":"EdDSA","kid":"k3","typ":"logout+jwt"}`, logoutClaims())
	f.Add(signed)
	fix := newFixture(f, func(o *Options) {
		o.Issuers[0].Algorithms = []string{"EdDSA"}
		withLogout(jose.LogoutType, "JWT")(o)
	})
	f.Fuzz(func(t *testing.T, jwt string) {
		l, err := fix.VerifyLogout(context.Background(), jwt)
		if jwt == signed {
			require.NoError(t, err)
			return
		}
		require.Error(t, err)
		require.Nil(t, l)
	})
}

// FuzzLogoutClaims: signed claims of any form name a session or a subject, or are refused.
func FuzzLogoutClaims(f *testing.F) {
	f.Add(logoutClaims())
	f.Add(logoutClaims("sid", ""))
	f.Add(logoutClaims("exp", "1e400", "nonce", "null"))
	i := clinic()
	i.Logout = &LogoutRules{Audience: client, Types: []string{jose.LogoutType}}
	f.Fuzz(func(t *testing.T, payload string) {
		o, err := decodeObject([]byte(payload))
		if err != nil {
			return
		}
		l, err := i.checkLogout(o, start)
		if err != nil {
			require.Nil(t, l)
			return
		}
		require.True(t, validID(l.Session) || l.Session == "" && validID(l.Subject))
		require.False(t, l.IssuedAt.After(start.Add(i.ClockSkew)))
		require.NotContains(t, o, "nonce")
	})
}
