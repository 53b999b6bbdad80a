package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/oidc"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const apacheModules = "/usr/lib/apache2/modules"

// apacheConfig signs users in at an OpenID provider and passes their ID token on; docs/identity-providers.md shows the main part.
const apacheConfig = `
ServerName 127.0.0.1
Listen %[1]s
PidFile pid
ErrorLog error.log
%[5]s
OIDCProviderMetadataURL %[2]s/.well-known/openid-configuration
OIDCClientID cloakroom
OIDCClientSecret %[6]s
OIDCRedirectURI http://%[1]s/signed-in
OIDCCryptoPassphrase 0f1e2d3c4b5a69788796a5b4c3d2e1f0
OIDCScope openid
OIDCPKCEMethod S256
OIDCPassIDTokenAs serialized
OIDCPassClaimsAs headers
OIDCCookieSameSite On
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<LocationMatch "^/(graphql|echo)$">
  OIDCUnAuthAction 401
</LocationMatch>
ProxyPass /signed-in !
ProxyPass /echo %[4]s
ProxyPass / %[3]s/
`

// startApache runs a private Apache httpd until the test ends. It returns false if the address is no longer free.
func startApache(t *testing.T, address, issuer, secret, gatewayURL, echoURL string) bool {
	t.Helper()
	program, err := exec.LookPath("apache2")
	if err != nil {
		program = "/usr/sbin/apache2"
	}
	if _, err := os.Stat(filepath.Join(apacheModules, "mod_auth_openidc.so")); err != nil {
		t.Fatal("Apache httpd with mod_auth_openidc is not installed: run make tools")
	}
	var modules strings.Builder
	for _, m := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "proxy", "proxy_http"} {
		fmt.Fprintf(&modules, "LoadModule %s_module %s/mod_%s.so\n", m, apacheModules, m)
	}
	if os.Getuid() == 0 {
		modules.WriteString("User #65534\nGroup #65534\n")
	}
	root := t.TempDir()
	file := filepath.Join(root, "httpd.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, apacheConfig, address, issuer, gatewayURL, echoURL, modules.String(), secret), 0o600))
	command := exec.Command(program, "-d", root, "-f", file, "-D", "FOREGROUND")
	out := &stack.Buffer{}
	command.Stdout, command.Stderr = out, out
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(root, "error.log"))
			t.Logf("apache: %s%s", out, b)
		}
	})
	taken := false
	stack.Await(t, "Apache to listen", func() bool {
		select {
		case <-ended:
			log, _ := os.ReadFile(filepath.Join(root, "error.log"))
			taken = strings.Contains(out.String()+string(log), "could not bind to address")
			if !taken {
				t.Fatalf("Apache ended at start: %s%s", out, log)
			}
			return true
		default:
		}
		_, err := os.Stat(filepath.Join(root, "pid")) // written once it listens, so that another program at the address is not taken for it
		return err == nil
	})
	return !taken
}

// freeAddress returns an address that was free just now: the provider needs it before Apache listens.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// startAuthProxy starts a provider, a gateway that trusts it, and Apache in front of the gateway, at origin. If
// another program took Apache's address meanwhile, it starts all of them again.
func startAuthProxy(t *testing.T, echoURL string) (origin string, s *stack.Stack) {
	for range 5 {
		address := freeAddress(t)
		origin = "http://" + address
		client := oidc.NewClient("cloakroom", origin+"/signed-in")
		idp := oidc.Start(t, oidc.Settings{Clients: []oidc.Client{client}})
		s = stack.Start(t, trusting("intranet", idp), stack.Configure(func(c *gateway.Config) {
			c.Credentials.Header = "OIDC_id_token"
			c.HTTP.AllowedOrigins = append(c.HTTP.AllowedOrigins, origin)
		}))
		if startApache(t, address, idp.Issuer, client.Secret, s.GatewayURL, echoURL) {
			return origin, s
		}
	}
	t.Fatal("five addresses were taken before Apache could listen on them")
	return "", nil
}

// Apache with mod_auth_openidc signs users in and passes their ID tokens; a client's own headers are not accepted.
func TestAnAuthProxy(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(r.Header) }))
	defer echo.Close()
	origin, s := startAuthProxy(t, echo.URL)

	ann, anonymous := oidc.NewBrowser(t, ""), oidc.NewBrowser(t, "")
	send := func(browser *http.Client, path string, change func(*http.Request)) stack.Answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+path, strings.NewReader(`{"query":"{ viewer { subject tenant } }"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		if change != nil {
			change(r)
		}
		return answerOf(t, browser, r)
	}
	const signedIn = `{"data":{"viewer":{"subject":"ann","tenant":"intranet"}}}`
	require.Equal(t, http.StatusUnauthorized, send(ann, "/graphql", nil).Status, "not signed in yet")
	page, body := oidc.Visit(t, ann, origin+"/healthz", "ann")
	require.Equal(t, http.StatusOK, page.StatusCode, body)
	require.Equal(t, "/healthz", page.Request.URL.Path)
	a := send(ann, "/graphql", nil)
	require.JSONEq(t, signedIn, string(a.Body))

	// Apache removes or overwrites the client's own identity headers; the gateway gets one, from the proxy.
	mallory := "eyJhbGciOiJub25lIn0.e30."
	for _, name := range []string{"OIDC_id_token", "oidc_ID_TOKEN", "OIDC-id-token", "Oidc-Id_Token", "OIDC_ID-TOKEN"} {
		forge := func(r *http.Request) { r.Header[name] = []string{mallory} } // without canonicalizing the name
		require.JSONEq(t, signedIn, string(send(ann, "/graphql", forge).Body), name)
		var arrived map[string][]string
		require.NoError(t, json.Unmarshal(send(ann, "/echo", forge).Body, &arrived))
		var tokens []string
		for header, values := range arrived {
			if strings.EqualFold(strings.ReplaceAll(header, "-", "_"), "oidc_id_token") {
				tokens = append(tokens, values...)
			}
		}
		require.Len(t, tokens, 1, "%s: %v", name, arrived)
		require.NotEqual(t, mallory, tokens[0], name)
		require.Equal(t, http.StatusUnauthorized, send(anonymous, "/graphql", forge).Status, name)
		require.Equal(t, http.StatusUnauthorized, send(anonymous, "/echo", forge).Status, name)
	}
	crossSitePages(t, ann, origin)

	// Without the proxy, requests without a token or with a forged one are refused.
	require.Equal(t, "UNAUTHENTICATED", s.Query(t, "", stack.Tokenize, nil).Code())
	direct, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.GatewayURL+"/graphql", strings.NewReader(`{"query":"{ viewer { subject } }"}`))
	require.NoError(t, err)
	direct.Header.Set("Content-Type", "application/json")
	direct.Header["OIDC_id_token"] = []string{mallory}
	require.Equal(t, http.StatusUnauthorized, answerOf(t, anonymous, direct).Status)
}

// crossSitePages sends the requests that another site's page could make a signed-in browser send through the proxy.
func crossSitePages(t *testing.T, ann *http.Client, origin string) {
	t.Helper()
	for name, test := range map[string]struct {
		method, contentType, origin, preflight string
		status                                 int
	}{
		"no Origin": {"POST", "application/json", "", "", 403}, "another Origin": {"POST", "application/json", "https://evil.example", "", 403},
		"Origin null": {"POST", "application/json", "null", "", 403}, "a form": {"POST", "text/plain", origin, "", 415},
		"a link": {"GET", "", "", "", 403}, "a preflighted GET": {"GET", "", "", "1", 200}, "a GET of another Origin": {"GET", "", "https://evil.example", "1", 403},
	} {
		t.Run(name, func(t *testing.T) {
			body, query := `{"query":"{ viewer { subject } }"}`, ""
			if test.method == http.MethodGet {
				body, query = "", "?query=%7Bviewer%7Bsubject%7D%7D"
			}
			r, err := http.NewRequestWithContext(t.Context(), test.method, origin+"/graphql"+query, strings.NewReader(body))
			require.NoError(t, err)
			for header, value := range map[string]string{"Content-Type": test.contentType, "Origin": test.origin, "GraphQL-Require-Preflight": test.preflight} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			require.Equal(t, test.status, answerOf(t, ann, r).Status, name)
		})
	}
}

func answerOf(t *testing.T, browser *http.Client, r *http.Request) stack.Answer {
	t.Helper()
	response, err := browser.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return stack.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}
