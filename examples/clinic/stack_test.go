package clinic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const tenant = "clinic"

// counted counts the calls to a gateway, which a test may replace by another or by a broken one.
type counted struct {
	mu                sync.Mutex
	to                directives.Grants
	creates, verifies atomic.Int64
}

func (c *counted) set(to directives.Grants) (before directives.Grants) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.to = c.to, to
	return before
}

func (c *counted) get() directives.Grants {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.to
}

func (c *counted) CreateGrants(ctx context.Context, session string, grants []directives.Grant) ([]directives.Granted, error) {
	c.creates.Add(1)
	return c.get().CreateGrants(ctx, session, grants)
}

func (c *counted) VerifyGrants(ctx context.Context, session string, checks []directives.Check) ([]directives.Check, error) {
	c.verifies.Add(1)
	return c.get().VerifyGrants(ctx, session, checks)
}

// calls runs f, and returns how many calls it caused.
func (c *counted) calls(f func()) (creates, verifies int64) {
	creates, verifies = c.creates.Load(), c.verifies.Load()
	f()
	return c.creates.Load() - creates, c.verifies.Load() - verifies
}

// stack is the clinic, a gateway and an object store, on loopback.
type stack struct {
	clinic                         *clinic.Clinic
	grants                         *counted
	appURL, gatewayURL, objectsURL string
}

// newStack starts a stack; by default, @token waits for the gateway as long as the API's own limit allows.
func newStack(t *testing.T, change ...func(*clinic.Options)) *stack {
	t.Helper()
	app, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &stack{grants: &counted{}, appURL: "http://" + app.Addr().String()}
	gw := cloakroomtest.Start(t, func(cfg *gateway.Config) {
		// Each needs the other's URL: the clinic serves before the gateway fetches its keys.
		s.gatewayURL, s.objectsURL = cfg.HTTP.PublicURL, cfg.Objects.Embedded.PublicURL
		s.startClinic(t, app, change)
		issuer := gateway.DefaultIssuer()
		issuer.Name, issuer.Issuer, issuer.JWKSURL = tenant, s.appURL, s.appURL+"/.cloakroom/jwks.json"
		issuer.TrustRoles = true
		cfg.HTTP.AllowedOrigins, cfg.Issuers = []string{s.appURL}, append(cfg.Issuers, issuer)
		cfg.Rates = gateway.DefaultConfig().Rates
	})
	grants, err := gw.Gateway.Grants(tenant)
	require.NoError(t, err)
	s.grants.set(grants)
	return s
}

func (s *stack) startClinic(t *testing.T, l net.Listener, change []func(*clinic.Options)) {
	t.Helper()
	options := clinic.Options{
		BaseURL: s.appURL, GatewayURL: s.gatewayURL, ObjectsURL: s.objectsURL, DataDir: t.TempDir(), Grants: s.grants,
		GrantTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&options)
	}
	var err error
	s.clinic, err = clinic.New(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.clinic.Close()) })
	s.serve(t, l, time.Minute)
}

// serve bounds how long the clinic's server takes to read a request, and to answer it.
func (s *stack) serve(t *testing.T, l net.Listener, patience time.Duration) {
	server := &http.Server{Handler: s.clinic, ReadTimeout: patience, WriteTimeout: patience}
	server.RegisterOnShutdown(s.clinic.Stop)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { require.NoError(t, server.Shutdown(context.Background())) })
}

// person is a user's browser.
type person struct {
	t      *testing.T
	stack  *stack
	client *http.Client
}

func (s *stack) visitor(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &person{t: t, stack: s, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *stack) login(t *testing.T, email string) *person {
	t.Helper()
	p := s.visitor(t)
	require.Equal(t, "/", p.form("/login", url.Values{"email": {email}, "password": {clinic.DemoPassword}}, "same-origin"))
	return p
}

// form posts a form, and returns the redirect's target, or the status.
func (p *person) form(path string, values url.Values, site string) string {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.stack.appURL+path, bytes.NewBufferString(values.Encode()))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	answer, err := p.client.Do(r)
	require.NoError(p.t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusSeeOther {
		return answer.Status
	}
	return answer.Header.Get("Location")
}

// problem is an error of a GraphQL answer.
type problem struct {
	Message    string
	Path       []any
	Extensions struct{ Code string }
}

func (p problem) String() string { return fmt.Sprint(p.Path, " ", p.Extensions.Code) }

type result struct {
	Data   map[string]any
	Errors []problem
}

// code returns the only error's code.
func (r result) code(t *testing.T) string {
	t.Helper()
	require.Len(t, r.Errors, 1, "%v", r.Errors)
	return r.Errors[0].Extensions.Code
}

func post(t *testing.T, client *http.Client, to, jwt, query string, variables any) (r result) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	request, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if jwt != "" {
		request.Header.Set("Authorization", "Bearer "+jwt)
	}
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&r))
	return r
}

// ask sends an operation to the clinic; must also requires that there are no errors.
func (p *person) ask(query string, variables any) result {
	p.t.Helper()
	return post(p.t, p.client, p.stack.appURL+"/graphql", "", query, variables)
}

func (p *person) must(query string, variables any) map[string]any {
	p.t.Helper()
	r := p.ask(query, variables)
	require.Empty(p.t, r.Errors)
	return r.Data
}

// gateway sends an operation to the gateway, with the token of the person's session.
func (p *person) gateway(query string, variables any) result {
	p.t.Helper()
	answer, err := p.client.Post(p.stack.appURL+"/.cloakroom/session", "", nil)
	require.NoError(p.t, err)
	defer func() { _ = answer.Body.Close() }()
	var body struct{ Token string }
	require.NoError(p.t, json.NewDecoder(answer.Body).Decode(&body))
	return post(p.t, http.DefaultClient, p.stack.gatewayURL+"/graphql", body.Token, query, variables)
}

// tokens makes tokens that the person may store.
func (p *person) tokens(n int) (tokens []string) {
	p.t.Helper()
	r := p.gateway(`mutation($inputs: [TokenizeInput!]!) { tokenizeBatch(inputs: $inputs) { token } }`,
		map[string]any{"inputs": slices.Repeat([]map[string]any{{}}, n)})
	require.Empty(p.t, r.Errors)
	for _, made := range r.Data["tokenizeBatch"].([]any) {
		tokens = append(tokens, made.(map[string]any)["token"].(string))
	}
	return tokens
}

// mayRead reports whether the person's session may detokenize.
func (p *person) mayRead(token string) bool {
	p.t.Helper()
	r := p.gateway(`mutation($token: TokenID!) { detokenize(token: $token) { token } }`, map[string]any{"token": token})
	if len(r.Errors) > 0 {
		require.Equal(p.t, "GRANT_REQUIRED", r.code(p.t))
	}
	return len(r.Errors) == 0
}

const addPatients = `mutation($inputs: [AddPatientInput!]!) {
	addPatients(inputs: $inputs) { id ssn notes { body attachments } documents { file } }
}`

// addPatient adds a patient with a number, a note and a document, and returns the id and those tokens.
func (p *person) addPatient(name string) (id string, tokens []string) {
	p.t.Helper()
	tokens = p.tokens(4)
	data := p.must(addPatients, map[string]any{"inputs": []any{patientInput(name, tokens)}})
	return data["addPatients"].([]any)[0].(map[string]any)["id"].(string), tokens
}

// patientInput is a patient with four tokens.
func patientInput(name string, tokens []string) map[string]any {
	return map[string]any{
		"name": name, "ssn": tokens[0],
		"notes":     []any{map[string]any{"body": tokens[1], "attachments": []any{tokens[2]}}},
		"documents": []any{map[string]any{"title": "Referral", "file": tokens[3]}},
	}
}
