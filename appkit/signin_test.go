package appkit_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cloakroomhq/cloakroom/appkit"
)

const (
	signInURL = "/.cloakroom/sign-in"
	state     = "AAECAwQFBgcICQoLDA0ODw-_"
)

var loggedIn = map[string]string{"Cookie": "login=abc", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

// form is the form that a browser would submit from the page.
type form struct {
	action string
	fields map[string][]string
}

// readForm finds the page's only form, with an HTML parser.
func readForm(t testing.TB, answer *httptest.ResponseRecorder) form {
	t.Helper()
	root, err := html.Parse(answer.Body)
	require.NoError(t, err)
	forms, found := 0, form{fields: map[string][]string{}}
	for node := range root.Descendants() {
		of := func(name string) string {
			for _, a := range node.Attr {
				if a.Key == name {
					return a.Val
				}
			}
			return ""
		}
		switch node.Data {
		case "form":
			forms++
			found.action = of("action")
			require.Equal(t, "post", of("method"))
		case "input":
			found.fields[of("name")] = append(found.fields[of("name")], of("value"))
		}
	}
	require.Equal(t, 1, forms)
	return found
}

func TestSignInSendsTheGatewayAnAssertion(t *testing.T) {
	kit := newKit(t, func(o *appkit.Options) {
		o.AllowedOrigins = []string{"https://www.clinic.example"}
		o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{ID: "cookie-value", Subject: "user-7", ExpiresAt: clock.Add(time.Hour)}, nil
		}
	})
	answer := send(kit, http.MethodGet, signInURL+"?state="+state, nil)
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	header := answer.Header()
	require.Equal(t, "text/html; charset=utf-8", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "strict-origin", header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))

	page := answer.Body.String()
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	sum := sha256.Sum256([]byte(script))
	require.Equal(t, "default-src 'none'; script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; "+
		"form-action 'self' https://www.clinic.example "+audience+"; frame-ancestors 'self' https://www.clinic.example "+audience,
		header.Get("Content-Security-Policy"))
	require.Contains(t, page, "<noscript><p>One more step to sign in.</p><button>")

	sent := readForm(t, answer)
	require.Equal(t, audience+"/session/create", sent.action)
	require.Equal(t, []string{state}, sent.fields["state"])
	require.Len(t, sent.fields, 2)
	require.Len(t, sent.fields["assertion"], 1)
	assertion := sent.fields["assertion"][0]

	claims := verify(t, kit, assertion)
	require.Equal(t, issuer, claims.Issuer())
	require.Equal(t, []string{audience}, claims.Audience())
	require.Equal(t, "user-7", claims.Subject())
	require.Equal(t, clock.Truncate(time.Second), claims.IssuedAt())
	require.Equal(t, clock.Truncate(time.Second).Add(time.Minute), claims.Expiration())
	require.NotEmpty(t, claims.JwtID())
	hash := sha256.Sum256([]byte(state))
	require.Equal(t, map[string]any{
		"sid":         appkit.SessionID("cookie-value"),
		"s_hash":      base64.RawURLEncoding.EncodeToString(hash[:16]),
		"session_exp": float64(clock.Add(time.Hour).Unix()),
	}, claims.PrivateClaims())
	message, err := jws.ParseString(assertion)
	require.NoError(t, err)
	headers := message.Signatures()[0].ProtectedHeaders()
	require.Equal(t, "cloakroom-sign-in+jwt", headers.Type(), "no session token has this type")
	require.Equal(t, "ES256", headers.Algorithm().String())
	require.NotEmpty(t, headers.KeyID())
}

func TestSignInWithoutAnExpiryLeavesItToTheGateway(t *testing.T) {
	kit := newKit(t, nil)
	claims := verify(t, kit, readForm(t, send(kit, http.MethodGet, signInURL+"?state="+state, loggedIn)).fields["assertion"][0])
	require.NotContains(t, claims.PrivateClaims(), "session_exp")
}

func TestSignInMayMakeAnAnonymousSession(t *testing.T) {
	kit := newKit(t, func(o *appkit.Options) {
		o.Session = func(w http.ResponseWriter, _ *http.Request) (appkit.Session, error) {
			http.SetCookie(w, &http.Cookie{Name: "login", Value: "fresh"})
			return appkit.Session{ID: "fresh", Subject: "anonymous"}, nil
		}
	})
	answer := send(kit, http.MethodGet, signInURL+"?state="+state, nil)
	require.Equal(t, "login=fresh", answer.Header().Get("Set-Cookie"))
	sid, _ := verify(t, kit, readForm(t, answer).fields["assertion"][0]).Get("sid")
	require.Equal(t, appkit.SessionID("fresh"), sid)
}

func TestSignInWithoutASession(t *testing.T) {
	requirePage(t, send(newKit(t, nil), http.MethodGet, signInURL+"?state="+state, nil), http.StatusUnauthorized, "UNAUTHENTICATED")

	for page, want := range map[string]string{
		"/login":               "/login?return_to=",
		"/login?lang=de&x=%26": "/login?lang=de&x=%26&return_to=",
	} {
		t.Run(page, func(t *testing.T) {
			kit := newKit(t, func(o *appkit.Options) { o.SignInPage, o.Issuer = page, issuer+"/clinic" })
			answer := send(kit, http.MethodGet, signInURL+"?state="+state, nil)
			require.Equal(t, http.StatusSeeOther, answer.Code)
			location := answer.Header().Get("Location")
			back, ok := strings.CutPrefix(location, want)
			require.True(t, ok, location)
			back, err := url.QueryUnescape(back)
			require.NoError(t, err)
			require.Equal(t, "/clinic"+signInURL+"?state="+state, back, "the path in the browser's URL")
			require.True(t, kit.SignInReturn(back))
			require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
		})
	}
}

func TestASessionThatHasEndedIsNone(t *testing.T) {
	for life, in := range map[time.Duration]bool{-time.Hour: false, 0: false, time.Second: true} {
		kit := newKit(t, func(o *appkit.Options) {
			o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
				return appkit.Session{ID: "a", Subject: "s", ExpiresAt: clock.Add(life)}, nil
			}
		})
		status := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[in]
		require.Equal(t, status, send(kit, http.MethodGet, signInURL+"?state="+state, nil).Code)
		require.Equal(t, status, send(kit, http.MethodPost, sessionURL, nil).Code)
		kit.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, ok := appkit.SessionFrom(r.Context())
			assert.Equal(t, in, ok)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/graphql", nil))
		_, _, err := kit.SessionToken(t.Context(), appkit.Session{ID: "a", Subject: "s", ExpiresAt: clock.Add(life)})
		require.Equal(t, in, err == nil)
	}
	token, expiresAt, err := newKit(t, nil).SessionToken(t.Context(), appkit.Session{ID: "a", Subject: "s", ExpiresAt: clock.Add(time.Minute)})
	require.NoError(t, err)
	require.NotEmpty(t, token)
	require.Equal(t, clock.Add(time.Minute).Truncate(time.Second), expiresAt, "a token ends with its session")
}

func TestSignInHidesWhatFailed(t *testing.T) {
	for _, failure := range []error{errors.New("dial tcp: secret-host refused"), nil} { // nil: an empty session
		kit := newKit(t, func(o *appkit.Options) {
			o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) { return appkit.Session{}, failure }
		})
		answer := send(kit, http.MethodGet, signInURL+"?state="+state, nil)
		requirePage(t, answer, http.StatusInternalServerError, "INTERNAL")
		require.NotContains(t, answer.Body.String(), "secret-host")
	}
}

func TestSignInReturnAcceptsAWayIntoASignInAlone(t *testing.T) {
	kit := newKit(t, nil)
	require.True(t, kit.SignInReturn(signInURL+"?state="+state))
	for _, to := range []string{
		"", "/", signInURL, signInURL + "?state=", signInURL + "?state=a b", signInURL + "?state=AAAA&next=//evil.example",
		signInURL + "?state=AAAA#x", signInURL + "/?state=AAAA", "/" + signInURL + "?state=AAAA", "//evil.example" + signInURL + "?state=AAAA",
		"https://evil.example" + signInURL + "?state=AAAA", issuer + signInURL + "?state=AAAA", "/x/.." + signInURL + "?state=AAAA",
		signInURL + "?state=AAAA\r\nSet-Cookie: a=b", "\\" + signInURL + "?state=AAAA", "javascript:alert(1)",
		signInURL + "?state=" + strings.Repeat("A", 4100), " " + signInURL + "?state=AAAA",
	} {
		require.False(t, kit.SignInReturn(to), to)
	}
}
