package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/bench/list"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// The queries of the list without and with the annotation: both answers have the same bytes.
const (
	plainListQuery = `query { rows { id name email city born visits token: plain } }`
	tokenListQuery = `query { rows { id name email city born visits token } }`
)

// listServer is a backend with one list, on a separate path for each way to serve it: with the gateway in its
// own process, which has the tokens of -own, and with the gateway at -remote, which has those of -others.
func listServer(args []string) error {
	flags := flag.NewFlagSet("list-server", flag.ExitOnError)
	listen, config, debug := flags.String("listen", "", ""), flags.String("config", "", ""), flags.String("debug", "", "")
	own, others := flags.String("own", "", "file of its gateway's tokens"), flags.String("others", "", "file of the other's")
	remote, jwt := flags.String("remote", "", ""), flags.String("jwt", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := gateway.LoadConfig(*config, nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g, err := gateway.New(ctx, cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	inProcess, err := g.Grants(tenant)
	if err != nil {
		return err
	}
	loopback, err := loopbackGrants(*remote, *jwt)
	if err != nil {
		return err
	}
	ownRows, err := rowsFrom(*own)
	if err != nil {
		return err
	}
	otherRows, err := rowsFrom(*others)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for path, h := range listHandlers(ownRows, inProcess) {
		mux.Handle(path, h)
	}
	for path, h := range listHandlers(otherRows, loopback) {
		mux.Handle("/loopback"+path, h)
	}
	mux.HandleFunc("/allocations", func(w http.ResponseWriter, r *http.Request) { countAllocations(w, r, mux) })
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	serveDebug(*debug)
	s := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go endWithStdin(func() { _ = s.Close(); stop() })
	go func() {
		if err := s.ListenAndServe(); err != http.ErrServerClosed {
			exit(fmt.Errorf("list server: %w", err))
		}
	}()
	return g.Serve(ctx, gateway.Listeners{})
}

// loopbackGrants returns the grants of a gateway in another process.
func loopbackGrants(endpoint, jwt string) (directives.Grants, error) {
	return client.New(client.Options{Endpoint: endpoint, Credentials: func(context.Context) (string, time.Time, error) {
		return jwt, time.Now().Add(time.Hour), nil
	}})
}

// rowsFrom makes a row for each token in a file.
func rowsFrom(file string) (list.Resolver, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var tokens []directives.TokenID
	if err := json.Unmarshal(text, &tokens); err != nil {
		return nil, err
	}
	rows := make(list.Resolver, len(tokens))
	for i, t := range tokens {
		n := strconv.Itoa(i)
		rows[i] = &list.Row{
			ID: n, Name: "Ada Lovelace " + n, Email: "ada" + n + "@example.org", City: "London", Born: "1815-12-10", Visits: i, Plain: t, Token: t,
		}
	}
	return rows, nil
}

// listHandlers are the ways to serve the list, by path.
func listHandlers(rows list.Resolver, grants directives.Grants) map[string]http.Handler {
	var sessions atomic.Int64
	return map[string]http.Handler{
		"/plain": listHandler(rows, nil),
		"/warm":  listHandler(rows, &directives.Options{Grants: grants, Session: requestSession, Remember: time.Hour}),
		"/each":  listHandler(rows, &directives.Options{Grants: grants, Session: requestSession, Remember: -1}),
		"/cold": listHandler(rows, &directives.Options{Grants: grants, Session: func(context.Context) (string, bool) {
			return "cold-" + strconv.FormatInt(sessions.Add(1), 10), true
		}}),
	}
}

// listHandler serves the rows as gqlgen recommends; without options, without @token.
func listHandler(rows list.Resolver, o *directives.Options) http.Handler {
	config := list.Config{Resolvers: rows}
	if o == nil {
		return withSession(newListServer(config))
	}
	o.Timeout = 30 * time.Second // on a slow machine the figures are slow, but there are some
	tokens, err := directives.New(*o)
	if err != nil {
		panic(err) // not reached: the options are complete
	}
	config.Directives.Token = tokens.Directive
	server := newListServer(config)
	server.Use(tokens)
	return withSession(server)
}

func newListServer(config list.Config) *handler.Server {
	server := handler.New(list.NewExecutableSchema(config))
	server.AddTransport(transport.POST{})
	server.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	return server
}

type sessionKey struct{}

// withSession replaces a backend's own login.
func withSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, session)))
	})
}

func requestSession(ctx context.Context) (string, bool) {
	session, ok := ctx.Value(sessionKey{}).(string)
	return session, ok
}

// countAllocations counts the allocations of one request of a path in this process, without a network to the caller.
func countAllocations(w http.ResponseWriter, r *http.Request, h http.Handler) {
	path, query := r.FormValue("path"), r.FormValue("query")
	text := string(body(query, nil))
	request := httptest.NewRequest(http.MethodPost, path, nil)
	request.Header.Set("Authorization", "Bearer allocations")
	request.Header.Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, testing.AllocsPerRun(20, func() {
		again := request.WithContext(context.Background())
		again.Body = readCloser{strings.NewReader(text)}
		h.ServeHTTP(&discard{header: http.Header{}}, again)
	}))
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// discard accepts an answer like net/http, and keeps its first bytes.
type discard struct {
	header http.Header
	start  []byte
	status int
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }
func (d *discard) Write(b []byte) (int, error) {
	if len(d.start) == 0 {
		d.start = append(d.start, b[:min(len(b), len(answerStart))]...)
	}
	return len(b), nil
}
