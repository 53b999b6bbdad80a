// Package web serves the playground: GraphiQL with a panel that moves values between the browser
// and the object store. The page is built from the TypeScript in playground/ (npm run build) into
// dist/, which is committed, so that building the gateway needs no Node.js.
package web

import (
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

//go:generate npm ci
//go:generate npm run build

//go:embed dist/index.html dist/THIRD_PARTY_LICENSES.txt dist/assets
var dist embed.FS

// PlaygroundConfig has the addresses to which the page sends requests.
type PlaygroundConfig struct {
	Endpoint       string   // the gateway's GraphQL endpoint; "" means "/graphql"
	SessionURL     string   // the app's POST /.cloakroom/session; "" for a page that does not sign in
	ConnectSources []string // further origins that the page may connect to: the object store
}

// Verify returns an error for a configuration without a working, safe Content-Security-Policy.
func (cfg PlaygroundConfig) Verify() error {
	_, err := cfg.connectSources()
	return err
}

// Playground returns the handler of the playground's page and assets, for the paths below its mount
// point: "/", "/assets/…" and "/THIRD_PARTY_LICENSES.txt". Any other path is 404. It panics if
// cfg.Verify fails.
func Playground(cfg PlaygroundConfig) http.Handler {
	if cfg.Endpoint == "" {
		cfg.Endpoint = "/graphql"
	}
	sources, err := cfg.connectSources()
	if err != nil {
		panic(err)
	}
	files := map[string]file{"/": page(cfg), "/THIRD_PARTY_LICENSES.txt": licences()}
	addAssets(files)
	return &handler{policy: policy(sources), files: files}
}

// policy returns a Content-Security-Policy that allows only what the page needs. Monaco and the dialogs of
// GraphiQL position elements with inline styles; images are Monaco's own (data:) and shown values (blob:).
func policy(sources []string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"worker-src 'self'",
		"style-src 'self' 'unsafe-inline'",
		"font-src 'self'",
		"img-src 'self' data: blob:",
		"connect-src " + strings.Join(sources, " "),
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func (cfg PlaygroundConfig) connectSources() ([]string, error) {
	sources := []string{"'self'"}
	seen := map[string]bool{}
	add := func(what, raw string, pathAllowed bool) error {
		u, err := url.Parse(raw)
		if err != nil {
			return fmt.Errorf("playground: %s: %w", what, err)
		}
		if pathAllowed && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") {
			return nil // on the page's own origin
		}
		bare := (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
		if (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || !plainHost(u.Host) || (!pathAllowed && !bare) {
			return fmt.Errorf("playground: %s %q is not an origin such as https://app.example", what, raw)
		}
		if origin := u.Scheme + "://" + u.Host; !seen[origin] {
			seen[origin] = true
			sources = append(sources, origin)
		}
		return nil
	}
	for _, link := range []struct{ what, raw string }{{"endpoint", cfg.Endpoint}, {"session URL", cfg.SessionURL}} {
		if link.raw == "" {
			continue
		}
		if err := add(link.what, link.raw, true); err != nil {
			return nil, err
		}
	}
	for _, source := range cfg.ConnectSources {
		if err := add("connect source", source, false); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// plainHost refuses characters that would end a source or a directive of the policy, or widen it.
func plainHost(host string) bool {
	return host != "" && !strings.ContainsAny(host, " ;,*'\"<>")
}
