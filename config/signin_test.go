package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func signingIn() *Config {
	c := valid()
	c.Issuers[0].SignIn = IssuerSignIn{Enabled: true, ReturnTo: []string{"https://clinic.example"}}
	return c
}

// TestVerifySignIn breaks each rule with one change to valid settings; the message names the setting.
func TestVerifySignIn(t *testing.T) {
	loopback := func(c *Config) { c.HTTP.PublicURL = "http://127.0.0.1:8080" }
	for _, test := range []struct {
		setting string
		change  func(*Config)
	}{
		{"http.public_url", func(c *Config) { c.HTTP.PublicURL = "http://gateway.example" }},
		{"sign_in.cookie.same_site", func(c *Config) { c.SignIn.Cookie.SameSite = "" }},
		{"sign_in.cookie.same_site", func(c *Config) { c.SignIn.Cookie.SameSite = "Strict" }},
		{"sign_in.cookie.same_site", func(c *Config) { loopback(c); c.SignIn.Cookie.SameSite = "none" }},
		{"sign_in.cookie.same_site", func(c *Config) {
			loopback(c)
			c.SignIn.Cookie.SameSite, c.SignIn.Cookie.Partitioned = "none", true
		}},
		{"sign_in.cookie.partitioned", func(c *Config) { c.SignIn.Cookie.Partitioned = true }},
		{"sign_in.cookie.partitioned", func(c *Config) { c.SignIn.Cookie.SameSite, c.SignIn.Cookie.Partitioned = "lax", true }},
		{"sign_in.state_lifetime", func(c *Config) { c.SignIn.StateLifetime = 0 }},
		{"sign_in.state_lifetime", func(c *Config) { c.SignIn.StateLifetime = MaxStateLifetime + 1 }},
		{"sign_in.cookie.lifetime", func(c *Config) { c.SignIn.Cookie.Lifetime = 0 }},
		{"sign_in.cookie.lifetime", func(c *Config) { c.SignIn.Cookie.Lifetime = 24*time.Hour + 1 }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].Issuer = "clinic" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://clinic.example/sign-in?x=1" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://clinic.example/sign-in?" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://clinic.example/sign-in#x" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://u@clinic.example/sign-in" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://Clinic.example/sign-in" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://clinic.example:443/sign-in" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "http://clinic.example/sign-in" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "/sign-in" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "https://clinic.example" }},
		{"issuers[0].sign_in.url", func(c *Config) { c.Issuers[0].SignIn.URL = "javascript:alert(1)" }},
		{"issuers[0].sign_in.return_to", func(c *Config) { c.Issuers[0].SignIn.ReturnTo = nil }},
		{"issuers[0].sign_in.return_to", func(c *Config) { c.Issuers[0].SignIn.ReturnTo = make([]string, 101) }},
	} {
		c := signingIn()
		test.change(c)
		err := c.Verify()
		require.ErrorContains(t, err, "config: "+test.setting+": ")
		for line := range strings.SplitSeq(err.Error(), "\n") {
			require.True(t, strings.HasPrefix(line, "config: "+test.setting+": "), "only %s is wrong: %s", test.setting, line)
		}
	}
	for _, entry := range []string{
		"", "*", "https://*.example", "https://a.example/x", "https://A.example", "https://a.example:443", "http://a.example", "https://a.example./", "https://a.example.",
		"https://u@a.example/", "https://a.example//", "https://a.example/x//", "https://a.example/../", "https://a.example/./", "https://a.example/a/../b/", "https://a.example/%61/",
		"https://a.example/?x/", "https://a.example/#/", `https://a.example\`, `https://a.example/\/`, "https://bücher.example", "https://a.example:/", "https://a.example:0443/",
		"https://a.example:123456", "ftp://a.example/", "//a.example/", "/", "https:///", "https://", "javascript:/", "https://127.1", "https://0x7f.0.0.1", "https://127.0.0.01", "https://1",
		"https://[::1", "https://[0:0:0:0:0:0:0:1]", "https://[::ffff:127.0.0.1]", "https://a.example /", "https://a.example/\t/", "https://a\n.example/", "https://a.example/é/", "https://a%2eexample/",
	} {
		c := signingIn()
		c.Issuers[0].SignIn.ReturnTo = []string{entry}
		require.ErrorContains(t, c.Verify(), "config: issuers[0].sign_in.return_to: ", entry)
		c.Issuers[0].SignIn.Enabled = false
		require.NoError(t, c.Verify(), "settings of a sign-in that is off are not checked")
	}
	for name, change := range map[string]func(*Config){
		"origins": func(c *Config) {
			c.Issuers[0].SignIn.ReturnTo = []string{"https://a.example", "https://a.example/", "https://a.example:8443/x/y.z/", "http://localhost:3000", "http://127.0.0.1:1/", "http://[::1]:8080/", "https://xn--bcher-kva.example"}
		},
		"a page": func(c *Config) { c.Issuers[0].SignIn.URL = "http://localhost:1234/in" },
		"a base with a path": func(c *Config) {
			c.Issuers[0].Issuer = "https://clinic.example/app/"
		},
		"no URL as issuer": func(c *Config) {
			c.Issuers[0].Issuer, c.Issuers[0].SignIn.URL = "clinic", "https://clinic.example/sign-in"
		},
		"lax": func(c *Config) { loopback(c); c.SignIn.Cookie.SameSite = "lax" },
		"none": func(c *Config) {
			c.SignIn.Cookie = Cookie{SameSite: "none", Lifetime: time.Minute}
		},
		"partitioned": func(c *Config) {
			c.SignIn.Cookie = Cookie{SameSite: "none", Partitioned: true, Lifetime: 24 * time.Hour}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := signingIn()
			change(c)
			require.NoError(t, c.Verify(), name)
		})
	}
}

func TestSignInURL(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://clinic.example": "https://clinic.example/.cloakroom/sign-in", "https://clinic.example/": "https://clinic.example/.cloakroom/sign-in",
		"https://clinic.example/app": "https://clinic.example/app/.cloakroom/sign-in",
	} {
		t.Run(issuer, func(t *testing.T) {
			i := Issuer{Issuer: issuer}
			require.Equal(t, want, i.SignInURL())
			i.SignIn.URL = "https://other.example/in"
			require.Equal(t, "https://other.example/in", i.SignInURL())
		})
	}
}
