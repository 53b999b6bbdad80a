// Package oidc runs an OpenID provider, npm oidc-provider, in a separate process, and logs users in there.
package oidc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// Client is a relying party's settings at the provider; see oidc-provider's documentation of clients.
type Client struct {
	ID                       string   `json:"client_id"`
	Secret                   string   `json:"client_secret"`
	RedirectURIs             []string `json:"redirect_uris"`
	GrantTypes               []string `json:"grant_types"`
	BackChannelLogoutURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackChannelLogoutSession bool     `json:"backchannel_logout_session_required,omitempty"` // its ID tokens have a sid
	IDTokenAlgorithm         string   `json:"id_token_signed_response_alg"`
}

// Settings are the settings that provider.mjs reads.
type Settings struct {
	Clients   []Client            `json:"clients"`
	Algorithm string              `json:"algorithm"`          // of its signatures
	Resource  string              `json:"resource,omitempty"` // audience of access tokens as JWTs
	Roles     map[string][]string `json:"roles,omitempty"`    // of clients, in the claim realm_access.roles
}

// Provider is a running provider.
type Provider struct {
	Issuer  string
	client  Client
	input   io.WriteCloser
	answers *bufio.Reader
}

// NewClient returns a client that logs users in with the code flow, may request its own tokens, and gets ID tokens with the
// session's id.
func NewClient(id, redirectURI string) Client {
	return Client{
		ID: id, Secret: "not-a-secret-but-long-enough-for-a-client", RedirectURIs: []string{redirectURI},
		GrantTypes:           []string{"authorization_code", "client_credentials"},
		BackChannelLogoutURI: "http://127.0.0.1:9/nobody-listens", BackChannelLogoutSession: true, IDTokenAlgorithm: "ES256",
	}
}

// Start runs a provider until the test ends. Exchange and ClientToken are for its first client.
func Start(t testing.TB, s Settings) *Provider {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Dir(here)
	if _, err := os.Stat(filepath.Join(dir, "node_modules/oidc-provider")); err != nil {
		t.Fatal("the OpenID provider is not installed: run make tools")
	}
	if s.Algorithm == "" {
		s.Algorithm = "ES256"
	}
	for i := range s.Clients {
		s.Clients[i].IDTokenAlgorithm = s.Algorithm
	}
	settings, err := json.Marshal(s)
	require.NoError(t, err)
	command := exec.Command("node", "provider.mjs", string(settings))
	command.Dir, command.Stderr = dir, &logged{t}
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = input.Close() // it ends with its standard input
		_ = command.Wait()
	})
	p := &Provider{client: s.Clients[0], input: input, answers: bufio.NewReader(output)}
	var started struct{ Issuer string }
	p.read(t, &started)
	p.Issuer = started.Issuer
	return p
}

func (p *Provider) read(t testing.TB, into any) {
	t.Helper()
	line, err := p.answers.ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(line, into))
}

// Rotate makes the provider sign with a new key, and forget the former key.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	_, err := io.WriteString(p.input, `{"rotate":true}`+"\n")
	require.NoError(t, err)
	p.read(t, &struct{}{})
}

// NewBrowser returns a client that keeps cookies and follows redirects, as far as to stop ("" for all the way).
func NewBrowser(t testing.TB, stop string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if stop != "" && strings.HasPrefix(r.URL.String(), stop) || len(via) > 20 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// Visit gets a page, and logs user in if the provider shows its login form. It returns the last answer, whose body is read.
func Visit(t testing.TB, browser *http.Client, page, user string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/html") // a proxy redirects only browsers to the provider
	response, err := browser.Do(r)
	require.NoError(t, err)
	if at := response.Request.URL; strings.HasPrefix(at.Path, "/interaction/") {
		_ = response.Body.Close()
		response, err = browser.PostForm(at.String(), url.Values{"prompt": {"login"}, "login": {user}, "password": {"any"}})
		require.NoError(t, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// Login gets an ID token by the code flow with PKCE (RFC 7636), as a page's backend would.
func (p *Provider) Login(t testing.TB, browser *http.Client, user string) (idToken string) {
	t.Helper()
	flow := oauth2.Config{
		ClientID: p.client.ID, ClientSecret: p.client.Secret, RedirectURL: p.client.RedirectURIs[0], Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: p.Issuer + "/auth", TokenURL: p.Issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	verifier := oauth2.GenerateVerifier()
	response, body := Visit(t, browser, flow.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), user)
	location, err := url.Parse(response.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "state", location.Query().Get("state"), "%s: %s", response.Status, body)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, browser)
	token, err := flow.Exchange(ctx, location.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	idToken, ok := token.Extra("id_token").(string)
	require.True(t, ok)
	return idToken
}

// ClientToken gets the client's own access token (RFC 6749, section 4.4), as a JWT for the resource (RFC 9068).
func (p *Provider) ClientToken(t testing.TB, browser *http.Client) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {"urn:cloakroom"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(p.client.ID, p.client.Secret)
	response, err := browser.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.NotEmpty(t, answer.Token, answer.Error)
	return answer.Token
}

// logged writes a process's output to the test's log.
type logged struct{ t testing.TB }

func (l *logged) Write(b []byte) (int, error) {
	if _, err := fmt.Fprintf(l.t.Output(), "provider: %s", b); err != nil {
		return 0, err
	}
	return len(b), nil
}
