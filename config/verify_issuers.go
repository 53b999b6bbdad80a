package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/claimpath"
	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// sharedClaims have the same value for many users, who would share one session with all its grants.
var sharedClaims = []string{"iss", "aud", "azp", "client_id", "exp", "nbf", "iat", "roles", "scope", "typ"}

var tenantName = regexp.MustCompile(`\A[a-z0-9][a-z0-9_.-]{0,63}\z`)

func (c *Config) verifyIssuers(p *problems) {
	if len(c.Issuers) == 0 {
		p.add("issuers", "none is configured, so nobody could call the gateway; name the application's issuer")
	}
	names, ids := map[string]bool{}, map[string]bool{}
	for n, i := range c.Issuers {
		at := func(s string) string { return fmt.Sprintf("issuers[%d].%s", n, s) }
		if !tenantName.MatchString(i.Name) || names[i.Name] {
			p.add(at("name"), "%q must be 1 to 64 of a-z, 0-9, _ . - and differ from every other issuer's", i.Name)
		}
		if i.Issuer == "" || ids[i.Issuer] {
			p.add(at("issuer"), "%q must be the value of the iss claim, and differ from every other issuer's", i.Issuer)
		}
		names[i.Name], ids[i.Issuer] = true, true
		if i.Tenant != "" && !slices.ContainsFunc(c.Issuers, func(o Issuer) bool { return o.Name == i.Tenant && o.Name != i.Name && o.Tenant == "" }) {
			p.add(at("tenant"), "%q must be the name of another issuer without the setting tenant; leave it out, or name such an issuer", i.Tenant)
		}
		between(p, at("max_lifetime"), i.MaxLifetime, time.Minute, 31*24*time.Hour)
		i.verifyHeader(p, at)
		i.verifyAudience(p, at)
		i.verifyClaims(p, at)
		c.verifyKeys(p, at, &i)
		i.verifyLogout(p, at)
	}
}

// verifyHeader checks the settings for the header of the issuer's JWTs.
func (i *Issuer) verifyHeader(p *problems, at func(string) string) {
	if len(i.Algorithms) == 0 {
		p.add(at("algorithms"), "none is allowed; name those that the issuer signs with, such as ES256")
	}
	for _, a := range i.Algorithms {
		if !jose.Supported(a) {
			p.add(at("algorithms"), "%q is not allowed; use an asymmetric one, such as ES256, EdDSA, RS256 or PS256", a)
		}
	}
	if len(i.Types) == 0 {
		p.add(at("types"), "none is accepted; name the value of the typ header, such as JWT or at+jwt")
	}
	for _, t := range i.Types {
		if slices.Contains([]string{jose.AssertionType, jose.LogoutType}, strings.TrimPrefix(strings.ToLower(t), "application/")) {
			p.add(at("types"), "%q is the type of another kind of JWT, which must not be accepted as a credential; remove it", t)
		}
	}
}

// ownClaims have another meaning for the gateway or for issuers, and never name the audience.
var ownClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "auth_time", "jti", "roles", "sid", "scope", "typ", "events", "nonce", "email", "name"}

// verifyAudience requires both the claim that replaces aud and its value.
func (i *Issuer) verifyAudience(p *problems, at func(string) string) {
	switch {
	case i.AudienceClaim == "":
	case slices.Contains(ownClaims, i.AudienceClaim) || i.AudienceClaim == i.SessionClaim:
		p.add(at("audience_claim"), "%q does not name the audience of a JWT; name the claim that the provider sets to the client, such as azp or client_id, "+
			"or leave this out for aud", i.AudienceClaim)
	case i.Audience == "":
		p.add(at("audience"), "empty, while audience_claim is set; write the value of %s in JWTs that are made for this gateway's clients", i.AudienceClaim)
	}
}

func (i *Issuer) verifyClaims(p *problems, at func(string) string) {
	if i.SessionClaim == "" || slices.Contains(sharedClaims, i.SessionClaim) {
		p.add(at("session_claim"), "%q names no session; name the claim with the session's id, such as sid", i.SessionClaim)
	}
	if i.Claims.Session != "" && i.SessionClaim != DefaultIssuer().SessionClaim {
		p.add(at("claims.session"), "session_claim is set too; keep one of them")
	}
	if i.Claims.Roles != "" && !i.TrustRoles {
		p.add(at("claims.roles"), "roles are ignored while trust_roles is off; remove claims.roles, or switch trust_roles on")
	}
	verify := func(name, expression string, compile func(string) (*claimpath.Expression, error)) {
		if expression == "" {
			return
		}
		if _, err := compile(expression); err != nil {
			p.add(at("claims."+name), "%q: %v; write a JMESPath expression, such as %s", expression, err, map[bool]string{true: "token_use == 'access'", false: "ext.session.id"}[name == "require"])
		}
	}
	verify("session", i.Claims.Session, claimpath.CompileString)
	verify("subject", i.Claims.Subject, claimpath.CompileString)
	verify("roles", i.Claims.Roles, claimpath.CompileStrings)
	verify("require", i.Claims.Require, claimpath.CompileCondition)
}

// verifyLogout refuses every typ that logout tokens don't have.
func (i *Issuer) verifyLogout(p *problems, at func(string) string) {
	if i.BackChannelLogout && len(i.LogoutTypes) == 0 {
		p.add(at("logout_types"), "none is accepted; name the typ of the provider's logout tokens, such as logout+jwt")
	}
	if i.BackChannelLogout && (i.Claims.Session != "" || i.Claims.Subject != "" || i.SessionClaim != DefaultIssuer().SessionClaim) {
		p.add(at("back_channel_logout"), "logout tokens name a session by sid and a user by sub; don't set session_claim, claims.session or claims.subject, or switch this off")
	}
	for _, t := range i.LogoutTypes {
		if t != jose.LogoutType && t != "JWT" {
			p.add(at("logout_types"), "%q is not a typ of logout tokens; use logout+jwt, or JWT for a provider that sends no other", t)
		}
	}
	if i.LogoutAudience != "" && !i.BackChannelLogout {
		p.add(at("logout_audience"), "has no effect without back_channel_logout; switch back_channel_logout on, or leave logout_audience out")
	}
}

func (c *Config) verifyKeys(p *problems, at func(string) string, i *Issuer) {
	sources := 0
	for _, is := range []bool{i.Discovery, i.JWKSURL != "", i.JWKS != ""} {
		if is {
			sources++
		}
	}
	switch {
	case sources != 1:
		p.add(at("jwks_url"), "set one of discovery, this and jwks, and only one")
	case i.JWKSURL != "":
		c.secureURL(p, at("jwks_url"), i.JWKSURL)
	case i.Discovery:
		c.discoverable(p, at("discovery"), i.Issuer)
	case i.CAFile != "":
		p.add(at("ca_file"), "no keys are fetched from an issuer with jwks; remove ca_file")
	}
	if i.JWKS != "" {
		i.verifyInlineKeys(p, at)
	}
	between(p, at("jwks_refresh"), i.JWKSRefresh, time.Second, 24*time.Hour)
	between(p, at("jwks_max_age"), i.JWKSMaxAge, max(i.JWKSRefresh, time.Second), 7*24*time.Hour)
}

// verifyInlineKeys requires a usable key. Unusable keys beside it are ignored, but a secret key is refused: others can read
// settings, and settings are printed.
func (i *Issuer) verifyInlineKeys(p *problems, at func(string) string) {
	if secret := jose.SecretMember(i.JWKS); secret != nil {
		p.add(at("jwks"), "%s; write only public keys here, and make a new key, because others may have read this one", secret)
		return
	}
	if _, err := jose.ParseSet([]byte(i.JWKS)); err != nil {
		p.add(at("jwks"), "%v; write the issuer's JWK set, or name its jwks_url", err)
	}
}

// discoverable requires an issuer as OpenID Connect Discovery 1.0 defines it (section 3); http in development only.
func (c *Config) discoverable(p *problems, setting, issuer string) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") || u.Scheme != "https" && u.Scheme != "http":
		p.add(setting, "the issuer %q is not a URL for discovery; write https://host[/path], or set jwks_url instead", issuer)
	case u.Scheme == "http" && (!c.Development || !clientaddr.Loopback(u.Hostname())):
		p.add(setting, "requests to the issuer %q would be sent in clear; use https (http is for loopback in development)", issuer)
	}
}
