package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// IssuerSignIn is an issuer's part of the redirect flow.
type IssuerSignIn struct {
	// Lets the issuer's users sign in by the redirect flow, which ends in a cookie of the gateway's. Default: false.
	Enabled bool `yaml:"enabled"`
	// The application's page that answers the flow, without a query; none: issuers[].issuer followed by /.cloakroom/sign-in, the path of
	// appkit. Default: none.
	URL string `yaml:"url"`
	// Places to which users may return; at least one entry if sign-in is enabled. Default: none.
	ReturnTo []string `yaml:"return_to"`
}

// signInPath is the path of the application's page that answers the redirect flow, below its base URL.
const signInPath = "/.cloakroom/sign-in"

// SignInURL returns the URL to which the issuer's users are sent to sign in.
func (i *Issuer) SignInURL() string {
	if i.SignIn.URL != "" {
		return i.SignIn.URL
	}
	return strings.TrimSuffix(i.Issuer, "/") + signInPath
}

// SignIn is the redirect flow, which turns an application's login into a cookie of the gateway.
type SignIn struct {
	Cookie Cookie `yaml:"cookie"`
	// Longest duration of a sign-in, with a login at the application if there is one: from 1s to 15m. Default: 5m.
	StateLifetime time.Duration `yaml:"state_lifetime"`
}

// MaxStateLifetime is the largest value of SignIn.StateLifetime.
const MaxStateLifetime = 15 * time.Minute

// Cookie has the attributes of the flow's cookies.
type Cookie struct {
	// strict; lax; or none, for an application on another site than the gateway's, which needs an https public URL. Default: strict.
	SameSite string `yaml:"same_site"`
	// Gives each top-level site a separate cookie (CHIPS), which browsers keep in a frame even if they block third-party cookies.
	// Needs same_site none. Default: false.
	Partitioned bool `yaml:"partitioned"`
	// Lifetime of the cookie, from 1m to 24h; never longer than the application's session. Default: 1h.
	Lifetime time.Duration `yaml:"lifetime"`
}

// maxReturnTo bounds an issuer's list of places to return to.
const maxReturnTo = 100

// plainPath is a path that every parser of URLs leaves unchanged: no escapes, no segments of dots, no empty segments.
var plainPath = regexp.MustCompile(`\A(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/\z`)

func (c *Config) verifySignIn(p *problems) {
	for n := range c.Issuers {
		if i := &c.Issuers[n]; i.SignIn.Enabled {
			c.verifyIssuerSignIn(p, fmt.Sprintf("issuers[%d].sign_in.", n), i)
		}
	}
	cookie := c.SignIn.Cookie
	switch cookie.SameSite {
	case "strict", "lax":
		if cookie.Partitioned {
			p.add("sign_in.cookie.partitioned", "a %s cookie is never sent from another site's frame; set same_site to none, or switch this off", cookie.SameSite)
		}
	case "none":
		if !strings.HasPrefix(c.HTTP.PublicURL, "https://") {
			p.add("sign_in.cookie.same_site", "browsers keep a cookie with same_site none over TLS only, and http.public_url is %q; use https, or strict or lax", c.HTTP.PublicURL)
		}
	default:
		p.add("sign_in.cookie.same_site", "%q is not one of strict, lax, none", cookie.SameSite)
	}
	between(p, "sign_in.state_lifetime", c.SignIn.StateLifetime, time.Second, MaxStateLifetime)
	between(p, "sign_in.cookie.lifetime", cookie.Lifetime, time.Minute, 24*time.Hour)
}

func (c *Config) verifyIssuerSignIn(p *problems, at string, i *Issuer) {
	target := i.SignInURL()
	remedy := "write https://host/path, without a user, a query or a fragment"
	if i.SignIn.URL == "" {
		remedy = "the issuer is not a base URL, so name the application's page, as https://host" + signInPath
	}
	u, err := url.Parse(target)
	if err != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(target, "#") || !canonicalOrigin(u.Scheme+"://"+u.Host) ||
		!strings.HasPrefix(target, u.Scheme+"://"+u.Host+"/") {
		p.add(at+"url", "%q is not a URL of a page; %s", target, remedy)
	} else {
		c.secureURL(p, at+"url", target)
	}
	if len(i.SignIn.ReturnTo) == 0 || len(i.SignIn.ReturnTo) > maxReturnTo {
		p.add(at+"return_to", "%d entries; name 1 to %d places to which users may return, such as the application's origin", len(i.SignIn.ReturnTo), maxReturnTo)
	}
	for _, entry := range i.SignIn.ReturnTo {
		origin, path := entry, ""
		if scheme, rest, ok := strings.Cut(entry, "://"); ok {
			if host, _, ok := strings.Cut(rest, "/"); ok {
				origin = scheme + "://" + host
				path = strings.TrimPrefix(entry, origin)
			}
		}
		if !canonicalOrigin(origin) || path != "" && !plainPath.MatchString(path) {
			p.add(at+"return_to", "%q is not in the canonical spelling; write an origin, https://host[:port], or a prefix that "+
				"ends in a slash, https://host/path/, in lower case up to the path, without escapes, dots alone, a query or the scheme's own port", entry)
			continue
		}
		c.secureURL(p, at+"return_to", origin)
	}
}

// originSpelling matches no character that ends an origin in a Content-Security-Policy.
var originSpelling = regexp.MustCompile(`\Ahttps?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?\z`)

// canonicalOrigin reports whether every parser of URLs, also a browser's, leaves the origin unchanged (WHATWG URL).
func canonicalOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !isOrigin(s) || !originSpelling.MatchString(s) {
		return false
	}
	if port := u.Port(); strings.HasPrefix(port, "0") || len(port) > 5 {
		return false
	}
	host := u.Hostname()
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" { // a dot at the end
		return false
	}
	// A host whose last label is like a number is an IPv4 address, which has many spellings.
	if strings.HasPrefix(u.Host, "[") || last[0] >= '0' && last[0] <= '9' {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.String() == host && ip.Zone() == "" && !ip.Is4In6()
	}
	return true
}
