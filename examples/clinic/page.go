package clinic

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// indexPath is the pattern of the page itself and of nothing below it.
const indexPath = "/{$}"

//go:embed page
var pageFiles embed.FS

// page serves the clinic's one page and its files, all known at the start, by their patterns.
type page struct {
	base  *url.URL
	csp   string
	files map[string]file
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
	index, err := template.ParseFS(pageFiles, "page/index.html")
	if err != nil {
		return nil, err
	}
	var html bytes.Buffer
	if err := index.Execute(&html, map[string]string{
		"GraphQL": options.GatewayURL + "/graphql", "Gateway": gateway, "Objects": objects,
	}); err != nil {
		return nil, err
	}
	files := map[string]file{indexPath: {"text/html; charset=utf-8", html.Bytes()}}
	for name, contentType := range map[string]string{
		"app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		files["/"+name] = file{contentType, body}
	}
	return &page{
		base:  base,
		csp:   policy(gateway, objects),
		files: files,
	}, nil
}

// policy is the page's Content-Security-Policy: its own scripts, and requests to the gateway and the
// object store.
func policy(gateway, objects string) string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:",
		"connect-src 'self' " + gateway + " " + objects,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}

// originOf returns a URL's origin for the Content-Security-Policy, where nothing else may slip in.
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
	path := r.URL.Path
	if path == "/" {
		path = indexPath
	}
	file := p.files[path]
	header.Set("Content-Type", file.contentType)
	header.Set("Cache-Control", "no-cache")
	_, _ = w.Write(file.body)
}

// isOtherLoopbackName reports whether somebody typed localhost for 127.0.0.1, or the reverse. To a
// browser they are different sites, and the page would work at neither the gateway nor the store.
func (p *page) isOtherLoopbackName(host string) bool {
	return host != p.base.Host && isLoopback((&url.URL{Host: host}).Hostname()) && isLoopback(p.base.Hostname())
}

func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}
