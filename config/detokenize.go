package config

import (
	"fmt"
	"net/url"
	"strings"
)

// Values of IssuerDetokenize.From.
const (
	FromAnywhere = "anywhere"
	FromFrame    = "frame"
)

// IssuerDetokenize says who may read the values of the issuer's tenant.
type IssuerDetokenize struct {
	// anywhere: each session that has a READ grant may redeem a token, with any of its credentials. frame: only pages of the gateway's own
	// origin may, with its own cookie, so that a script in the application's page can't. It applies to all sessions of the tenant.
	// frame needs sign_in. Default: anywhere.
	From string `yaml:"from"`
}

// verifyDetokenize refuses a frame that no page could use, and one that pages of other applications could read: a page of the
// gateway's own origin may read everything in the frame.
func (c *Config) verifyDetokenize(p *problems) {
	framed := false
	for n := range c.Issuers {
		i := &c.Issuers[n]
		at := func(s string) string { return fmt.Sprintf("issuers[%d].%s", n, s) }
		switch {
		case i.Detokenize.From == FromAnywhere:
		case i.Detokenize.From != FromFrame:
			p.add(at("detokenize.from"), "%q is neither anywhere nor frame", i.Detokenize.From)
		case i.Tenant != "":
			p.add(at("detokenize.from"), "its callers belong to the tenant %q; set frame at the issuer of that name, which decides for all of them", i.Tenant)
		default:
			framed = true
			if !c.tenantSignsIn(i.Name) {
				p.add(at("detokenize.from"), "frame needs the gateway's own cookie, which only the sign-in sets; set %s, or write anywhere", at("sign_in.enabled"))
			}
		}
	}
	if framed {
		c.verifyOwnOrigin(p)
	}
}

func (c *Config) tenantSignsIn(tenant string) bool {
	for n := range c.Issuers {
		if i := &c.Issuers[n]; i.TenantName() == tenant && i.SignIn.Enabled {
			return true
		}
	}
	return false
}

// verifyOwnOrigin requires the gateway's own origin in the form in which browsers send it, because it is compared exactly, and
// nothing of others on it.
func (c *Config) verifyOwnOrigin(p *problems) {
	own := c.HTTP.PublicURL
	if !canonicalOrigin(own) {
		p.add("http.public_url", "%q is not in the spelling in which browsers send an Origin, so with issuers[].detokenize.from: frame no page could read a value; "+
			"write https://host[:port] in lower case, without the scheme's own port", own)
		return
	}
	const remedy = "it is on the gateway's own origin, http.public_url, whose pages read values with issuers[].detokenize.from: frame; give it another origin"
	for n := range c.Issuers {
		i := &c.Issuers[n]
		if !i.SignIn.Enabled {
			continue
		}
		if sameOrigin(i.SignInURL(), own) {
			p.add(fmt.Sprintf("issuers[%d].sign_in.url", n), "%q: %s", i.SignInURL(), remedy)
		}
		for _, entry := range i.SignIn.ReturnTo {
			if sameOrigin(entry, own) {
				p.add(fmt.Sprintf("issuers[%d].sign_in.return_to", n), "%q: %s", entry, remedy)
			}
		}
	}
	for setting, u := range map[string]string{
		"objects.s3.endpoint": c.Objects.S3.Endpoint, "objects.s3.public_endpoint": c.Objects.S3.PublicEndpoint,
	} {
		if c.Objects.Store == "s3" && sameOrigin(u, own) {
			p.add(setting, "%q: %s", u, remedy)
		}
	}
}

// sameOrigin reports whether a URL is on the origin own, which is in browsers' spelling.
func sameOrigin(s, own string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return u.Scheme+"://"+host == own
}
