package minimal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/minimal"
)

const token = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"

// memory is a gateway with one token, which the session of the cookie "a" may store.
type memory struct{ created int }

func (m *memory) CreateGrants(_ context.Context, session string, grants []directives.Grant) (made []directives.Granted, err error) {
	m.created++
	for range grants { // one answer for each, in which no token is missing
		made = append(made, directives.Granted{ExpiresAt: time.Now().Add(time.Minute)})
	}
	return made, nil
}

func (m *memory) VerifyGrants(_ context.Context, session string, checks []directives.Check) (missing []directives.Check, err error) {
	for _, c := range checks {
		if session != appkit.SessionID("a") || c.Token != token || c.Kind != directives.GrantKindStore {
			missing = append(missing, c)
		}
	}
	return missing, nil
}

func TestTheSmallestBackend(t *testing.T) {
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	kit, err := appkit.New(appkit.Options{
		Issuer: "https://app.example", Audience: "https://gateway.example", Keys: keys,
		Session: func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
			login, err := r.Cookie("login")
			if err != nil {
				return appkit.Session{}, appkit.ErrNoSession
			}
			return appkit.Session{ID: login.Value, Subject: "user-" + login.Value}, nil
		},
	})
	require.NoError(t, err)
	grants := &memory{}
	backend, err := minimal.New(kit, grants)
	require.NoError(t, err)
	ask := func(login, query string) string {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+strings.ReplaceAll(query, `"`, `\"`)+`"}`))
		r.Header.Set("Content-Type", "application/json")
		if login != "" {
			r.AddCookie(&http.Cookie{Name: "login", Value: login})
		}
		w := httptest.NewRecorder()
		backend.ServeHTTP(w, r)
		return w.Body.String()
	}

	const add = `mutation { addNote(text: "` + token + `") { id text } }`
	require.Contains(t, ask("", add), `"UNAUTHENTICATED"`)
	require.Contains(t, ask("b", add), `"GRANT_REQUIRED"`)
	require.Equal(t, `{"data":{"notes":[]}}`, ask("a", `{ notes { text } }`), "nothing was written")
	require.Zero(t, grants.created)
	require.Equal(t, `{"data":{"addNote":{"id":"1","text":"`+token+`"}}}`, ask("a", add))
	require.Equal(t, `{"data":{"notes":[{"text":"`+token+`"}]}}`, ask("a", `{ notes { text } }`))
	require.Equal(t, 1, grants.created, "the grant that was just created is remembered")

	w := httptest.NewRecorder()
	backend.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.cloakroom/jwks.json", nil))
	require.Equal(t, http.StatusOK, w.Code)
}

// TestTheGuideQuotesThisBackend: docs/backends.md and README.md show code that was compiled.
func TestTheGuideQuotesThisBackend(t *testing.T) {
	guide, readme := read(t, "../../docs/backends.md"), read(t, "../../README.md")
	source := read(t, "minimal.go")
	_, lines, ok := strings.Cut(source, "\t// ten lines: begin\n")
	require.True(t, ok)
	lines, _, ok = strings.Cut(lines, "\t// ten lines: end\n")
	require.True(t, ok)
	var quoted strings.Builder
	for line := range strings.Lines(lines) {
		quoted.WriteString(strings.TrimPrefix(line, "\t"))
	}
	require.Contains(t, guide, "\tmux := http.NewServeMux()\n"+lines+"\treturn mux, nil\n")
	require.Contains(t, readme, "```go\n"+quoted.String()+"```\n")
	require.Contains(t, guide, "```graphql file graph/schema.graphqls\n"+read(t, "graph/schema.graphqls")+"```\n")
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}
