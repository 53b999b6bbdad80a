package httpd

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// TestNegotiation: the older media type unless the newer is asked for by name.
func TestNegotiation(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	for accept, want := range map[string]string{
		"": mediaJSON, "*/*": mediaJSON, "application/*": mediaJSON, "application/json": mediaJSON, mediaGraphQL: mediaGraphQL,
		mediaGraphQL + ", application/json": mediaGraphQL, "application/json, " + mediaGraphQL: mediaJSON, "text/html, */*;q=0.1": mediaJSON,
		mediaGraphQL + ";charset=utf-8": mediaGraphQL, "APPLICATION/JSON": mediaJSON, "garbage, application/json": mediaJSON,
		mediaGraphQL + ";q=0, application/json": mediaJSON, "application/json;q=0, */*": mediaGraphQL, mediaGraphQL + ";q=0, */*": mediaJSON, "application/json;q=0.5, " + mediaGraphQL: mediaGraphQL,
		mediaGraphQL + ";q=0.5, application/json": mediaJSON, "*/*, " + mediaGraphQL + ";q=0.1": mediaJSON, mediaGraphQL + ",application/json;q=0.9": mediaGraphQL,
		"application/*;q=0, */*": "", mediaGraphQL + ";q=2": "", mediaGraphQL + ", */*": mediaGraphQL, "application/json;charset=utf-8;q=0.9,*/*;q=0.8": mediaJSON,
		"text/html": "", "application/xml;q=1": "", "application/json;q=0": "", "application/json;q=0.000": "", ";": "",
	} {
		t.Run(accept, func(t *testing.T) {
			r := post(bodyOf("{viewer{tenant}}"))
			if accept != "" {
				r.Header.Set("Accept", accept)
			}
			a := s.do(t, r)
			if want == "" {
				require.Equal(t, http.StatusNotAcceptable, a.status, accept)
				return
			}
			require.Equal(t, http.StatusOK, a.status, accept)
			require.Equal(t, want+"; charset=utf-8", a.header.Get("Content-Type"), accept)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		})
	}
	for mediaType, want := range map[string]int{mediaJSON: http.StatusOK, mediaGraphQL: http.StatusBadRequest} {
		t.Run(mediaType, func(t *testing.T) {
			r := post(bodyOf("{nothing}"))
			r.Header.Set("Accept", mediaType)
			a := s.do(t, r)
			require.Equal(t, want, a.status)
			require.NotContains(t, a.raw, `"data"`)
		})
	}
}

// TestCrossSiteRequests: a request that a form, a link or an image of another site could send is refused before anything
// runs.
func TestCrossSiteRequests(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	get := "GET ?query={viewer{tenant}}"
	for name, test := range map[string]struct {
		what   string
		header map[string]string
		status int
	}{
		"JSON":                                   {"POST", nil, 200},
		"JSON with a charset":                    {"POST", map[string]string{"Content-Type": "application/json; charset=UTF-8"}, 200},
		"no type":                                {"POST", map[string]string{"Content-Type": ""}, 415},
		"text":                                   {"POST", map[string]string{"Content-Type": "text/plain"}, 415},
		"text that says JSON":                    {"POST", map[string]string{"Content-Type": "text/plain; application/json"}, 415},
		"form":                                   {"POST", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		"multipart":                              {"POST", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 415},
		"graphql":                                {"POST", map[string]string{"Content-Type": "application/graphql"}, 415},
		"another charset":                        {"POST", map[string]string{"Content-Type": "application/json; charset=utf-16"}, 415},
		"compressed":                             {"POST", map[string]string{"Content-Encoding": "gzip"}, 415},
		"broken type":                            {"POST", map[string]string{"Content-Type": "application/json;;"}, 415},
		"GET":                                    {get, nil, 200},
		"GET with a cookie":                      {get, map[string]string{"Cookie": "a=b"}, 403},
		"GET, preflighted":                       {get, map[string]string{"Cookie": "a=b", guard.PreflightHeader: "1"}, 200},
		"GET, cross-site":                        {get, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"GET, same-site":                         {get, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"GET, same-origin":                       {get, map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"GET from the address bar":               {get, map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 403},
		"GET by a sibling's page, with a bearer": {get, map[string]string{"Authorization": "Bearer good", "Origin": "https://app.example", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 200},
		"GET by another site's page":             {get, map[string]string{"Authorization": "bearer good", "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 401}, // the fixture knows one spelling
		"the same, with cookies":                 {get, map[string]string{"Authorization": "Bearer good", "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "Cookie": "a=b"}, 200},
		"GET by our own page, and cookie":        {get, map[string]string{"Authorization": "Bearer good", "Sec-Fetch-Site": "same-origin", "Cookie": "a=b"}, 200},
		"with an expired bearer":                 {get, map[string]string{"Authorization": "Bearer bad", "Origin": "https://app.example", "Sec-Fetch-Site": "same-site"}, 401},
		"by a page that is not listed":           {get, map[string]string{"Authorization": "Bearer good", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		"a proxy's bearer, cross-site":           {get, map[string]string{"Authorization": "Bearer good", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		"a proxy's bearer, same-site":            {get, map[string]string{"Authorization": "Bearer good", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		"a proxy's bearer, old browser":          {get, map[string]string{"Authorization": "Bearer good", "Cookie": "a=b"}, 403},
		"a proxy's bearer, a link":               {get, map[string]string{"Authorization": "Bearer good", "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		"the browser's own Basic":                {get, map[string]string{"Authorization": "Basic YTpi", "Origin": "https://app.example", "Sec-Fetch-Site": "same-site"}, 403},
		"an ambient bearer":                      {get, map[string]string{"Authorization": "Bearer ambient", "Origin": "https://app.example", "Sec-Fetch-Site": "same-site"}, 403},
		"GET of a mutation":                      {"GET ?query=mutation{deleteTokens(tokens:[]){deleted}}", nil, 405},
		"GET of a mutation, 2":                   {"GET ?query=query A{__typename} mutation B{deleteTokens(tokens:[]){deleted}}&operationName=B", map[string]string{guard.PreflightHeader: "1"}, 405},
		"PUT":                                    {"PUT", nil, 405}, "DELETE": {"DELETE", nil, 405}, "HEAD": {"HEAD", nil, 405}, "PATCH": {"PATCH", nil, 405},
	} {
		t.Run(name, func(t *testing.T) {
			r := post(bodyOf("{viewer{tenant}}"))
			method, q, _ := strings.Cut(test.what, " ")
			if r.Method = method; q != "" {
				r.Body, r.ContentLength = http.NoBody, 0
				key, rest, _ := strings.Cut(q[1:], "=")
				document, name, named := strings.Cut(rest, "&operationName=")
				values := url.Values{key: {document}}
				if named {
					values.Set("operationName", name)
				}
				r.URL.RawQuery = values.Encode()
			}
			for k, v := range test.header {
				r.Header.Set(k, v)
			}
			require.Equal(t, test.status, s.do(t, r).status, name)
		})
	}
	r := post(bodyOf("{viewer{tenant}}"))
	r.Header.Add("Content-Type", "text/plain")
	require.Equal(t, 415, s.do(t, r).status, "two types")
}

// TestAmbientCredentials: with an ambient credential, the Origin must be present and allowed; with others, it may be absent.
func TestAmbientCredentials(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	for name, test := range map[string]struct {
		method string
		header map[string]string
		status map[string]int // by credential
	}{
		"POST without an Origin":        {"POST", nil, map[string]int{"good": 200, "ambient": 403}},
		"POST of our own Origin":        {"POST", map[string]string{"Origin": publicURL}, map[string]int{"good": 200, "ambient": 200}},
		"POST of an allowed Origin":     {"POST", map[string]string{"Origin": "https://app.example"}, map[string]int{"good": 200, "ambient": 200}},
		"POST of another Origin":        {"POST", map[string]string{"Origin": "https://evil.example"}, map[string]int{"good": 403, "ambient": 403}},
		"POST of Origin null":           {"POST", map[string]string{"Origin": "null"}, map[string]int{"good": 403, "ambient": 403}},
		"POST of an empty Origin":       {"POST", map[string]string{"Origin": ""}, map[string]int{"good": 403, "ambient": 403}},
		"POST, preflighted, no Origin":  {"POST", map[string]string{guard.PreflightHeader: "1"}, map[string]int{"good": 200, "ambient": 403}},
		"POST of a form":                {"POST", map[string]string{"Origin": publicURL, "Content-Type": "text/plain"}, map[string]int{"good": 415, "ambient": 415}},
		"GET":                           {"GET", nil, map[string]int{"good": 200, "ambient": 403}},
		"GET of our own Origin":         {"GET", map[string]string{"Origin": publicURL}, map[string]int{"good": 200, "ambient": 403}},
		"GET that says same-origin":     {"GET", map[string]string{"Sec-Fetch-Site": "same-origin"}, map[string]int{"good": 200, "ambient": 403}},
		"GET, preflighted":              {"GET", map[string]string{guard.PreflightHeader: "1"}, map[string]int{"good": 200, "ambient": 200}},
		"GET, preflighted, evil Origin": {"GET", map[string]string{guard.PreflightHeader: "1", "Origin": "https://evil.example"}, map[string]int{"good": 403, "ambient": 403}},
	} {
		t.Run(name, func(t *testing.T) {
			for credential, want := range test.status {
				r := post(bodyOf("{viewer{tenant}}"))
				if test.method == http.MethodGet {
					r.Method, r.Body, r.ContentLength, r.URL.RawQuery = http.MethodGet, http.NoBody, 0, url.Values{"query": {"{viewer{tenant}}"}}.Encode()
				}
				r.Header.Set("Authorization", "Bearer "+credential)
				for k, v := range test.header {
					r.Header.Set(k, v)
				}
				require.Equal(t, want, s.do(t, r).status, "%s, %s", name, credential)
			}
		})
	}
}

// TestOrigins: only exact origins are allowed, on every route; CORS answers name the origin, never a pattern.
func TestOrigins(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	for origin, allowed := range map[string]bool{
		publicURL: true, "https://app.example": true,
		"": false, "null": false, "*": false, "https://app.example.evil.example": false, "https://evil.example": false, "https://sub.app.example": false,
		"https://xapp.example": false, "https://app.example:443": false, "https://app.example/": false, "http://app.example": false, "HTTPS://APP.EXAMPLE": false,
		"https://app.example https://evil.example": false, "https://app.example\x00": false, "https://gateway.example.evil.example": false, "file://": false,
		"https://app.example@evil.example": false, "https://app%2eexample": false,
	} {
		t.Run(origin, func(t *testing.T) {
			for _, path := range []string{"/graphql", "/healthz"} {
				for _, method := range []string{http.MethodPost, http.MethodOptions, http.MethodGet} {
					r := httptest.NewRequest(method, publicURL+path, strings.NewReader(bodyOf("{viewer{tenant}}")))
					r.Header.Set("Content-Type", "application/json")
					r.Header["Origin"] = []string{origin}
					if method == http.MethodOptions {
						r.Header.Set("Access-Control-Request-Method", "POST")
						r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
					}
					a := s.do(t, r)
					if !allowed {
						require.Equal(t, http.StatusForbidden, a.status, origin)
						require.Empty(t, a.header.Get("Access-Control-Allow-Origin"), origin)
						continue
					}
					require.NotEqual(t, http.StatusForbidden, a.status, origin)
					require.Equal(t, origin, a.header.Get("Access-Control-Allow-Origin"))
					require.Equal(t, "true", a.header.Get("Access-Control-Allow-Credentials"))
					require.Contains(t, strings.Join(a.header.Values("Vary"), ","), "Origin")
				}
			}
		})
	}
	r := post(bodyOf("{viewer{tenant}}"))
	r.Header["Origin"] = []string{"https://app.example", "https://evil.example"}
	require.Equal(t, http.StatusForbidden, s.do(t, r).status)
}

// TestMalformedBodies: a body that is no request is BAD_USER_INPUT, and none of it is echoed.
func TestMalformedBodies(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	good := bodyOf("{viewer{tenant}}")
	for _, body := range []string{
		"", " ", "null", "1", `"SECRET"`, "[]", "[" + good + "]", " \n[" + good + "]", "{", good[:10], good + good, good + "x", "SECRET" + good, "\ufeff" + good,
		`{}`, `{"query":null}`, `{"query":""}`, `{"query":1}`, `{"query":["SECRET"]}`, `{"query":"{__typename}","variables":[]}`, `{"query":"{__typename}","variables":"SECRET"}`,
		`{"query":"{__typename}","operationName":1}`, `{"query":"{__typename}","extensions":1}`, `{"query":"{__typename}","operationName":"SECRET2"}`,
		`{"query":"query A{__typename} query B{__typename}"}`, `{"query":" "}`, `{"query":"# only a comment"}`, `{"query":"fragment F on Query{__typename}"}`,
		`{"query":"subscription{x}"}`, `{"query":"{__typename}","variables":{"a":` + strings.Repeat("[", 20_000) + `}}`, "{\"query\":\"\xff\"}",
	} {
		a := s.post(t, body)
		require.Equal(t, "BAD_USER_INPUT", a.code(), "%.60s: %s", body, a.raw)
		require.Less(t, a.status, 500)
		if !strings.Contains(body, "SECRET2") {
			require.NotContains(t, a.raw, "SECRET", body)
		}
	}
	for _, q := range []string{"", "query=", "query={__typename}&query={__typename}", "query={__typename}&variables=x", "query={__typename}&variables=[]", "query=%zz", "variables={}&x=1&x=2"} {
		r := httptest.NewRequest(http.MethodGet, publicURL+"/graphql", http.NoBody)
		r.URL.RawQuery = q
		require.Equal(t, "BAD_USER_INPUT", s.do(t, r).code(), q)
	}
	for _, body := range []string{good, " \t\r\n" + good + "\n ", `{"query":"{viewer{tenant}}","variables":null,"operationName":null,"extensions":null,"more":[1]}`} {
		require.Empty(t, s.post(t, body).Errors, body)
	}
}

// TestBadCredentials: a bad credential is refused before the body is read.
func TestBadCredentials(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	r := post(strings.Repeat("x", 1000))
	r.Header.Set("Authorization", "Bearer bad")
	a := s.do(t, r)
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, "UNAUTHENTICATED", a.code())
	require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
	require.NotContains(t, a.raw, "secret cause")
	require.NotContains(t, a.raw, "BAD_USER_INPUT")
}

// TestRequestIDs: the gateway makes request ids itself.
func TestRequestIDs(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	r := post(bodyOf("{viewer{tenant}}"))
	r.Header.Set("X-Request-Id", "mine\"}\n{")
	a, b := s.do(t, r), s.post(t, bodyOf("{viewer{tenant}}"))
	require.Regexp(t, `\A[0-9a-f]{24}\z`, a.header.Get("X-Request-Id"))
	require.NotEqual(t, a.header.Get("X-Request-Id"), b.header.Get("X-Request-Id"))
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.NotContains(t, s.log.String(), "mine")
}

// FuzzDecode: any body is answered with JSON, and never with INTERNAL or a status of 5xx.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{bodyOf("{viewer{tenant}}"), bodyOf("query($t:TokenID!){token(id:$t){id}}", `{"t":"x"}`), "[", `{"query":"{a`, `{"query":"{...F} fragment F on Query{...F}"}`} {
		f.Add(s)
	}
	s := newServer(f, resolver{}, func(o *Options) { o.GraphQL.Introspection = true })
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "oken") { // these fields have no resolver here
			return
		}
		a := s.post(t, body)
		require.Less(t, a.status, 500, a.raw)
		require.NotEqual(t, "INTERNAL", a.code(), a.raw)
		require.True(t, json.Valid([]byte(a.raw)))
	})
}
