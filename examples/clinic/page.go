package clinic

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

const (
	// indexPath matches the page itself and no path below it.
	indexPath = "/{$}"
	// signedInPath is an empty page: the gateway's sign-in ends there, in a frame of the clinic's pages.
	signedInPath = "/signed-in"
)

//go:embed page
var pageFiles embed.FS

// page serves the clinic's pages and their files by their patterns. The set of files is fixed at the start.
type page struct {
	base  *url.URL
	csp   string
	files map[string]file
}

var contentTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

type file struct {
	contentType string
	body        []byte
}

func newPage(base *url.URL, options Options) (*page, error) {
	gateway, err := originOf("GatewayURL", options.GatewayURL)
	if err != nil {
		return nil, err
	}
	objects, err := originOf("ObjectsURL", options.ObjectsURL)
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for pattern, name := range map[string]string{indexPath: "index.html", "/try": "try.html", signedInPath: "signed-in.html"} {
		parsed, err := template.ParseFS(pageFiles, "page/"+name)
		if err != nil {
			return nil, err
		}
		var html bytes.Buffer
		if err := parsed.Execute(&html, map[string]any{
			"GraphQL": options.GatewayURL + "/graphql", "Gateway": gateway, "Objects": objects, "Users": demoUsers, "Password": DemoPassword,
		}); err != nil {
			return nil, err
		}
		files[pattern] = file{"text/html; charset=utf-8", html.Bytes()}
	}
	for _, name := range []string{"cloakroom.js", "clinic.js", "forget.js", "view.js", "try.js", "style.css", "icon.svg"} {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		files["/"+name] = file{contentTypes[path.Ext(name)], body}
	}
	return &page{
		base:  base,
		csp:   policy(gateway, objects),
		files: files,
	}, nil
}

// policy returns the page's Content-Security-Policy: its own scripts, requests to the gateway and the
// object store, and frames for the gateway's sign-in, which redirects to this application.
func policy(gateway, objects string) string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:",
		"connect-src 'self' " + gateway + " " + objects, "frame-src 'self' " + gateway,
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
		"require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}

// originOf returns a URL's origin for the Content-Security-Policy, and refuses a URL that would add anything else to it.
func originOf(name, value string) (string, error) {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Hostname() == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") ||
		strings.ContainsAny(parsed.Host, "; ,'\"*") {
		return "", fmt.Errorf("%s %q: write it as https://host or http://host:port", name, value)
	}
	return parsed.Scheme + "://" + parsed.Host, nil
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", p.csp)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if p.isOtherLoopbackName(r.Host) {
		http.Redirect(w, r, p.base.String()+"/", http.StatusTemporaryRedirect)
		return
	}
	name := r.URL.Path
	switch name {
	case "/":
		name = indexPath
	case signedInPath:
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'self'")
	}
	file := p.files[name]
	header.Set("Content-Type", file.contentType)
	header.Set("Cache-Control", "no-cache")
	_, _ = w.Write(file.body)
}

// isOtherLoopbackName reports whether a host is localhost instead of 127.0.0.1, or the reverse. To a
// browser they are different sites, and the gateway and the store would refuse the page.
func (p *page) isOtherLoopbackName(host string) bool {
	return host != p.base.Host && isLoopback((&url.URL{Host: host}).Hostname()) && isLoopback(p.base.Hostname())
}

func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || (ip != nil && ip.IsLoopback())
}
