package e2e_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/resolvers"
)

func TestHealthAndReadiness(t *testing.T) {
	s := stack.Start(t)
	assert.Equal(t, http.StatusOK, s.Get(t, s.GatewayURL+"/healthz").Status)
	ready := s.Get(t, s.GatewayURL+"/readyz")
	assert.Equal(t, http.StatusOK, ready.Status)
	assert.JSONEq(t, `{"status":"ok","parts":{"database":"ok","objects":"ok","keys":"ok","space":"ok"}}`, string(ready.Body))
	assert.Equal(t, http.StatusMethodNotAllowed, s.Do(t, http.MethodPost, s.GatewayURL+"/readyz", nil, nil).Status)
}

// A gateway that has lost its database or its store keeps running, and its readiness names the part.
func TestReadinessNamesThePartThatIsGone(t *testing.T) {
	for part, lose := range map[string]string{"database": "cloakroom.db", "objects": filepath.Join("objects", "values", "objects")} {
		t.Run(part, func(t *testing.T) {
			s := stack.Start(t)
			require.NoError(t, os.Rename(filepath.Join(s.Data, lose), filepath.Join(s.Data, "elsewhere")))
			var answer stack.Answer
			stack.Await(t, "the gateway to notice", func() bool {
				answer = s.Get(t, s.GatewayURL+"/readyz")
				return answer.Status == http.StatusServiceUnavailable
			})
			assert.Contains(t, string(answer.Body), `"`+part+`":"unavailable"`)
			assert.NotContains(t, string(answer.Body), s.Data, "the reason is only in the log")
			assert.Equal(t, http.StatusOK, s.Get(t, s.GatewayURL+"/healthz").Status)

			require.NoError(t, os.Rename(filepath.Join(s.Data, "elsewhere"), filepath.Join(s.Data, lose)))
			stack.Await(t, "readiness again", func() bool { return s.Get(t, s.GatewayURL+"/readyz").Status == http.StatusOK })
		})
	}
}

func TestMetricsCountOperations(t *testing.T) {
	s := stack.Start(t)
	me, other := s.Session(t), s.Session(t)
	app := s.ApplicationJWT(t)
	token, _ := s.Store(t, me.JWT, []byte("x"), nil)
	s.Read(t, me.JWT, token)
	s.Detokenize(t, other.JWT, token)
	s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": other.ID(t), "grants": []any{stack.Vars{"tokens": []string{token}}}}}).OK(t)
	s.Query(t, app, stack.VerifyGrants, stack.Vars{"input": stack.Vars{"sessionId": other.ID(t), "checks": stack.Checks("STORE", token)}}).OK(t)
	s.Query(t, "rubbish", stack.Viewer, nil)
	s.Query(t, "", `query secretName { secretAlias: viewer { tenant } }`, nil)
	s.Query(t, "", `{ nope }`, nil)
	for name, want := range map[string]string{
		`requests_total{code="",field="tokenize"}`:                 "1",
		`requests_total{code="",field="detokenize"}`:               "1",
		`requests_total{code="GRANT_REQUIRED",field="detokenize"}`: "1",
		`requests_total{code="UNAUTHENTICATED",field="refused"}`:   "1",
		`requests_total{code="BAD_USER_INPUT",field="refused"}`:    "1",
		`requests_total{code="",field="viewer"}`:                   "1",
		`grants_created_total{kind="READ"}`:                        "2",
		`grants_created_total{kind="STORE"}`:                       "1",
		`grants_checked_total{kind="READ",result="held"}`:          "1",
		`grants_checked_total{kind="READ",result="missing"}`:       "1",
		`grants_checked_total{kind="STORE",result="missing"}`:      "1",
		`presigned_total{method="PUT"}`:                            "1",
		`presigned_total{method="GET"}`:                            "1",
		`credentials_total{outcome="verified"}`:                    "3",
		`credentials_total{outcome="remembered"}`:                  "2",
		`credentials_total{outcome="refused"}`:                     "1",
		`request_duration_seconds_count{field="tokenize"}`:         "1",
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, want, metric(t, s, "cloakroom_"+name), name)
		})
	}
	page := string(s.Get(t, s.GatewayURL+"/metrics").Body)
	assert.NotContains(t, page, "secretName", "names that clients choose are no labels")
	assert.NotContains(t, page, "secretAlias")
	assert.NotContains(t, page, "nope")
	assert.Contains(t, page, "cloakroom_build_info")
}

func TestTracesArriveAndHoldNoSecret(t *testing.T) {
	var mu sync.Mutex
	var got []byte
	var paths []string
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		b, _ := io.ReadAll(body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, b...)
		paths = append(paths, r.URL.Path)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.Tracing.Endpoint = collector.URL }))
	me := s.Session(t)
	token, _ := s.Store(t, me.JWT, []byte("a value to trace"), stack.Vars{"filename": "a name to trace.txt"})
	s.Read(t, me.JWT, token)
	key := s.DataKey(t, me.JWT, token)
	s.Detokenize(t, s.Session(t).JWT, token)
	s.Query(t, me.JWT, `query secretName { detokenise(token: "`+token+`") }`, nil)
	const parent = "0af7651916cd43dd8448eb211c80319c"
	s.Do(t, http.MethodPost, s.GatewayURL+"/graphql", http.Header{"Content-Type": {asJSON},
		"Traceparent": {"00-" + parent + "-b7ad6b7169203331-01"}}, []byte(`{"query":"{ viewer { tenant } }"}`))
	s.Stop(t) // sends the remaining traces

	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, paths)
	assert.Equal(t, "/v1/traces", paths[0])
	for _, want := range []string{"cloakroom", "graphql.field", "tokenize", "detokenize", "GRANT_REQUIRED"} {
		assert.Contains(t, string(got), want)
	}
	assert.Contains(t, string(got), "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", "the trace continues the caller's")
	secrets := &stack.Needles{}
	secrets.Add("token", []byte(token))
	secrets.Add("token's UUID", []byte(uuidBytes(token)))
	secrets.Add("value", []byte("a value to trace"))
	secrets.Add("filename", []byte("a name to trace.txt"))
	secrets.Add("operation's name", []byte("query secretName"))
	secrets.Add("data key", key)
	addSession(t, secrets, me)
	assert.Empty(t, secrets.Find(got))
}

type panicking struct{ graph.ResolverRoot }

func (p panicking) Query() graph.QueryResolver { return panickingQuery{p.ResolverRoot.Query()} }

type panickingQuery struct{ graph.QueryResolver }

func (panickingQuery) Viewer(context.Context) (*model.Viewer, error) {
	panic("a resolver's secret thought")
}

type nobody struct{}

func (nobody) Authenticate(*http.Request) (*caller.Caller, error) { return nil, nil }
func (nobody) Request(string, string, time.Duration)              {}

// A panic in one resolver fails one request: the client gets an id, the log has the reason, the process goes on.
func TestAPanicFailsItsRequestOnly(t *testing.T) {
	logs := &stack.Buffer{}
	c := gateway.DefaultConfig()
	handler, err := httpd.New(httpd.Options{
		Schema:        graph.NewExecutableSchema(graph.Config{Resolvers: panicking{&resolvers.Resolver{}}}),
		Authenticator: nobody{}, Observer: nobody{}, HTTP: c.HTTP, GraphQL: c.GraphQL,
		Logger: slog.New(httpd.LogRequestIDs(slog.NewJSONHandler(logs, nil))), Tracer: noop.NewTracerProvider().Tracer(""),
	})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	s := &stack.Stack{GatewayURL: server.URL, HTTP: server.Client()}
	for range 3 {
		r := s.Query(t, "", `{ __typename viewer { tenant } }`, nil)
		assert.Equal(t, http.StatusOK, r.Status)
		require.Equal(t, "INTERNAL", r.Code())
		assert.Equal(t, "[viewer]", r.Path())
		assert.Equal(t, "Query", r.At("__typename"), "the answer has the other fields")
		assert.NotContains(t, string(r.Raw), "secret thought")
		id := r.Errors[0].RequestID
		require.NotEmpty(t, id)
		assert.Equal(t, id, r.Header.Get("X-Request-Id"))
		assert.Contains(t, logs.String(), strconv.Quote(id))
	}
	assert.Equal(t, 3, strings.Count(logs.String(), "a resolver's secret thought"))
	assert.Contains(t, logs.String(), "operations_test.go", "with the stack")
}
