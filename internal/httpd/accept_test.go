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

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// refusing refuses every request.
type refusing struct{ why error }

func (r refusing) Authenticate(*http.Request) (*caller.Caller, error) { return nil, r.why }

// TestRefusalsHaveTheAcceptedMediaType: each refusal, at every stage, is a GraphQL error in the media type that the request
// accepts, or in the older one if it accepts neither.
func TestRefusalsHaveTheAcceptedMediaType(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s := newServer(t, resolver{}, func(o *Options) { o.HTTP.MaxBody = 2000 })
	unavailable := newServer(t, resolver{}, func(o *Options) { o.Authenticator = refusing{fault.New(fault.Unavailable, "Try again later.")} })
	hash := caller.HashSession("clinic", "s")
	pinned := newServer(t, resolver{}, func(o *Options) { o.Authenticator = signedIn{&caller.Caller{Tenant: "clinic", Session: &hash}} })
	limited := newServer(t, resolver{}, func(o *Options) { o.Authenticator = refusing{fault.New(fault.RateLimited, "Wait.")} })
	documented, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	good := bodyOf("{viewer{tenant}}")
	with := func(name, value string) *http.Request {
		r := post(good)
		r.Header.Set(name, value)
		return r
	}
	method := func(method, query string) *http.Request {
		return httptest.NewRequest(method, publicURL+"/graphql?"+query, http.NoBody)
	}
	for name, test := range map[string]struct {
		of      *server
		request func() *http.Request
		status  int
		code    string
	}{
		"expired credential": {s, func() *http.Request { return with("Authorization", "Bearer expired") }, 401, "UNAUTHENTICATED"},
		"another origin":     {s, func() *http.Request { return with("Origin", "https://evil.example") }, 403, "FORBIDDEN"},
		"GET of another site": {s, func() *http.Request {
			r := method("GET", "query={viewer{tenant}}")
			r.Header.Set("Cookie", "a=b")
			return r
		}, 403, "FORBIDDEN"},
		"ambient without Origin":    {s, func() *http.Request { return with("Authorization", "Bearer ambient") }, 403, "FORBIDDEN"},
		"another method":            {s, func() *http.Request { return method("PUT", "") }, 405, "BAD_USER_INPUT"},
		"OPTIONS, no preflight":     {s, func() *http.Request { return method("OPTIONS", "") }, 405, "BAD_USER_INPUT"},
		"GET of a mutation":         {s, func() *http.Request { return method("GET", "query=mutation{deleteTokens(tokens:[]){deleted}}") }, 405, "BAD_USER_INPUT"},
		"another session":           {s, func() *http.Request { return with("Cloakroom-Session-Hash", strings.Repeat("0", 64)) }, 401, "UNAUTHENTICATED"},
		"pinned to another session": {pinned, func() *http.Request { return with("Cloakroom-Session-Hash", strings.Repeat("0", 64)) }, 412, "SESSION_CHANGED"},
		"too many":                  {limited, func() *http.Request { return post(good) }, 429, "RATE_LIMITED"},
		"too large":                 {s, func() *http.Request { return post(good + strings.Repeat(" ", 2000)) }, 413, "LIMIT_EXCEEDED"},
		"another content type":      {s, func() *http.Request { return with("Content-Type", "text/plain") }, 415, "BAD_USER_INPUT"},
		"compressed":                {s, func() *http.Request { return with("Content-Encoding", "gzip") }, 415, "BAD_USER_INPUT"},
		"malformed":                 {s, func() *http.Request { return post("{") }, 400, "BAD_USER_INPUT"},
		"no query":                  {s, func() *http.Request { return post("{}") }, 400, "BAD_USER_INPUT"},
		"unavailable":               {unavailable, func() *http.Request { return post(good) }, 503, "UNAVAILABLE"},
		"out of time":               {s, func() *http.Request { return post(good).WithContext(over) }, 503, "UNAVAILABLE"},
		"panic":                     {s, func() *http.Request { return with("Authorization", "Bearer panic") }, 500, "INTERNAL"},
	} {
		require.Contains(t, string(documented), fmt.Sprintf("\n| %d | `%s` |", test.status, test.code), "docs/api.md")
		for accept, want := range map[string]string{
			"": mediaJSON, "application/json": mediaJSON, mediaGraphQL: mediaGraphQL, mediaGraphQL + ",application/json;q=0.9": mediaGraphQL,
			"*/*": mediaJSON, "application/json;q=0,*/*": mediaGraphQL, "text/html": mediaJSON, "application/json;q=0": mediaJSON,
		} {
			t.Run(name+", "+accept, func(t *testing.T) {
				r := test.request()
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				a := test.of.do(t, r)
				require.Equal(t, want+"; charset=utf-8", a.header.Get("Content-Type"))
				require.NotContains(t, a.raw, `"data"`)
				if _, err := negotiate(r.Header.Values("Accept")); err != nil && test.status != 403 {
					require.Equal(t, http.StatusNotAcceptable, a.status)
					require.Equal(t, "BAD_USER_INPUT", a.code())
					return
				}
				if a.status != http.StatusNotAcceptable { // 403 of an origin comes before
					require.Equal(t, test.status, a.status, a.raw)
					require.Equal(t, test.code, a.code())
				}
			})
		}
	}
}

// TestRefuseHasTheAcceptedMediaType: so is a refusal before the gateway's own handler, for example of another host name in
// development.
func TestRefuseHasTheAcceptedMediaType(t *testing.T) {
	for accept, want := range map[string]string{"": mediaJSON, "application/json": mediaJSON, mediaGraphQL: mediaGraphQL, "*/*": mediaJSON, "text/html": mediaJSON} {
		t.Run(accept, func(t *testing.T) {
			r := post("{}")
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			Refuse(slog.New(slog.DiscardHandler))(w, r, http.StatusMisdirectedRequest, fault.New(fault.Forbidden, "Another name."))
			require.Equal(t, http.StatusMisdirectedRequest, w.Code)
			require.Equal(t, want+"; charset=utf-8", w.Header().Get("Content-Type"))
			require.JSONEq(t, `{"errors":[{"message":"Another name.","extensions":{"code":"FORBIDDEN"}}]}`, w.Body.String())
		})
	}
}

// TestAllowedHeaders: a preflight passes with the headers of the setting and of the protocol, and with no others.
func TestAllowedHeaders(t *testing.T) {
	ask := func(s *server, headers string) string {
		r := httptest.NewRequest(http.MethodOptions, publicURL+"/graphql", http.NoBody)
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("Access-Control-Request-Headers", headers)
		return s.do(t, r).header.Get("Access-Control-Allow-Headers")
	}
	standard := newServer(t, resolver{}, nil)
	own := newServer(t, resolver{}, func(o *Options) { o.HTTP.AllowedHeaders = []string{"X-Trace"} })
	for name, test := range map[string]struct {
		of      *server
		headers string
		allowed bool
	}{
		"the protocol's":         {standard, "authorization,cloakroom-session-hash,content-type,graphql-require-preflight", true},
		"tracing":                {standard, "authorization,baggage,content-type,sentry-trace,traceparent,tracestate", true},
		"Apollo Client's":        {standard, "apollographql-client-name,apollographql-client-version,content-type", true},
		"unlisted":               {standard, "content-type,x-trace", false},
		"forwarded":              {standard, "content-type,x-forwarded-for", false},
		"listed":                 {own, "authorization,content-type,x-trace", true},
		"no longer listed":       {own, "content-type,traceparent", false},
		"the protocol's, always": {own, "authorization,graphql-require-preflight", true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.allowed {
				require.Equal(t, test.headers, ask(test.of, test.headers))
				return
			}
			require.Empty(t, ask(test.of, test.headers))
		})
	}
}
