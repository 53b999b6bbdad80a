package credential

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

func logTo(l *lines) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// lines is a log at WARN.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) read(t testing.TB) (all []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		all = append(all, record)
	}
	l.b.Reset()
	return all
}

func loggedFixture(t testing.TB, change func(*Options)) (*fixture, *lines) {
	log := &lines{}
	return newFixture(t, func(o *Options) {
		o.Logger = logTo(log)
		if change != nil {
			change(o)
		}
	}), log
}

// TestRefusalsAreLogged: a refusal is logged with its reason, the expected and the given value; the client gets what it may
// know.
func TestRefusalsAreLogged(t *testing.T) {
	mallory := token("ES256", testKeys()["mallory"], goodHeader, claimsOf())
	for name, test := range map[string]struct {
		jwt                     string
		reason, expected, given string
		message                 string
	}{
		"another issuer":      {good(claimsOf("iss", `"https://stranger.example"`)), "iss", clinicIss, `"https://stranger.example"`, "issuer of the JWT"},
		"a slash too many":    {good(claimsOf("iss", `"`+clinicIss+`/"`)), "iss", clinicIss, `"` + clinicIss + `/"`, "issuer of the JWT"},
		"another audience":    {good(claimsOf("aud", `["https://a.example","b"]`)), "aud", `"` + ours + `"`, `"https://a.example", "b"`, "made for somebody else"},
		"another typ":         {headed(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`), "typ", `"JWT"`, `"at+jwt"`, "sign in again"},
		"another alg":         {token("RS384", testKeys()["rsa"], `{"alg":"RS384","kid":"k2","typ":"JWT"}`, claimsOf()), "alg", `"RS256"`, `"RS384"`, "sign in again"},
		"another kid":         {headed(`{"alg":"ES256","kid":"k9","typ":"JWT"}`), "kid", `"k1"`, `"k9"`, "sign in again"},
		"another signer":      {mallory, "signature", "the issuer's key", "", "sign in again"},
		"from the future":     {good(claimsOf("iat", fmt.Sprint(start.Unix()+60))), "iat, nbf", "5s", "2026-05-04T10:01:00Z", "compare the clocks"},
		"too long a life":     {good(claimsOf("exp", fmt.Sprint(start.Unix()+7200))), "lifetime", "1h0m0s", "2h0m0s", "is longer than is allowed"},
		"expired":             {good(claimsOf("iat", fmt.Sprint(start.Unix()-60), "exp", fmt.Sprint(start.Unix()))), "exp", "2026-05-04T10:00:00Z", "exp 2026-05-04T10:00:00Z", "expired"},
		"without a session":   {good(claimsOf("sid", "")), "session", `"sid"`, "", "names no session"},
		"without a subject":   {good(claimsOf("sub", "")), "subject", `"sub"`, "", "names no subject"},
		"no JWT":              {"abc", "form", "compact form", "", "sign in again"},
		"odd text in the iss": {good(claimsOf("iss", `"\u202e\n\u001b[31m`+strings.Repeat("x", 500)+`"`)), "iss", clinicIss, `\u202e\n\x1b[31mxxx`, "issuer of the JWT"},
	} {
		t.Run(name, func(t *testing.T) {
			f, log := loggedFixture(t, nil)
			_, err := f.Authenticate(bearer(test.jwt))
			require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
			require.Contains(t, fault.Public(err).Message, test.message)
			all := log.read(t)
			require.Len(t, all, 1)
			require.Equal(t, "WARN", all[0]["level"])
			require.Equal(t, test.reason, all[0]["reason"])
			require.Contains(t, all[0]["expected"], test.expected)
			require.Contains(t, all[0]["given"], test.given)
			text := fmt.Sprint(all[0])
			require.Less(t, len(text), 1200)
			for _, secret := range append(strings.Split(test.jwt, "."), "session-1", "user-1") {
				if len(secret) > 3 {
					require.NotContains(t, text, secret)
				}
			}
		})
	}
}

// TestRolesThatDoNotCountAreLogged: an application whose issuer lacks trust_roles learns why.
func TestRolesThatDoNotCountAreLogged(t *testing.T) {
	f, log := loggedFixture(t, func(o *Options) { o.Issuers[0].TrustRoles = false })
	_, err := f.Authenticate(bearer(good(claimsOf("roles", `["application"]`, "sid", ""))))
	require.Contains(t, fault.Public(err).Message, "no role that counts here")
	require.Contains(t, log.read(t)[0]["given"], `roles "application", which do not count: trust_roles is off`)
}

// TestFloodsAreNotLogged: each kind has one line in logEvery, with the number omitted; one kind does not hide another, and
// text that a client chooses makes no new kind.
func TestFloodsAreNotLogged(t *testing.T) {
	f, log := loggedFixture(t, nil)
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			_, err := f.Authenticate(bearer(good(claimsOf("iss", fmt.Sprintf(`"https://%d.example"`, n)))))
			assert.Error(t, err)
		})
	}
	all.Wait()
	require.Len(t, log.read(t), 1)
	for _, jwt := range []string{good(claimsOf("iss", `"`+clinicIss+`/"`)), good(claimsOf("aud", `"x"`)), good(claimsOf("aud", `"y"`))} {
		_, err := f.Authenticate(bearer(jwt))
		require.Error(t, err)
	}
	require.Len(t, log.read(t), 2, "one for the similar issuer, one for both audiences")
	f.clock.advance(logEvery)
	_, err := f.Authenticate(bearer(good(claimsOf("iss", `"https://201.example"`))))
	require.Error(t, err)
	lines := log.read(t)
	require.Len(t, lines, 1)
	require.EqualValues(t, 199, lines[0]["not_logged"])
	require.LessOrEqual(t, len(f.refusals.seen), 3)
}

// TestOtherRefusalsAreLogged: refused assertions, logout tokens and headers are logged too.
func TestOtherRefusalsAreLogged(t *testing.T) {
	f, log := loggedFixture(t, func(o *Options) { o.Issuers[0].Logout = &LogoutRules{Audience: ours, Types: []string{"logout+jwt"}} })
	_, err := f.Assertion(context.Background(), "clinic", good(claimsOf()), testState)
	require.Error(t, err)
	require.Equal(t, "assertion", log.read(t)[0]["what"])
	_, err = f.VerifyLogout(context.Background(), good(claimsOf()))
	require.Error(t, err)
	require.Equal(t, "logout token", log.read(t)[0]["what"])
	_, err = f.Authenticate(request("Basic dTpw"))
	require.Error(t, err)
	line := log.read(t)[0]
	require.Equal(t, "form", line["reason"])
	require.NotContains(t, fmt.Sprint(line), "dTpw")
}

// TestSizeLimit: the limit is the setting's, exact to the byte; over it, the client is not told to sign in again.
func TestSizeLimit(t *testing.T) {
	long := func(n int) string { return good(claimsOf("groups", `"`+strings.Repeat("g", n)+`"`)) }
	t.Run("16 KiB by default", func(t *testing.T) {
		f, _ := loggedFixture(t, nil)
		_, err := f.Authenticate(bearer(long(11_000)))
		require.NoError(t, err)
		_, err = f.Authenticate(bearer(long(12_500)))
		require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	})
	jwt := long(1000)
	for name, test := range map[string]struct {
		limit int
		code  fault.Code
	}{"the limit itself": {len(jwt), ""}, "one byte more": {len(jwt) - 1, fault.LimitExceeded}} {
		t.Run(name, func(t *testing.T) {
			f, log := loggedFixture(t, func(o *Options) { o.MaxSize, o.Header = test.limit, "X-Jwt" })
			for _, r := range []*http.Request{bearer(jwt), {Header: http.Header{"X-Jwt": {jwt}}}} {
				_, err := f.Authenticate(r)
				if test.code == "" {
					require.NoError(t, err)
					continue
				}
				require.Equal(t, test.code, fault.Public(err).Code)
				require.Contains(t, fault.Public(err).Message, fmt.Sprintf("too long, with %d bytes of %d at most", len(jwt), test.limit))
			}
			if test.code != "" {
				require.Equal(t, "size", log.read(t)[0]["reason"])
			}
		})
	}
}

// TestCacheIsBoundedByBytes: long subjects leave room for fewer entries.
func TestCacheIsBoundedByBytes(t *testing.T) {
	const remember = 64
	f := newFixture(t, func(o *Options) { o.Remember = remember })
	for n := range 300 {
		jwt := token("EdDSA", testKeys()["ed"], `{"alg":"EdDSA","kid":"k3","typ":"JWT"}`, claimsOf("sid", fmt.Sprintf(`"s%d"`, n), "sub", `"`+strings.Repeat("u", maxID)+`"`))
		_, err := f.Authenticate(bearer(jwt))
		require.NoError(t, err)
	}
	f.cache.CleanUp()
	require.LessOrEqual(t, f.cache.EstimatedSize()*(entryBytes+maxID), remember*averageBytes)
	require.Positive(t, f.cache.EstimatedSize())
}
