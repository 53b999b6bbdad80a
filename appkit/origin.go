package appkit

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// noHost are characters that net/url accepts in a host and that are not valid in one. In a Content-Security-Policy
// they have other meanings.
const noHost = "!$&'()*+,;=<>\"` "

// verdict is what a request's origin allows.
type verdict int

const (
	refused verdict = iota
	sameOrigin
	crossOrigin // allowed, and answered with CORS headers
)

// judge decides by the headers in which a browser describes the page that made the request. A browser sends an Origin
// with every POST, and no page can change it; a request with neither header isn't from a page.
func (k *Kit) judge(r *http.Request) verdict {
	switch origins := r.Header.Values("Origin"); len(origins) {
	case 0:
		return judgeSite(r.Header.Values("Sec-Fetch-Site"))
	case 1:
		other, known := k.origins[origins[0]]
		switch {
		case !known:
			return refused
		case other:
			return crossOrigin
		}
		return sameOrigin
	default:
		return refused
	}
}

func judgeSite(sites []string) verdict {
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return refused
		}
	}
	return sameOrigin
}

// checkOrigin accepts an origin only as a browser writes it, because it is compared with the browser's header.
func checkOrigin(origin string) error {
	parsed, err := url.Parse(origin)
	if err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Hostname() != "" &&
		isASCII(origin) && !strings.ContainsAny(parsed.Host, noHost) && originOf(parsed) == origin {
		return nil
	}
	return fmt.Errorf("AllowedOrigins: %q is not an origin: "+
		"write scheme, host in lower case, and the port unless it is the scheme's default, for example https://www.example.org", origin)
}

// originOf returns the URL's origin as a browser writes it.
func originOf(parsed *url.URL) string {
	host := strings.ToLower(parsed.Host)
	switch parsed.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return parsed.Scheme + "://" + strings.TrimSuffix(host, ":")
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}
