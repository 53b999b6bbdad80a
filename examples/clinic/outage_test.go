package clinic_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

// patience is how long the clinic waits for the gateway here.
const patience = 3 * time.Second

// broken is a gateway that is down, or slow.
type broken struct {
	t    *testing.T
	wait bool
}

func (b broken) fail(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok || time.Until(deadline) > patience {
		b.t.Error("a call to the gateway may take too long")
	}
	if b.wait {
		<-ctx.Done()
	}
	return errors.New("connection refused to 10.0.0.7")
}

func (b broken) CreateGrants(ctx context.Context, _ string, _ []directives.Grant) ([]directives.Granted, error) {
	return nil, b.fail(ctx)
}

func (b broken) VerifyGrants(ctx context.Context, _ string, _ []directives.Check) ([]directives.Check, error) {
	return nil, b.fail(ctx)
}

// at returns a client of the gateway at the address.
func at(t *testing.T, url string) directives.Grants {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: url, MaxAnswer: 1 << 20,
		Credentials: func(context.Context) (string, time.Time, error) { return "jwt", time.Now().Add(time.Hour), nil }})
	require.NoError(t, err)
	return c
}

// answering returns a gateway that gives every call the same answer.
func answering(t *testing.T, answer http.HandlerFunc) directives.Grants {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return at(t, server.URL)
}

func written(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// outages are gateways that all fail to create grants.
func outages(t *testing.T) map[string]directives.Grants {
	gateways := map[string]directives.Grants{"down": broken{t: t}, "slow": broken{t: t, wait: true}, "no connection": at(t, "http://127.0.0.1:1")}
	for name, body := range map[string]string{
		"cut off": `{"data":{"createGrants":{"grants":[`, "wrong types": `{"data":{"createGrants":{"grants":"all"},"verifyGrants":{"valid":"yes","missing":7}}}`,
		"null data": `{"data":null}`, "null fields": `{"data":{"createGrants":null,"verifyGrants":null}}`,
		"huge": `{"data":"` + strings.Repeat("10.0.0.7 ", 1<<17) + `"}`, "nothing": "",
	} {
		gateways[name] = answering(t, written("application/json", body))
	}
	gateways["HTML"] = answering(t, written("text/html", "<h1>10.0.0.7 is under maintenance</h1>"))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	gateways["a redirect"] = answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	return gateways
}

// TestTheGatewayIsDownSlowOrAnswersRubbish: reads return their tokens with an error for each, and writes are refused
// before anything is written, both within the timeout; everything works again once the gateway does.
func TestTheGatewayIsDownSlowOrAnswersRubbish(t *testing.T) {
	s := newStack(t, func(o *clinic.Options) { o.GrantTimeout = patience })
	adams := s.login(t, clinic.DrAdams)
	_, tokens := adams.addPatient("Ada Quill")
	fresh := adams.tokens(1)
	for name, gateway := range outages(t) {
		t.Run(name, func(t *testing.T) {
			adams := s.login(t, clinic.DrAdams) // a new session: none of its grants is remembered
			works := s.grants.set(gateway)
			defer s.grants.set(works)
			start := time.Now()
			r := adams.ask(`{ patients { name ssn notes { body } } }`, nil)
			require.Less(t, time.Since(start), 30*time.Second)
			require.Contains(t, fmt.Sprint(r.Data), tokens[0], "the tokens stay in the data")
			paths := map[string]string{}
			for _, e := range r.Errors {
				paths[fmt.Sprint(e.Path)] = e.Extensions.Code
				require.NotContains(t, e.Message, "10.0.0.7")
			}
			require.Equal(t, map[string]string{
				"[patients 1 ssn]": "UNAVAILABLE", "[patients 1 notes 0 body]": "UNAVAILABLE",
			}, paths)

			r = adams.ask(addPatients, map[string]any{"inputs": []any{map[string]any{"name": "Nobody", "ssn": fresh[0]}}})
			require.Equal(t, "UNAVAILABLE", r.code(t))
			require.NotContains(t, r.Errors[0].Message, "10.0.0.7")
			require.Nil(t, r.Data)
			require.NotContains(t, names(adams.must(`{ patients { name } }`, nil)["patients"]), "Nobody")

			s.grants.set(works)
			adams.must(`{ patients { ssn } }`, nil)
			require.True(t, adams.mayRead(tokens[0]), "it works again with the gateway")
		})
	}
}
