package config

import (
	"regexp"
	"slices"
	"strings"
)

// allowedHeaders returns headers that common libraries in pages send: tracing (W3C Trace Context and Baggage, Sentry), and
// Apollo Client.
func allowedHeaders() []string {
	return []string{
		"traceparent", "tracestate", "baggage", "sentry-trace",
		"apollographql-client-name", "apollographql-client-version", "apollo-require-preflight", "x-apollo-operation-name",
	}
}

// fieldName is a token (RFC 9110, section 5.6.2) of at most 64 characters; `*` is one too.
var fieldName = regexp.MustCompile("\\A[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\\z")

// Names and prefixes of headers that browsers never let pages send (Fetch, "forbidden request-header").
var (
	forbiddenNames = []string{
		"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method",
		"access-control-request-private-network", "connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host",
		"keep-alive", "origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
	}
	forbiddenPrefixes = []string{"proxy-", "sec-"}
)

// Names and prefixes of headers that a page must not send to a gateway, a proxy or a store: they set a request's origin or
// another method, or they change a signed request.
var (
	proxyNames    = []string{"forwarded", "x-real-ip", "true-client-ip", "x-http-method", "x-http-method-override", "x-method-override", "range"}
	proxyPrefixes = []string{"x-forwarded-", "x-amz-", "if-", "cf-"}
)

func (c *Config) verifyAllowedHeaders(p *problems) {
	const setting = "http.allowed_headers"
	for _, name := range c.HTTP.AllowedHeaders {
		lower := strings.ToLower(name)
		has := func(prefix string) bool { return strings.HasPrefix(lower, prefix) }
		switch {
		case name == "*":
			p.add(setting, "\"*\" would let pages send headers that proxies trust; name the headers")
		case !fieldName.MatchString(name):
			p.add(setting, "%q is not the name of a header; write names such as traceparent, without values or blanks", name)
		case slices.Contains(forbiddenNames, lower) || slices.ContainsFunc(forbiddenPrefixes, has):
			p.add(setting, "%q is a header that browsers don't let pages send; remove it", name)
		case slices.Contains(proxyNames, lower) || slices.ContainsFunc(proxyPrefixes, has):
			p.add(setting, "%q is a header for proxies or the store, not for pages; remove it", name)
		case slices.ContainsFunc(c.identityHeaders(), func(of string) bool { return strings.EqualFold(of, name) }):
			p.add(setting, "%q is the header in which a proxy names the caller, which no page may send; remove it", name)
		}
	}
}

// identityHeaders returns the headers in which a proxy names the caller.
func (c *Config) identityHeaders() []string {
	t := &c.TrustedProxy
	return slices.DeleteFunc([]string{c.Credentials.Header, t.SessionHeader, t.SubjectHeader, t.SecretHeader}, func(s string) bool { return s == "" })
}
