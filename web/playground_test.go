package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroomhq/cloakroom/web"
)

var config = web.PlaygroundConfig{
	Endpoint:       "/graphql",
	SessionURL:     "http://127.0.0.1:8082/.cloakroom/session",
	ConnectSources: []string{"http://127.0.0.1:8081", "http://127.0.0.1:8082"},
}

func do(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	web.Playground(config).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestPage(t *testing.T) {
	resp := do(t, "GET", "/")
	expect(t, "status", resp.Status, "200 OK")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self'; " +
			"style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data: blob:; " +
			"connect-src 'self' http://127.0.0.1:8082 http://127.0.0.1:8081; " +
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
		"Referrer-Policy":        "no-referrer",
		"Cache-Control":          "no-cache",
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, name, resp.Header.Get(name), want)
		})
	}
	html := body(t, resp)
	for _, want := range []string{
		"<title>Cloakroom playground</title>",
		`{"endpoint":"/graphql","sessionURL":"http://127.0.0.1:8082/.cloakroom/session"}</script>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("page lacks %s:\n%s", want, html)
		}
	}
	expect(t, "HEAD", body(t, do(t, "HEAD", "/")), "")
	expect(t, "revalidation", do(t, "GET", "/", "If-None-Match", resp.Header.Get("ETag")).Status, "304 Not Modified")
}

func TestConfigurationCannotEndItsElement(t *testing.T) {
	cfg := web.PlaygroundConfig{SessionURL: "/session?</script><script>alert(1)</script>"}
	w := httptest.NewRecorder()
	web.Playground(cfg).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if html := w.Body.String(); strings.Contains(html, "alert(1)</script>") || !strings.Contains(html, "alert(1)") {
		t.Errorf("not escaped:\n%s", html)
	}
}

// All files to which the page, its scripts and its style sheets refer must be served.
func TestAssets(t *testing.T) {
	asset := regexp.MustCompile(`\b[a-zA-Z][\w.-]*-[\w-]{8}\.(?:js|css|svg|ttf)\b`)
	todo := asset.FindAllString(body(t, do(t, "GET", "/")), -1)
	seen := map[string]bool{}
	types := map[string]int{}
	for len(todo) > 0 {
		name := "/assets/" + todo[0]
		todo = todo[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		resp := do(t, "GET", name)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, resp.Status)
			continue
		}
		types[resp.Header.Get("Content-Type")]++
		expect(t, "Cache-Control", resp.Header.Get("Cache-Control"), "public, max-age=31536000, immutable")
		expect(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), "nosniff")
		text := body(t, resp)
		if strings.Contains(text, "sourceMappingURL=") {
			t.Errorf("%s refers to a source map", name)
		}
		todo = append(todo, asset.FindAllString(text, -1)...)
	}
	if types["text/javascript; charset=utf-8"] < 10 || types["text/css; charset=utf-8"] < 3 {
		t.Errorf("too few assets: %v", types)
	}
}

func TestEncoding(t *testing.T) {
	name := "/" + regexp.MustCompile(`assets/index-[\w-]+\.js`).FindString(body(t, do(t, "GET", "/")))
	plain := body(t, do(t, "GET", name))
	for accept, gzipped := range map[string]bool{
		"gzip": true, "gzip, deflate, br, zstd": true, "br;q=1.0, GZIP;q=0.5": true, "*": true,
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.0, br": false, "*, gzip;q=0": false,
	} {
		t.Run(accept, func(t *testing.T) {
			resp := do(t, "GET", name, "Accept-Encoding", accept)
			if got := resp.Header.Get("Content-Encoding") == "gzip"; got != gzipped {
				t.Errorf("Accept-Encoding %q: gzip is %v", accept, got)
				return
			}
			expect(t, "Vary", resp.Header.Get("Vary"), "Accept-Encoding")
			if !gzipped {
				return
			}
			unzipped, err := gzip.NewReader(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(unzipped); err != nil || string(text) != plain {
				t.Errorf("Accept-Encoding %q: not the same bytes (%v)", accept, err)
			}
		})
	}
}

func TestOnlyKnownPathsAndReads(t *testing.T) {
	for _, path := range []string{"/graphql", "/index.html", "/assets/", "/assets", "/assets/../embed.go", "//", "/dist/index.html"} {
		expect(t, path, do(t, "GET", path).Status, "404 Not Found")
	}
	resp := do(t, "POST", "/")
	expect(t, "POST", resp.Status, "405 Method Not Allowed")
	expect(t, "Allow", resp.Header.Get("Allow"), "GET, HEAD")
	licences := body(t, do(t, "GET", "/THIRD_PARTY_LICENSES.txt"))
	for _, name := range []string{"graphiql 5.4.0 (MIT)", "monaco-editor 0.52.2 (MIT)", "react-dom "} {
		if !strings.Contains(licences, name) {
			t.Errorf("licences lack %s", name)
		}
	}
}

func TestVerify(t *testing.T) {
	for _, source := range []string{"", "*", "https://*.example", "data:", "https://a.example/path", "https://a.example; script-src *", "https://user@a.example", "ftp://a.example"} {
		if err := (web.PlaygroundConfig{ConnectSources: []string{source}}).Verify(); err == nil {
			t.Errorf("source %q was accepted", source)
		}
	}
	if err := (web.PlaygroundConfig{SessionURL: "session"}).Verify(); err == nil {
		t.Error("a relative session URL was accepted")
	}
	if err := config.Verify(); err != nil {
		t.Error(err)
	}
}
