package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxied sets a trusted proxy with a secret, on loopback.
func proxied(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.TrustedProxy = TrustedProxy{
			Tenant: "intranet", Peers: []string{"127.0.0.1/32", "::1/128"}, SessionHeader: "X-Session-Id", SubjectHeader: "X-User",
			SecretHeader: "X-Proxy-Secret", Secret: Secret(strings.Repeat("s", 32)), MaxLifetime: time.Hour,
		}
		change(c)
	}
}

// inlineSet has the key of RFC 7517, appendix A.1.
const inlineSet = `{"keys":[` + publicKey + `]}`

const publicKey = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}`

// TestInlineKeys: a set with a usable key is accepted, also with unknown keys beside it. A secret key is neither accepted
// nor printed.
func TestInlineKeys(t *testing.T) {
	inline := func(set string) *Config {
		c := valid()
		c.Issuers[0].JWKSURL, c.Issuers[0].JWKS = "", set
		return c
	}
	for name, set := range map[string]string{
		"a set": inlineSet, "one key": publicKey, "with ML-DSA": `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"pq","pub":"AA"},` + publicKey + `]}`,
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, inline(set).Verify()) })
	}
	const d = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE" // of the same appendix
	private := strings.Replace(publicKey, `"use"`, `"d":"`+d+`","use"`, 1)
	for name, test := range map[string]struct{ set, want string }{
		"no JSON": {"k1", "not a JWKS"}, "empty": {`{"keys":[]}`, "it is empty"}, "ML-DSA alone": {`{"keys":[{"kty":"AKP","kid":"pq","pub":"AA"}]}`, "unknown kty"},
		"private": {`{"keys":[` + private + `]}`, "private"}, "private beside another": {`{"keys":[` + publicKey + `,` + strings.Replace(private, `"1"`, `"2"`, 1) + `]}`, "private"},
		"symmetric": {`{"keys":[` + publicKey + `,{"kty":"oct","k":"` + d + `"}]}`, "symmetric"}, "a PEM": {"-----BEGIN PRIVATE KEY-----\n" + d, "not a JWKS"},
	} {
		t.Run(name, func(t *testing.T) {
			c := inline(test.set)
			err := c.Verify()
			require.ErrorContains(t, err, "config: issuers[0].jwks: ")
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), d)
		})
	}
}

// TestVerifyIssuers breaks each rule with one change to valid settings; the message names the setting, and there is no
// other error.
func TestVerifyIssuers(t *testing.T) {
	issuer := func(change func(*Issuer)) func(*Config) { return func(c *Config) { change(&c.Issuers[0]) } }
	discovery := func(url string) func(*Config) {
		return issuer(func(i *Issuer) { i.JWKSURL, i.Discovery, i.Issuer = "", true, url })
	}
	for _, test := range []struct {
		setting string
		change  func(*Config)
	}{
		{"issuers[0].jwks_url", issuer(func(i *Issuer) { i.Discovery = true })},
		{"issuers[0].jwks_url", issuer(func(i *Issuer) { i.Discovery, i.JWKSURL, i.JWKS = true, "", inlineSet })},
		{"issuers[0].discovery", discovery("http://idp.example")}, {"issuers[0].discovery", discovery("http://127.0.0.1:9000")},
		{"issuers[0].discovery", discovery("idp")}, {"issuers[0].discovery", discovery("https://u:p@idp.example")},
		{"issuers[0].discovery", discovery("https://idp.example/?x")}, {"issuers[0].discovery", discovery("https://idp.example#")},
		{"issuers[0].discovery", discovery("file:///etc/passwd")},
		{"issuers[0].discovery", func(c *Config) { discovery("http://idp.example")(c); c.Development = true }},
		{"issuers[0].ca_file", issuer(func(i *Issuer) { i.JWKSURL, i.JWKS, i.CAFile = "", inlineSet, "ca.pem" })},
		{"issuers[0].jwks_refresh", issuer(func(i *Issuer) { i.JWKSRefresh = 0 })},
		{"issuers[0].jwks_refresh", issuer(func(i *Issuer) { i.JWKSRefresh, i.JWKSMaxAge = 25*time.Hour, 26*time.Hour })},
		{"issuers[0].jwks_max_age", issuer(func(i *Issuer) { i.JWKSMaxAge = time.Minute })},
		{"issuers[0].jwks_max_age", issuer(func(i *Issuer) { i.JWKSMaxAge = 8 * 24 * time.Hour })},
		{"issuers[0].types", issuer(func(i *Issuer) { i.Types = nil })}, {"issuers[0].types", issuer(func(i *Issuer) { i.Types = []string{"JWT", "logout+jwt"} })},
		{"issuers[0].types", issuer(func(i *Issuer) { i.Types = []string{"Cloakroom-Sign-In+JWT"} })},
		{"issuers[0].types", issuer(func(i *Issuer) { i.Types = []string{"application/logout+jwt"} })},
		{"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session = "a[" })},
		{"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session, i.SessionClaim = "a.b", "session" })},
		{"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session = "sid || 'guest'" })},
		{"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session = ` "client_id" ` })},
		{"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session = "sid || iss" })}, {"issuers[0].claims.session", issuer(func(i *Issuer) { i.Claims.Session = "sid && 'x'" })},
		{"issuers[0].claims.subject", issuer(func(i *Issuer) { i.Claims.Subject = "not_null(sub, azp)" })},
		{"issuers[0].claims.roles", issuer(func(i *Issuer) { i.Claims.Roles = "iss && ['application']" })},
		{"issuers[0].claims.subject", issuer(func(i *Issuer) { i.Claims.Subject = "to_string(auth_time)" })},
		{"issuers[0].claims.roles", issuer(func(i *Issuer) { i.Claims.Roles = "['admin']" })},
		{"issuers[0].claims.roles", issuer(func(i *Issuer) { i.Claims.Roles, i.TrustRoles = "realm_access.roles", false })},
		{"issuers[0].back_channel_logout", issuer(func(i *Issuer) { i.BackChannelLogout, i.Claims.Session = true, "ext.id" })},
		{"issuers[0].back_channel_logout", issuer(func(i *Issuer) { i.BackChannelLogout, i.Claims.Subject = true, "ext.user" })},
		{"issuers[0].back_channel_logout", issuer(func(i *Issuer) { i.BackChannelLogout, i.SessionClaim = true, "session_state" })},
		{"issuers[0].audience_claim", issuer(func(i *Issuer) { i.AudienceClaim = "aud" })}, {"issuers[0].audience_claim", issuer(func(i *Issuer) { i.AudienceClaim = "sub" })},
		{"issuers[0].audience_claim", issuer(func(i *Issuer) { i.AudienceClaim = "iss" })}, {"issuers[0].audience_claim", issuer(func(i *Issuer) { i.AudienceClaim = "sid" })},
		{"issuers[0].audience_claim", issuer(func(i *Issuer) { i.AudienceClaim, i.SessionClaim = "origin_jti", "origin_jti" })},
		{"issuers[0].audience", issuer(func(i *Issuer) { i.AudienceClaim, i.Audience = "azp", "" })},
		{"issuers[0].claims.require", issuer(func(i *Issuer) { i.Claims.Require = "token_use != 'id'" })}, {"issuers[0].claims.require", issuer(func(i *Issuer) { i.Claims.Require = "a[" })},
		{"issuers[0].algorithms", issuer(func(i *Issuer) { i.Algorithms = []string{"Ed448"} })}, {"issuers[0].algorithms", issuer(func(i *Issuer) { i.Algorithms = []string{"ESP256"} })},
		{"credentials.max_size", func(c *Config) { c.Credentials.MaxSize = 0 }}, {"credentials.max_size", func(c *Config) { c.Credentials.MaxSize = 65 << 10 }},
		{"issuers[0].tenant", issuer(func(i *Issuer) { i.Tenant = "nobody" })}, {"issuers[0].tenant", issuer(func(i *Issuer) { i.Tenant = i.Name })},
		{"credentials.header", func(c *Config) { c.Credentials.Header = "authorization" }}, {"credentials.header", func(c *Config) { c.Credentials.Header = "Cookie" }},
		{"credentials.header", func(c *Config) { c.Credentials.Header = "X Token" }}, {"credentials.header", func(c *Config) { c.Credentials.Header = "X-Token:" }},
		{"http.tls.key_file", func(c *Config) { c.HTTP.TLS.CertFile = "c.pem" }}, {"http.tls.key_file", func(c *Config) { c.HTTP.TLS.KeyFile = "k.pem" }},
		{"http.tls.client_ca_file", func(c *Config) { c.HTTP.TLS.ClientCAFile = "ca.pem" }},
		{"http.public_url", func(c *Config) {
			c.HTTP.TLS, c.HTTP.PublicURL = TLS{CertFile: "c", KeyFile: "k"}, "http://127.0.0.1:8080"
		}},
		{"trusted_proxy.max_lifetime", func(c *Config) { c.TrustedProxy.MaxLifetime = 0 }},
		{"trusted_proxy.tenant", proxied(func(c *Config) { c.TrustedProxy.Tenant = "" })}, {"trusted_proxy.tenant", proxied(func(c *Config) { c.TrustedProxy.Tenant = "In tranet" })},
		{"trusted_proxy.peers", proxied(func(c *Config) { c.TrustedProxy.Peers = nil })}, {"trusted_proxy.peers", proxied(func(c *Config) { c.TrustedProxy.Peers = []string{"127.0.0.1"} })},
		{"trusted_proxy.peers", proxied(func(c *Config) { c.TrustedProxy.Peers = []string{"127.0.0.1/8"} })},
		{"trusted_proxy.session_header", proxied(func(c *Config) { c.TrustedProxy.SessionHeader = "" })},
		{"trusted_proxy.session_header", proxied(func(c *Config) { c.TrustedProxy.SessionHeader = "x-forwarded-for" })},
		{"trusted_proxy.session_header", proxied(func(c *Config) { c.Credentials.Header = "x-session-ID" })},
		{"trusted_proxy.subject_header", proxied(func(c *Config) { c.TrustedProxy.SubjectHeader = "Host" })},
		{"trusted_proxy.subject_header", proxied(func(c *Config) { c.TrustedProxy.SubjectHeader = "x-session-id" })},
		{"trusted_proxy.secret_header", proxied(func(c *Config) { c.TrustedProxy.SecretHeader = "" })}, {"trusted_proxy.secret_header", proxied(func(c *Config) { c.TrustedProxy.SecretHeader = "X-User" })},
		{"trusted_proxy.secret", proxied(func(c *Config) { c.TrustedProxy.Secret, c.TrustedProxy.SecretHeader = "", "" })},
		{"trusted_proxy.secret", proxied(func(c *Config) { c.TrustedProxy.Secret = "short" })},
		{"trusted_proxy.secret", proxied(func(c *Config) { c.TrustedProxy.Secret = Secret(strings.Repeat("s ", 32)) })},
		{"trusted_proxy.secret", proxied(func(c *Config) { c.TrustedProxy.Peers = []string{"10.0.0.0/24"} })},
		{"trusted_proxy.client_ca_file", proxied(func(c *Config) { c.TrustedProxy.ClientCAFile = "ca.pem" })},
		{"trusted_proxy.client_name", proxied(func(c *Config) { c.TrustedProxy.ClientName = "proxy" })},
	} {
		c := valid()
		test.change(c)
		err := c.Verify()
		require.ErrorContains(t, err, "config: "+test.setting+": ")
		for line := range strings.SplitSeq(err.Error(), "\n") {
			require.True(t, strings.HasPrefix(line, "config: "+test.setting+": "), "only %s is wrong: %s", test.setting, line)
		}
		require.NotContains(t, err.Error(), strings.Repeat("s", 20), "the secret")
	}
	for _, wide := range []string{"0.0.0.0/0", "::/0", "0.0.0.0/1", "2000::/3", "::ffff:0:0/96"} {
		c := valid()
		proxied(func(c *Config) { c.TrustedProxy.Peers = []string{wide} })(c)
		require.ErrorContains(t, c.Verify(), "config: trusted_proxy.peers: ", wide)
	}
	tls := TLS{CertFile: "c.pem", KeyFile: "k.pem"}
	for name, change := range map[string]func(*Config){
		"discovery": discovery("https://idp.example/realms/shop"), "discovery, ca_file": func(c *Config) { discovery("https://idp.example/")(c); c.Issuers[0].CAFile = "ca.pem" },
		"discovery on loopback, in development": func(c *Config) { discovery("http://127.0.0.1:9000")(c); c.Development = true },
		"types":                                 issuer(func(i *Issuer) { i.Types = []string{"at+jwt", ""} }),
		"claims": issuer(func(i *Issuer) {
			i.Claims = Claims{Session: "ext.sid", Subject: "ext.user", Roles: "realm_access.roles", Require: "ver == '2.0'"}
		}),
		"Ed25519":              issuer(func(i *Issuer) { i.Algorithms = []string{"Ed25519"} }),
		"azp":                  issuer(func(i *Issuer) { i.AudienceClaim, i.Audience = "azp", "https://app.example" }),
		"sub is a session":     issuer(func(i *Issuer) { i.Claims.Session = "sub" }),
		"a header":             func(c *Config) { c.Credentials.Header = "OIDC_id_token" },
		"a secret on loopback": proxied(func(*Config) {}),
		"a secret over TLS":    proxied(func(c *Config) { c.TrustedProxy.Peers, c.HTTP.TLS = []string{"10.0.0.0/24", "fd00:1::/64"}, tls }),
		"a certificate": proxied(func(c *Config) {
			p := &c.TrustedProxy
			p.Peers, p.Secret, p.SecretHeader, p.ClientCAFile, p.ClientName, c.HTTP.TLS = []string{"10.1.2.3/32"}, "", "", "ca.pem", "proxy.internal", tls
		}),
		"TLS, with everybody's certificates": func(c *Config) { c.HTTP.TLS = TLS{"c.pem", "k.pem", "ca.pem"} },
		"a tenant that an issuer has":        proxied(func(c *Config) { c.TrustedProxy.Tenant = c.Issuers[0].Name }),
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			change(c)
			require.NoError(t, c.Verify(), name)
		})
	}
}
