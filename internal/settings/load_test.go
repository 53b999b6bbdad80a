package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroomhq/cloakroom/config"
)

// TestEverySetting: each setting can be set by its variable, is printed, and can be loaded from the printed text.
func TestEverySetting(t *testing.T) {
	known := map[string]reflect.Type{}
	collect(reflect.TypeFor[config.Config](), "", known)
	var environ []string
	for key, kind := range known {
		value := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "77", reflect.Int64: "77", reflect.Float64: "0.5", reflect.String: "text-" + key, reflect.Slice: "https://a.example,https://b.example"}[kind.Kind()]
		switch {
		case kind == reflect.TypeFor[time.Duration]():
			value = "77s"
		case key == "issuers":
			value = `[{"name":"n","tenant":"t","issuer":"i","audience":"a","audience_claim":"azp","trust_roles":true,"algorithms":["ES384"],"session_claim":"c","max_lifetime":"77s","jwks_url":"u","jwks":"k",
				"sign_in":{"enabled":true,"url":"s","return_to":["r"]},"types":["at+jwt",""],"claims":{"session":"a.b","subject":"c","roles":"d","require":"e"},"ambient":true,"discovery":true,"ca_file":"f","jwks_refresh":"77s","jwks_max_age":"78s","back_channel_logout":true,"logout_audience":"a"}]`
		}
		environ = append(environ, "CLOAKROOM_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	c, err := Load("", environ)
	require.NoError(t, err)
	printed, err := Print(c)
	require.NoError(t, err)
	var tree map[string]any
	err = yaml.Unmarshal(printed, &tree)
	require.NoError(t, err)
	for _, key := range Keys() {
		at, inIssuer := tree, strings.HasPrefix(key, "issuers[].")
		if inIssuer {
			at = tree["issuers"].([]any)[0].(map[string]any)
			key = strings.TrimPrefix(key, "issuers[].")
		}
		steps := strings.Split(key, ".")
		for _, step := range steps[:len(steps)-1] {
			at = at[step].(map[string]any)
		}
		v, ok := at[steps[len(steps)-1]]
		require.True(t, ok, "%s is not printed", key)
		require.NotContains(t, []any{nil, "", false, 0, "0s"}, v, "%s is not set by its variable", key)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, printed, 0o600))
	again, err := Load(file, nil)
	require.NoError(t, err)
	require.Equal(t, "[redacted]", again.Objects.S3.SecretAccessKey.Reveal(), "a masked value is lost")
	require.Equal(t, "[redacted]", again.TrustedProxy.Secret.Reveal())
	again.Objects.S3.SecretAccessKey, again.TrustedProxy.Secret = c.Objects.S3.SecretAccessKey, c.TrustedProxy.Secret
	require.Equal(t, c, again)
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("http:\n  listen: file:1\n  max_body: 2048\nissuers:\n  - name: a\n    max_lifetime: 5m\n"), 0o600))
	c, err := Load(file, []string{"CLOAKROOM_HTTP_LISTEN=env:2", "PATH=/bin", "OTHER_HTTP_LISTEN=x"})
	require.NoError(t, err)
	require.Equal(t, "env:2", c.HTTP.Listen)
	require.EqualValues(t, 2048, c.HTTP.MaxBody)
	require.Equal(t, config.Default().HTTP.IdleTimeout, c.HTTP.IdleTimeout)
	require.Equal(t, config.DefaultIssuer().Algorithms, c.Issuers[0].Algorithms)
	require.Equal(t, 5*time.Minute, c.Issuers[0].MaxLifetime)
}

// TestTypos: a name of no setting is refused, wherever it is written, and so is a value of another kind.
func TestTypos(t *testing.T) {
	for name, text := range map[string]string{
		"a section": "htpp:\n  listen: x\n", "a name": "http:\n  listn: x\n", "a case": "http:\n  Listen: x\n", "nested": "objects:\n  s3:\n    bukcet: x\n",
		"an issuer's": "issuers:\n  - nam: x\n", "issuers no list": "issuers:\n  name: x\n", "no unit": "http:\n  read_timeout: 15\n", "no unit, text": "http:\n  read_timeout: \"15\"\n",
		"no unit, float": "http:\n  read_timeout: 1.5\n", "an issuer's unit": "issuers:\n  - max_lifetime: 60\n", "no number": "http:\n  max_body: many\n", "no YAML": "http: [\n", "a tab": "\thttp: 1\n",
		"a section that is text": "http: on\n", "no bool": "development: perhaps\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := Load(file, nil)
			require.ErrorContains(t, err, "config: ", name)
		})
	}
	for _, line := range []string{
		"CLOAKROOM_HTTP_LISTN=x", "CLOAKROOM_=x", "CLOAKROOM_http_listen=x", "CLOAKROOM_HTTP=x", "CLOAKROOM_HTTP_READ_TIMEOUT=15", "CLOAKROOM_ISSUERS=x", "CLOAKROOM_ISSUERS={}",
		`CLOAKROOM_ISSUERS=[{"nam":"x"}]`, "CLOAKROOM_ISSUERS_NAME=x", "CLOAKROOM_HTTP_MAX_BODY=1e", "CLOAKROOM_DEVELOPMENT=perhaps",
	} {
		_, err := Load("", []string{line})
		require.Error(t, err, line)
	}
	_, err := Load("/no/such/file", nil)
	require.ErrorContains(t, err, "config: ")
}

// TestPrintMasksSecrets: secret settings are masked, and private keys in a set that should have only public ones.
func TestPrintMasksSecrets(t *testing.T) {
	const d = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE" // of RFC 7517, appendix A.2
	const public = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}`
	for name, set := range map[string]string{
		"private":   `{"keys":[` + strings.Replace(public, `"use"`, `"d":"`+d+`","use"`, 1) + `]}`,
		"symmetric": `{"keys":[` + public + `,{"kty":"oct","k":"` + d + `"}]}`,
		"a PEM":     "-----BEGIN PRIVATE KEY-----\n" + d,
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Objects.S3.SecretAccessKey = "SECRET-key"
			c.Issuers = []config.Issuer{{JWKS: set}, {JWKS: public}}
			printed, err := Print(c)
			require.NoError(t, err)
			require.NotContains(t, string(printed), d)
			require.NotContains(t, string(printed), "SECRET-key")
			require.Contains(t, string(printed), "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "public keys are shown")
			require.Equal(t, set, c.Issuers[0].JWKS, "the settings themselves are unchanged")
		})
	}
}
