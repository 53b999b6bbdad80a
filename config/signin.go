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
	// The application's page that answers the flow, without a query; none: issuers[].issuer with /.cloakroom/sign-in behind it, where
	// appkit has it. Default: none.
	URL string `yaml:"url"`
	// Where users may come back to; at least one entry where sign-in is enabled. Default: none.
	ReturnTo []string `yaml:"return_to"`
}

// signInPath is where an application answers the redirect flow, below its base URL.
const signInPath = "/.cloakroom/sign-in"

// SignInURL returns where the issuer's users are sent to sign in.
func (i *Issuer) SignInURL() string {
	if i.SignIn.URL != "" {
		return i.SignIn.URL
	}
	return strings.TrimSuffix(i.Issuer, "/") + signInPath
}

// SignIn is the redirect flow, by which an application's login becomes a cookie of the gateway's.
type SignIn struct {
	Cookie Cookie `yaml:"cookie"`
	// How long a sign-in may take, with the login at the application that may be part of it: from 1s to 15m. Default: 5m.
	StateLifetime time.Duration `yaml:"state_lifetime"`
}

// MaxStateLifetime is the longest of SignIn.StateLifetime.
const MaxStateLifetime = 15 * time.Minute

// Cookie is what the flow's cookies are like.
type Cookie struct {
	// strict; lax; or none, for an application on another site than the gateway's, which needs an https public URL. Default: strict.
	SameSite string `yaml:"same_site"`
	// Gives each top-level site a cookie of its own (CHIPS), which browsers keep in a frame even where they block third-party cookies.
	// Needs same_site none. Default: false.
	Partitioned bool `yaml:"partitioned"`
	// How long the cookie lives, from 1m to 24h; never longer than the application says that its session does. Default: 1h.
	Lifetime time.Duration `yaml:"lifetime"`
}

// maxReturnTo bounds an issuer's list of places to come back to.
const maxReturnTo = 100

// plainPath is a path that every parser of URLs leaves as it is: no escapes, no dots alone, no empty steps.
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
			p.add("sign_in.cookie.same_site", "browsers keep a cookie of none over TLS only, and http.public_url is %q; use https, or strict or lax", c.HTTP.PublicURL)
		}
	default:
		p.add("sign_in.cookie.same_site", "%q is none of strict, lax, none", cookie.SameSite)
	}
	between(p, "sign_in.state_lifetime", c.SignIn.StateLifetime, time.Second, MaxStateLifetime)
	between(p, "sign_in.cookie.lifetime", cookie.Lifetime, time.Minute, 24*time.Hour)
}

func (c *Config) verifyIssuerSignIn(p *problems, at string, i *Issuer) {
	target := i.SignInURL()
	remedy := "write https://host/path, without a user, a query or a fragment"
	if i.SignIn.URL == "" {
		remedy = "the issuer is no base URL, so name the application's page, as https://host" + signInPath
	}
	u, err := url.Parse(target)
	if err != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(target, "#") || !canonicalOrigin(u.Scheme+"://"+u.Host) ||
		!strings.HasPrefix(target, u.Scheme+"://"+u.Host+"/") {
		p.add(at+"url", "%q is no page that users can be sent to; %s", target, remedy)
	} else {
		c.secureURL(p, at+"url", target)
	}
	if len(i.SignIn.ReturnTo) == 0 || len(i.SignIn.ReturnTo) > maxReturnTo {
		p.add(at+"return_to", "%d entries; name 1 to %d places that users may come back to, such as the application's origin", len(i.SignIn.ReturnTo), maxReturnTo)
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
			p.add(at+"return_to", "%q has not the one spelling that is compared; write an origin, https://host[:port], or a prefix that "+
				"ends in a slash, https://host/path/, in lower case up to the path, without escapes, dots alone, a query or the scheme's own port", entry)
			continue
		}
		c.secureURL(p, at+"return_to", origin)
	}
}

// originSpelling has no character that would begin something else in a Content-Security-Policy.
var originSpelling = regexp.MustCompile(`\Ahttps?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?\z`)

// canonicalOrigin reports whether every parser of URLs, a browser's too, leaves the origin as it is (WHATWG URL).
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
	// A last label like a number makes it an IPv4 address, which has many spellings.
	if strings.HasPrefix(u.Host, "[") || last[0] >= '0' && last[0] <= '9' {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.String() == host && ip.Zone() == "" && !ip.Is4In6()
	}
	return true
}
