package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/internal/dev"
)

// doctor is a user who has logged in at the clinic.
type doctor struct {
	t     testing.TB
	stack *stack.Stack
	http  *http.Client
	jwt   string // of the session, for the gateway
}

func login(t testing.TB, s *stack.Stack, email string) *doctor {
	t.Helper()
	d := browser(t, s)
	d.login(email)
	return d
}

// browser returns a new browser, whose user has not logged in.
func browser(t testing.TB, s *stack.Stack) *doctor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &doctor{t: t, stack: s, http: &http.Client{Transport: s.HTTP.Transport, Jar: jar}}
}

func (d *doctor) login(email string) {
	d.t.Helper()
	r, err := d.http.PostForm(d.stack.AppURL+"/login", url.Values{"email": {email}, "password": {clinic.DemoPassword}})
	require.NoError(d.t, err)
	require.NoError(d.t, r.Body.Close())
	require.Equal(d.t, http.StatusOK, r.StatusCode)
	d.session()
}

// session gets the JWT of the browser's session.
func (d *doctor) session() {
	d.t.Helper()
	r, err := d.http.Post(d.stack.AppURL+"/.cloakroom/session", "", nil)
	require.NoError(d.t, err)
	defer func() { _ = r.Body.Close() }()
	var body struct{ Token string }
	require.NoError(d.t, json.NewDecoder(r.Body).Decode(&body))
	d.jwt = body.Token
}

// ask sends an operation to the clinic, not to the gateway.
func (d *doctor) ask(query string, variables map[string]any) stack.Response {
	d.t.Helper()
	b, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(d.t, err)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.stack.AppURL+"/graphql", bytes.NewReader(b))
	require.NoError(d.t, err)
	request.Header.Set("Content-Type", "application/json")
	r, err := d.http.Do(request)
	require.NoError(d.t, err)
	defer func() { _ = r.Body.Close() }()
	response := stack.Response{}
	require.NoError(d.t, json.NewDecoder(r.Body).Decode(&response))
	response.Status = r.StatusCode
	return response
}

// tokens makes tokens in the doctor's session, as her browser would.
func (d *doctor) tokens(n int) []string {
	d.t.Helper()
	inputs := make([]map[string]any, n)
	for i := range inputs {
		inputs[i] = map[string]any{}
	}
	made := d.stack.Query(d.t, d.jwt, `mutation($i: [TokenizeInput!]!) { tokenizeBatch(inputs: $i) { token } }`, map[string]any{"i": inputs}).OK(d.t)
	list, ok := made.At("tokenizeBatch").([]any)
	require.True(d.t, ok)
	tokens := make([]string, n)
	for i, m := range list {
		tokens[i] = m.(map[string]any)["token"].(string)
	}
	return tokens
}

var counted = regexp.MustCompile(`cloakroom_requests_total\{code="([A-Z_]*)",field="(createGrants|verifyGrants)"\} (\d+)`)

// calls returns how many requests of applications the gateway has answered, from its own metrics.
func calls(t testing.TB, s *stack.Stack) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, m := range counted.FindAllStringSubmatch(string(s.Get(t, s.GatewayURL+"/metrics").Body), -1) {
		count, err := strconv.Atoi(m[3])
		require.NoError(t, err)
		n[m[2]] += count
	}
	return n
}

// during returns the calls that f causes.
func during(t testing.TB, s *stack.Stack, f func()) map[string]int {
	t.Helper()
	before := calls(t, s)
	f()
	after := calls(t, s)
	for name, n := range before {
		if after[name] -= n; after[name] == 0 {
			delete(after, name)
		}
	}
	return after
}

const addPatients = `mutation($inputs: [AddPatientInput!]!) { addPatients(inputs: $inputs) { id name } }`

func patients(tokens []string) map[string]any {
	inputs := make([]any, len(tokens))
	for i, token := range tokens {
		inputs[i] = map[string]any{"name": fmt.Sprint("Patient ", i), "ssn": token}
	}
	return map[string]any{"inputs": inputs}
}

// TestOneCallForEachOperation: a backend's operation makes one request to the gateway in each direction, for any
// number of tokens, and none without tokens.
func TestOneCallForEachOperation(t *testing.T) {
	s := stack.Start(t, func(o *dev.Options) { // slow calls must not time out: the test counts them
		o.Application = func(c *clinic.Options) { c.GrantTimeout = stack.Patience }
	})
	adams := login(t, s, clinic.DrAdams)
	const most = 1000
	tokens := adams.tokens(most)

	require.Equal(t, map[string]int{"verifyGrants": 1}, during(t, s, func() {
		adams.ask(addPatients, patients(tokens[:50])).OK(t)
	}), "a mutation with 50 nested tokens")
	for at := 50; at < most; at += 50 {
		adams.ask(addPatients, patients(tokens[at:at+50])).OK(t)
	}

	again := login(t, s, clinic.DrAdams) // another session, without grants
	var list stack.Response
	require.Equal(t, map[string]int{"createGrants": 1}, during(t, s, func() {
		list = again.ask(`{ patients(first: 1000) { name ssn } }`, nil).OK(t)
	}), "a query that returns a thousand tokens")
	shown := list.At("patients").([]any)
	require.Len(t, shown, most)
	require.Empty(t, during(t, s, func() { again.ask(`{ patients(first: 1000) { name ssn } }`, nil).OK(t) }), "warm")
	require.Empty(t, during(t, s, func() { again.ask(`{ patients(first: 1000) { name } }`, nil).OK(t) }), "no tokens")

	// The grants exist: the other session may read each token now.
	for _, p := range []any{shown[1], shown[most-1]} {
		token := p.(map[string]any)["ssn"].(string)
		s.Detokenize(t, again.jwt, token).OK(t)
	}
}

// TestAForeignTokenStopsAMutation: with one bad token among valid ones, nothing is written.
func TestAForeignTokenStopsAMutation(t *testing.T) {
	s := stack.Start(t)
	adams, baker := login(t, s, clinic.DrAdams), login(t, s, clinic.DrBaker)
	tokens := append(adams.tokens(9), baker.tokens(1)...)
	before := fmt.Sprint(adams.ask(`{ patients(first: 1000) { name } }`, nil).OK(t).At("patients"))
	refused := adams.ask(addPatients, patients(tokens))
	require.Equal(t, "GRANT_REQUIRED", refused.Code())
	require.Contains(t, refused.Path(), "9")
	require.Len(t, refused.Errors, 1)
	require.Equal(t, before, fmt.Sprint(adams.ask(`{ patients(first: 1000) { name } }`, nil).OK(t).At("patients")))
}

// TestALoginKeepsWhatItsVisitorTokenized: the user's session may read it now, and the visitor's session may not.
func TestALoginKeepsWhatItsVisitorTokenized(t *testing.T) {
	s := stack.Start(t)
	d := browser(t, s)
	d.session()
	visitor, token := d.jwt, d.tokens(1)[0]
	other := login(t, s, clinic.DrBaker)
	d.login(clinic.DrAdams)
	s.Detokenize(t, d.jwt, token).OK(t)
	require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, visitor, token).Code())
	require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, other.jwt, token).Code())
	d.ask(addPatients, patients([]string{token})).OK(t) // addPatients requires STORE
}

// TestALogoutEndsTheSessionAtTheGateway: after the logout, the session can't read its values, and its old JWT is
// refused.
func TestALogoutEndsTheSessionAtTheGateway(t *testing.T) {
	s := stack.Start(t)
	adams := login(t, s, clinic.DrAdams)
	token := adams.tokens(1)[0]
	s.Detokenize(t, adams.jwt, token).OK(t)
	r, err := adams.http.PostForm(s.AppURL+"/logout", nil)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, "UNAUTHENTICATED", s.Detokenize(t, adams.jwt, token).Code())
	require.NotContains(t, s.Logs.String(), strings.TrimPrefix(token, "tok-"))
}
