package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// framedWorld is a world over TLS whose clinic has detokenize.from: frame; the bank has not. Pages of both may call the gateway. A
// proxy passes JWTs in a header, and another names sessions in plain headers.
type framedWorld struct {
	*world
	bearer, cookie string // credentials of one session of the clinic, as headers' values
	token          string // that the session may read
}

const proxySecret = "0123456789abcdef0123456789abcdef"

func newFramedWorld(t *testing.T) *framedWorld {
	w := &framedWorld{world: newWorld(t, true, func(c *gateway.Config) {
		c.Issuers[0].Detokenize.From = "frame"
		c.HTTP.AllowedOrigins = append(c.HTTP.AllowedOrigins, c.Issuers[1].Issuer)
		c.Credentials.Header = "OIDC_id_token"
		p := &c.TrustedProxy
		p.Tenant, p.Peers, p.SessionHeader, p.SubjectHeader = "clinic", []string{"127.0.0.1/32"}, "X-Session-Id", "X-User"
		p.SecretHeader, p.Secret = "X-Proxy-Secret", proxySecret
	})}
	w.cookie = w.cookieName("session") + "=" + w.signIn(t, w.clinic)
	w.bearer = "Bearer " + w.secret(w.clinic.session(nil))
	w.token = w.tokenize(t, "Origin", w.clinic.URL, "Authorization", w.bearer)
	return w
}

// tokenize returns a new token of the session, which is made from anywhere.
func (w *framedWorld) tokenize(t *testing.T, headers ...string) string {
	t.Helper()
	got := w.graphql(t, nil, `{"query":"mutation { tokenize { token } }"}`, headers...)
	var made struct {
		Data struct{ Tokenize struct{ Token string } }
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &made))
	require.NotEmpty(t, made.Data.Tokenize.Token, got.body)
	return made.Data.Tokenize.Token
}

func detokenizing(token string) string {
	return fmt.Sprintf(`{"query":"mutation { detokenize(token: \"%s\") { download { url headers { name value } } } }"}`, token)
}

// obtained fails if an answer has anything of a value: a signed URL, a key, or the description of a token.
func obtained(t *testing.T, a *answer) {
	t.Helper()
	for _, of := range []string{"download", "http://127.0.0.1:1", "createdAt", "customer-key"} {
		require.NotContains(t, strings.ToLower(a.body), strings.ToLower(of))
	}
}

// TestFrame: the gateway's own page with the cookie reads; everybody else gets FORBIDDEN and obtains nothing, whatever is sent.
func TestFrame(t *testing.T) {
	w := newFramedWorld(t)
	own := []string{"Origin", w.url, "Sec-Fetch-Site", "same-origin", "Cookie", w.cookie}
	t.Run("an own page", func(t *testing.T) {
		got := w.graphql(t, nil, detokenizing(w.token), own...)
		require.Empty(t, got.code(), got.body)
		require.Contains(t, got.body, `"url":"http://127.0.0.1:1/`)
		got = w.graphql(t, nil, fmt.Sprintf(`{"query":"{ token(id: \"%s\") { createdAt } }"}`, w.token), own...)
		require.Contains(t, got.body, "createdAt")
		got = w.graphql(t, nil, detokenizing(w.token), "Origin", w.url, "Cookie", w.cookie)
		require.Empty(t, got.code(), "a browser without Fetch Metadata: %s", got.body)
	})
	t.Run("anywhere in the other tenant", func(t *testing.T) {
		jwt := "Bearer " + w.secret(w.bank.session(nil))
		theirs := w.tokenize(t, "Authorization", jwt, "Origin", w.bank.URL)
		require.Empty(t, w.graphql(t, nil, detokenizing(theirs), "Authorization", jwt, "Origin", w.bank.URL).code())
		require.Empty(t, w.graphql(t, nil, detokenizing(theirs), "Authorization", jwt).code(), "a program")
	})
	for name, one := range w.scripts(t) {
		t.Run(name, func(t *testing.T) {
			got := one.send(t)
			obtained(t, got)
			require.Equal(t, one.code, got.code(), got.body)
			if one.status != 0 {
				require.Equal(t, one.status, got.StatusCode, got.body)
			}
		})
	}
	w.checkLog(t)
}

type scripted struct {
	send   func(t *testing.T) *answer
	code   string
	status int
}

// scripts are what a script in the application's page, or a program with the page's credentials, can try.
func (w *framedWorld) scripts(t *testing.T) map[string]scripted {
	all := map[string]scripted{}
	ask := func(name, code string, status int, document string, headers ...string) {
		all[name] = scripted{func(t *testing.T) *answer { return w.graphql(t, nil, document, headers...) }, code, status}
	}
	app, cookie, bearer := []string{"Origin", w.clinic.URL}, []string{"Cookie", w.cookie}, []string{"Authorization", w.bearer}
	document := detokenizing(w.token)
	with := func(parts ...[]string) (headers []string) {
		for _, p := range parts {
			headers = append(headers, p...)
		}
		return headers
	}
	own := []string{"Origin", w.url, "Sec-Fetch-Site", "same-origin"}
	for name, headers := range map[string][]string{
		"credentials: include": with(app, cookie), "bearer": with(app, bearer), "bearer and cookie": with(app, bearer, cookie),
		"the cookie, marked same-origin":   with(app, cookie, []string{"Sec-Fetch-Site", "same-origin"}),
		"the cookie, marked same-site":     with(app, cookie, []string{"Sec-Fetch-Site", "same-site"}),
		"the other application's page":     with([]string{"Origin", w.bank.URL}, bearer),
		"a program":                        bearer,
		"a program that forges the page":   with(own, bearer),
		"a program beside the cookie":      with(own, bearer, cookie),
		"own Origin, marked cross-site":    {"Origin", w.url, "Sec-Fetch-Site", "cross-site", "Cookie", w.cookie},
		"own Origin, marked same-site":     {"Origin", w.url, "Sec-Fetch-Site", "same-site", "Cookie", w.cookie},
		"own Origin, two marks":            {"Origin", w.url, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site", "Cookie", w.cookie},
		"a JWT that a proxy passed":        with(own, []string{"OIDC_id_token", strings.TrimPrefix(w.bearer, "Bearer ")}),
		"a JWT that a proxy passed, twice": with(own, bearer, []string{"OIDC_id_token", strings.TrimPrefix(w.bearer, "Bearer ")}),
		"a proxy's plain headers":          with(own, []string{"X-Session-Id", w.clinic.sid, "X-User", "u", "X-Proxy-Secret", proxySecret}),
		"X-Forwarded-Host of the page":     with(app, cookie, []string{"X-Forwarded-Host", strings.TrimPrefix(w.clinic.URL, "http://"), "X-Forwarded-Proto", "http"}),
		"X-Forwarded-Host of the gateway":  with(app, cookie, []string{"X-Forwarded-Host", strings.TrimPrefix(w.url, "https://"), "Forwarded", "host=" + w.url}),
	} {
		ask(name, "FORBIDDEN", http.StatusOK, document, headers...)
	}
	for name, headers := range map[string][]string{ // refused before the operation
		"no Origin": cookie, "no Origin, marked same-origin": with(cookie, []string{"Sec-Fetch-Site", "same-origin"}), "empty Origin": with(cookie, []string{"Origin", ""}),
		"Origin: null": with(cookie, []string{"Origin", "null"}), "two Origins": with(cookie, []string{"Origin", w.url, "Origin", w.clinic.URL}),
		"own Origin twice": with(cookie, []string{"Origin", w.url, "Origin", w.url}), "two in one Origin": with(cookie, []string{"Origin", w.url + ", " + w.clinic.URL}),
		"scheme in capitals": with(cookie, []string{"Origin", strings.Replace(w.url, "https", "HTTPS", 1)}), "a slash": with(cookie, []string{"Origin", w.url + "/"}),
		"no port": with(cookie, []string{"Origin", w.url[:strings.LastIndexByte(w.url, ':')]}), "default port": with(cookie, []string{"Origin", w.url[:strings.LastIndexByte(w.url, ':')] + ":443"}),
		"http": with(cookie, []string{"Origin", strings.Replace(w.url, "https", "http", 1)}), "localhost": with(cookie, []string{"Origin", strings.Replace(w.url, "127.0.0.1", "localhost", 1)}),
	} {
		ask(name, "FORBIDDEN", http.StatusForbidden, document, headers...)
	}
	theirs := w.tokenize(t, "Authorization", "Bearer "+w.secret(w.bank.session(nil)))
	batch := fmt.Sprintf(`{"query":"mutation { detokenizeBatch(tokens: [\"%s\", \"%s\"]) { __typename ... on DetokenizePayload { download { url } } } }"}`, w.token, theirs)
	ask("a batch", "FORBIDDEN", 0, batch, with(app, bearer)...)
	ask("a batch with the cookie", "FORBIDDEN", 0, batch, with(app, cookie)...)
	ask("the other tenant's session", "GRANT_REQUIRED", 0, document, "Authorization", "Bearer "+w.secret(w.bank.session(map[string]any{"sid": w.clinic.sid})), "Origin", w.url)
	ask("the description", "FORBIDDEN", 0, fmt.Sprintf(`{"query":"{ token(id: \"%s\") { createdAt metadata { filename } } }"}`, w.token), with(app, cookie)...)
	ask("an application", "FORBIDDEN", 0, document, "Authorization", "Bearer "+w.secret(w.clinic.session(map[string]any{"sid": nil, "roles": []string{"application"}})))
	w.otherRequests(all, with(app, cookie))
	return all
}

// otherRequests are requests in other forms than a POST with JSON.
func (w *framedWorld) otherRequests(all map[string]scripted, headers []string) {
	query := url.QueryEscape(fmt.Sprintf(`{ token(id: "%s") { createdAt } }`, w.token))
	mutation := fmt.Sprintf(`mutation { detokenize(token: "%s") { download { url } } }`, w.token)
	sum := sha256.Sum256([]byte(mutation))
	persisted := fmt.Sprintf(`"extensions":{"persistedQuery":{"version":1,"sha256Hash":"%s"}}`, hex.EncodeToString(sum[:]))
	text, _ := json.Marshal(mutation)
	send := func(name, method, path, body, code string, status int, more ...string) {
		all[name] = scripted{func(t *testing.T) *answer {
			return w.do(t, newRequest(t, method, w.url+path, strings.NewReader(body), append(append([]string{}, headers...), more...)...), nil)
		}, code, status}
	}
	const preflight, contentType = "GraphQL-Require-Preflight", "Content-Type"
	send("GET of the description", "GET", "/graphql?query="+query, "", "FORBIDDEN", 0, preflight, "1")
	send("GET of the description, without the header", "GET", "/graphql?query="+query, "", "FORBIDDEN", http.StatusForbidden)
	send("GET of the mutation", "GET", "/graphql?query="+url.QueryEscape(mutation), "", "BAD_USER_INPUT", http.StatusMethodNotAllowed, preflight, "1")
	send("a subscription", "POST", "/graphql", strings.Replace(detokenizing(w.token), "mutation", "subscription", 1), "BAD_USER_INPUT", 0, contentType, "application/json")
	send("multipart", "POST", "/graphql", "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--x--", "BAD_USER_INPUT", http.StatusUnsupportedMediaType, contentType, "multipart/form-data; boundary=x")
	send("a form", "POST", "/graphql", "query="+url.QueryEscape(mutation), "BAD_USER_INPUT", http.StatusUnsupportedMediaType, contentType, "application/x-www-form-urlencoded")
	send("text", "POST", "/graphql", detokenizing(w.token), "BAD_USER_INPUT", http.StatusUnsupportedMediaType, contentType, "text/plain")
	send("application/graphql", "POST", "/graphql", mutation, "BAD_USER_INPUT", http.StatusUnsupportedMediaType, contentType, "application/graphql")
	send("operations in a list", "POST", "/graphql", "["+detokenizing(w.token)+"]", "BAD_USER_INPUT", 0, contentType, "application/json")
	all["a persisted query"] = scripted{func(t *testing.T) *answer {
		w.graphql(t, nil, `{"query":`+string(text)+`,`+persisted+`}`, headers...) // registers it
		return w.graphql(t, nil, `{`+persisted+`}`, headers...)
	}, "FORBIDDEN", 0}
}

// TestFramedRefusalIsTheSame: a refused session doesn't learn which tokens exist or which it may read.
func TestFramedRefusalIsTheSame(t *testing.T) {
	w := newFramedWorld(t)
	unknown := "tok-00000000-0000-4000-8000-000000000001"
	for name, headers := range map[string][]string{"bearer": {"Authorization", w.bearer}, "cookie": {"Origin", w.clinic.URL, "Cookie", w.cookie}} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, w.graphql(t, nil, detokenizing(w.token), headers...).body, w.graphql(t, nil, detokenizing(unknown), headers...).body)
		})
	}
}

// TestTheProvidersSessionsAreFramedToo: an issuer that names a tenant can't be used to read the tenant's values from anywhere.
func TestTheProvidersSessionsAreFramedToo(t *testing.T) {
	w := newWorld(t, true, func(c *gateway.Config) {
		c.Issuers[0].Detokenize.From = "frame"
		c.Issuers[1].Tenant, c.Issuers[1].TrustRoles = "clinic", false
	})
	f := &framedWorld{world: w}
	bearer := "Bearer " + w.secret(w.bank.session(nil))
	token := f.tokenize(t, "Authorization", bearer)
	require.Equal(t, "FORBIDDEN", w.graphql(t, nil, detokenizing(token), "Authorization", bearer).code())
	cookie := w.cookieName("session") + "=" + w.signIn(t, w.bank)
	require.Empty(t, w.graphql(t, nil, detokenizing(token), "Origin", w.url, "Cookie", cookie).code())
}
