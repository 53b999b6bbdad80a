package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// exhausted are rates that refuse everything.
type exhausted struct{}

func (exhausted) Anonymous(*http.Request) error { return fault.Limited(time.Second) }

// allRoutes is the table of a gateway that has every route.
func allRoutes() []guard.Route {
	nothing := http.NotFoundHandler()
	return routes(Options{
		Authenticator: credentials{}, Rates: exhausted{}, Logger: slog.New(slog.DiscardHandler), Playground: nothing, Metrics: nothing, SignIn: echo{},
		Logout: func(http.ResponseWriter, *http.Request, guard.Admit) {},
	}, func(http.ResponseWriter, *http.Request, guard.Admit) {})
}

// TestRoutesAreDocumented compares docs/api.md with the table.
func TestRoutesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(doc), "| route | methods | Origin | guards, in their order |\n|---|---|---|---|\n")
	require.True(t, found, "docs/api.md has the table of routes")
	listed, _, _ := strings.Cut(rest, "\n\n")
	var want []string
	table := allRoutes()
	for i := range table {
		r := &table[i]
		origin, methods, guards := "own and allowed", strings.Join(r.Methods, ", "), make([]string, len(r.Guards))
		if r.AnyOrigin {
			origin = "the guard's"
		}
		if r.Methods == nil {
			methods = "its own"
		}
		for n, g := range r.Guards {
			guards[n] = g.Name
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", r.Path, methods, origin, strings.Join(guards, ", ")))
	}
	require.Equal(t, strings.Join(want, "\n"), listed)
}

// TestRoutesAdmitTheirMethods: each route refuses methods that are not in its row, and says which it accepts.
func TestRoutesAdmitTheirMethods(t *testing.T) {
	s := newServer(t, resolver{}, func(o *Options) { o.SignIn = answering{} })
	table := allRoutes()
	for i := range table {
		r := &table[i]
		if r.Methods == nil || r.Path == "/metrics" || r.Path == "/session/back-channel-logout" { // not set in this server
			continue
		}
		t.Run(r.Path, func(t *testing.T) {
			a := s.do(t, httptest.NewRequest(http.MethodDelete, publicURL+r.Path, http.NoBody))
			require.Equal(t, http.StatusMethodNotAllowed, a.status)
			require.Equal(t, strings.Join(r.Methods, ", "), a.header.Get("Allow"))
		})
	}
}

// answering is a SignIn that calls admit, and answers with the error's status.
type answering struct{}

func (answering) ask(w http.ResponseWriter, admit guard.Admit) {
	if _, err := admit(); err != nil {
		w.WriteHeader(statusOf(err))
	}
}

func (a answering) Verify(w http.ResponseWriter, _ *http.Request, admit guard.Admit) { a.ask(w, admit) }
func (a answering) Ensure(w http.ResponseWriter, _ *http.Request, admit guard.Admit) { a.ask(w, admit) }
func (a answering) Create(w http.ResponseWriter, _ *http.Request, admit guard.Admit) { a.ask(w, admit) }
func (a answering) End(w http.ResponseWriter, _ *http.Request, admit guard.Admit)    { a.ask(w, admit) }

func (answering) FromProvider() guard.Guard { return pass("provider's page") }
func (answering) Rate() guard.Guard         { return pass("sign-in rate") }

func pass(name string) guard.Guard {
	return guard.Guard{Name: name, Check: func(*guard.Visit) error { return nil }}
}

// TestGuardsRefuse: a request that breaks one guard's condition, and no other, is refused on every route that has it.
func TestGuardsRefuse(t *testing.T) {
	hash := caller.HashSession("clinic", "s")
	user, ambient := &caller.Caller{Tenant: "clinic", Session: &hash}, &caller.Caller{Tenant: "clinic", Session: &hash, Ambient: true}
	breaks := map[string]struct {
		who    *caller.Caller
		err    error
		header [2]string
		want   int
		only   string // the method by which it can be broken; "": any
	}{
		"json":         {user, nil, [2]string{"Content-Type", "text/plain"}, 415, http.MethodPost},
		"form":         {user, nil, [2]string{"Content-Type", "text/plain"}, 415, http.MethodPost},
		"preflight":    {user, nil, [2]string{"Sec-Fetch-Mode", "navigate"}, 403, http.MethodGet},
		"script":       {user, nil, [2]string{"Sec-Fetch-Mode", "no-cors"}, 403, ""},
		"navigation":   {user, nil, [2]string{"Sec-Fetch-Mode", "cors"}, 403, ""},
		"credential":   {nil, fault.New(fault.Unauthenticated, "no"), [2]string{}, 401, ""},
		"ambient":      {ambient, nil, [2]string{}, 403, http.MethodPost},
		"same session": {user, nil, [2]string{guard.SessionHashHeader, "another"}, 412, ""},
		"end user":     {&caller.Caller{Tenant: "clinic", Roles: []string{caller.RoleApplication}}, nil, [2]string{}, 403, ""},

		"anonymous rate": {nil, nil, [2]string{}, 429, ""},
	}
	ofSignIn := map[string]bool{"sign-in rate": true, "provider's page": true} // internal/signin breaks them
	tried := map[string]bool{}
	table := allRoutes()
	for i := range table {
		for _, g := range table[i].Guards {
			if ofSignIn[g.Name] {
				continue
			}
			b, ok := breaks[g.Name]
			require.True(t, ok, "nothing here breaks %q, a guard of %s", g.Name, table[i].Path)
			tried[g.Name] = true
			t.Run(table[i].Path+" "+g.Name, func(t *testing.T) {
				method := table[i].Methods[0]
				if b.only != "" {
					method = b.only
				}
				r := httptest.NewRequestWithContext(context.Background(), method, publicURL+table[i].Path, http.NoBody)
				r.Header.Set("Content-Type", "application/json")
				if table[i].Guards[len(table[i].Guards)-1].Name == "form" || table[i].AnyOrigin {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				if b.header[0] != "" {
					r.Header.Set(b.header[0], b.header[1])
				}
				route := table[i]
				route.Guards = make([]guard.Guard, len(table[i].Guards))
				for n, other := range table[i].Guards {
					switch {
					case other.Name == "credential":
						other = guard.Credential(found{b.who, b.err})
					case ofSignIn[other.Name], other.Name == "anonymous rate" && g.Name != other.Name:
						other = pass(other.Name)
					}
					route.Guards[n] = other
				}
				var got error
				route.Handler = func(_ http.ResponseWriter, _ *http.Request, admit guard.Admit) { _, got = admit() }
				route.ServeHTTP(httptest.NewRecorder(), r)
				require.Error(t, got)
				require.Equal(t, b.want, statusOf(got))
			})
		}
	}
	require.Len(t, tried, len(breaks), "every guard is on a route")
}

type found struct {
	who *caller.Caller
	err error
}

func (f found) Authenticate(*http.Request) (*caller.Caller, error) { return f.who, f.err }
