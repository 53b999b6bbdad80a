package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func framing() *Config {
	c := signingIn()
	c.Issuers[0].Detokenize.From = "frame"
	return c
}

// second adds an identity provider, whose callers belong to a tenant.
func second(tenant string, change func(*Issuer)) func(*Config) {
	return func(c *Config) {
		i := DefaultIssuer()
		i.Name, i.Tenant, i.Issuer, i.JWKSURL = "idp", tenant, "https://idp.example", "https://idp.example/jwks.json"
		change(&i)
		c.Issuers = append(c.Issuers, i)
	}
}

// TestVerifyDetokenize breaks each rule with one change to valid settings; the message names the setting.
func TestVerifyDetokenize(t *testing.T) {
	signIn := func(url string, places ...string) func(*Issuer) {
		return func(i *Issuer) { i.SignIn = IssuerSignIn{Enabled: true, URL: url, ReturnTo: places} }
	}
	for name, test := range map[string]struct {
		setting string
		change  func(*Config)
	}{
		"empty":                {"issuers[0].detokenize.from", func(c *Config) { c.Issuers[0].Detokenize.From = "" }},
		"another word":         {"issuers[0].detokenize.from", func(c *Config) { c.Issuers[0].Detokenize.From = "Frame" }},
		"no sign-in":           {"issuers[0].detokenize.from", func(c *Config) { c.Issuers[0].SignIn = IssuerSignIn{} }},
		"not the tenant's":     {"issuers[1].detokenize.from", second("clinic", func(i *Issuer) { i.Detokenize.From = "frame" })},
		"public URL's port":    {"http.public_url", func(c *Config) { c.HTTP.PublicURL = "https://gateway.example:443" }},
		"public URL's case":    {"http.public_url", func(c *Config) { c.HTTP.PublicURL = "https://Gateway.example" }},
		"own sign-in page":     {"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://gateway.example/in" }},
		"own page":             {"issuers[0].sign_in.return_to", func(c *Config) { c.Issuers[0].SignIn.ReturnTo = []string{"https://gateway.example/app/"} }},
		"another's sign-in":    {"issuers[1].sign_in.url", second("", signIn("https://gateway.example/in", "https://b.example"))},
		"another's page":       {"issuers[1].sign_in.return_to", second("", signIn("https://b.example/in", "https://gateway.example"))},
		"S3 on the gateway":    {"objects.s3.endpoint", func(c *Config) { c.Objects.S3.Endpoint = "https://gateway.example/s3" }},
		"S3, another way":      {"objects.s3.public_endpoint", func(c *Config) { c.Objects.S3.PublicEndpoint = "https://Gateway.example:443" }},
		"not another issuer's": {"issuers[1].detokenize.from", second("", func(i *Issuer) { i.Detokenize.From = "frame" })},
	} {
		t.Run(name, func(t *testing.T) {
			c := framing()
			test.change(c)
			err := c.Verify()
			require.ErrorContains(t, err, "config: "+test.setting+": ")
			for line := range strings.SplitSeq(err.Error(), "\n") {
				require.True(t, strings.HasPrefix(line, "config: "+test.setting+": "), "only %s is wrong: %s", test.setting, line)
			}
		})
	}
	for name, change := range map[string]func(*Config){
		"https":    func(*Config) {},
		"loopback": func(c *Config) { c.HTTP.PublicURL = "http://127.0.0.1:8080" },
		"the sign-in of an issuer of the tenant": func(c *Config) {
			second("clinic", signIn("", "https://clinic.example"))(c)
			c.Issuers[0].SignIn = IssuerSignIn{}
		},
		"a provider of the tenant": second("clinic", func(*Issuer) {}),
		"another tenant anywhere":  second("", func(*Issuer) {}),
		"anywhere on the gateway's origin": func(c *Config) {
			c.Issuers[0].Detokenize.From, c.Issuers[0].SignIn.ReturnTo = "anywhere", []string{"https://gateway.example"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := framing()
			change(c)
			require.NoError(t, c.Verify())
		})
	}
}
