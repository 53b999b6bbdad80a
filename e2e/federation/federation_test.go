package federation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/e2e/federation"
	"github.com/cloakroomhq/cloakroom/e2e/federation/subgraphs/archive"
	"github.com/cloakroomhq/cloakroom/e2e/federation/subgraphs/notes"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// graph is a gateway, two subgraphs of one application, and a router in front of them.
type graph struct {
	*gatewaytest.Gateway
	app                    *client.Client
	router, notes, archive string
	found                  func() int64 // number of the archive's entity lookups
}

type loginKey struct{}

// session returns a subgraph's caller: the cookie of the application's login.
func session(ctx context.Context) (string, bool) {
	login, ok := ctx.Value(loginKey{}).(string)
	return appkit.SessionID(login), ok
}

func start(t *testing.T) *graph {
	t.Helper()
	g := &graph{Gateway: gatewaytest.Start(t, nil)}
	g.app = g.client(t, g.Application(gatewaytest.Own))

	writings := &notes.Resolver{Session: session}
	g.notes = g.serve(t, func(tokens *directives.Tokens) graphql.ExecutableSchema {
		return notes.NewExecutableSchema(notes.Config{Resolvers: writings, Directives: notes.DirectiveRoot{Token: tokens.Directive}})
	})
	scans := &archive.Resolver{}
	g.found = scans.Found.Load
	g.archive = g.serve(t, func(tokens *directives.Tokens) graphql.ExecutableSchema {
		return archive.NewExecutableSchema(archive.Config{Resolvers: scans, Directives: archive.DirectiveRoot{Token: tokens.Directive}})
	})
	g.router = federation.StartRouter(t, map[string]string{"notes": g.notes, "archive": g.archive})
	return g
}

func (g *graph) client(t *testing.T, credentials gatewaytest.Credentials) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: g.URL, Credentials: credentials})
	require.NoError(t, err)
	return c
}

// serve starts a subgraph whose @token calls the gateway, and returns its URL.
func (g *graph) serve(t *testing.T, schema func(*directives.Tokens) graphql.ExecutableSchema) string {
	t.Helper()
	tokens, err := directives.New(directives.Options{Grants: g.app, Session: session, Remember: -1})
	require.NoError(t, err)
	server := handler.New(schema(tokens))
	server.AddTransport(transport.POST{})
	server.Use(extension.Introspection{}) // the router reads _service
	server.Use(tokens)
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if login, err := r.Cookie("login"); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), loginKey{}, login.Value))
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(listening.Close)
	return listening.URL
}

// tokenize makes a token of a session's.
func (g *graph) tokenize(t *testing.T, login string) string {
	t.Helper()
	made, err := g.client(t, g.Session(gatewaytest.Own, login)).Tokenize(t.Context(), client.Value{Size: new(int64(1))})
	require.NoError(t, err)
	return made.Token
}

// mayRead reports whether a session holds a READ grant on a token.
func (g *graph) mayRead(t *testing.T, login, token string) bool {
	t.Helper()
	missing, err := g.app.VerifyGrants(t.Context(), appkit.SessionID(login), []directives.Check{{Token: token, Kind: directives.GrantKindRead}})
	require.NoError(t, err)
	return len(missing) == 0
}

type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	raw string
}

// refused returns code and path of each error.
func (a *answer) refused() (lines []string) {
	for _, e := range a.Errors {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Extensions["code"], " ", e.Path)))
	}
	return lines
}

func ask(t *testing.T, url, login, query string, variables map[string]any) *answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if login != "" {
		r.AddCookie(&http.Cookie{Name: "login", Value: login})
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := &answer{raw: string(raw)}
	require.NoError(t, json.Unmarshal(raw, a), string(raw))
	return a
}

const entities = `query($r: [_Any!]!) { _entities(representations: $r) { ... on Note { text scan } ... on Letter { text words } } }`

func representation(typename, text string) map[string]any {
	return map[string]any{"r": []any{map[string]any{"__typename": typename, "text": text}}}
}

func TestFederation(t *testing.T) {
	g := start(t)
	text, scan := g.tokenize(t, "alice"), g.tokenize(t, "alice")
	saved := ask(t, g.router, "alice", `mutation($text: TokenID!, $scan: TokenID!) { addNote(text: $text) { id } archive(text: $text, scan: $scan) { text } }`,
		map[string]any{"text": text, "scan": scan})
	require.Empty(t, saved.Errors, saved.raw)

	t.Run("an honest query makes one call each way in each subgraph", func(t *testing.T) {
		require.NoError(t, revoke(t, g, "alice", text, scan))
		verifies, creates := g.Requests(t, "verifyGrants"), g.Requests(t, "createGrants")
		a := ask(t, g.router, "alice", `{ notes { id text scan } }`, nil)
		require.Empty(t, a.Errors, a.raw)
		require.Equal(t, []any{map[string]any{"id": "1", "text": text, "scan": scan}}, a.Data["notes"])
		require.Equal(t, 1, g.Requests(t, "verifyGrants")-verifies, "for the representation")
		require.Equal(t, 2, g.Requests(t, "createGrants")-creates, "one for each subgraph")
		require.True(t, g.mayRead(t, "alice", text) && g.mayRead(t, "alice", scan))
	})
	t.Run("a foreign token in a representation is refused", func(t *testing.T) {
		for _, of := range []string{"Note", "Letter"} {
			found, creates := g.found(), g.Requests(t, "createGrants")
			a := ask(t, g.archive, "mallory", entities, representation(of, text))
			require.Equal(t, []string{"GRANT_REQUIRED [_entities representations 0 text]"}, a.refused(), a.raw)
			require.Nil(t, a.Data)
			require.Equal(t, found, g.found(), "no resolver ran")
			require.Equal(t, creates, g.Requests(t, "createGrants"))
		}
		require.False(t, g.mayRead(t, "mallory", text) || g.mayRead(t, "mallory", scan))
	})
	t.Run("the router passes on the refusal", func(t *testing.T) {
		found := g.found()
		a := ask(t, g.router, "mallory", `query($text: TokenID!) { letter(text: $text) { words text } }`, map[string]any{"text": text})
		require.Equal(t, []string{"GRANT_REQUIRED [letter _entities representations 0 text]"}, a.refused(), a.raw)
		require.Equal(t, found, g.found(), "no resolver ran")
		require.False(t, g.mayRead(t, "mallory", text))
		a = ask(t, g.router, "alice", `query($text: TokenID!) { letter(text: $text) { words } }`, map[string]any{"text": text})
		require.Empty(t, a.Errors, a.raw)
	})
	t.Run("without a session", func(t *testing.T) {
		a := ask(t, g.archive, "", entities, representation("Note", text))
		require.Equal(t, []string{"UNAUTHENTICATED [_entities representations 0 text]"}, a.refused(), a.raw)
		require.Nil(t, a.Data)
	})
}

// revoke revokes a session's grants on tokens.
func revoke(t *testing.T, g *graph, login string, tokens ...string) error {
	t.Helper()
	_, err := g.app.RevokeGrants(t.Context(), client.Revocation{Session: appkit.SessionID(login), Tokens: tokens})
	return err
}
