package settings

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

// TestOverlay: the file takes precedence over defaults, the environment over the file, and its later lines over earlier ones.
func TestOverlay(t *testing.T) {
	file := func(t *testing.T, text string) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "c.yaml")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	t.Run("each over the one before", func(t *testing.T) {
		name := file(t, "http: {listen: a, read_timeout: 1s}\ntokens: {prefix: f}\nissuers: [{name: x}]\n")
		environ := []string{"OTHER=1", "CLOAKROOM_HTTP_LISTEN=b", "CLOAKROOM_HTTP_LISTEN=c=d", "CLOAKROOM_OBJECTS_S3_REGION=r", "NO_EQUALS"}
		c, err := Load(name, environ)
		require.NoError(t, err)
		require.Equal(t, "c=d", c.HTTP.Listen)
		require.Equal(t, time.Second, c.HTTP.ReadTimeout)
		require.Equal(t, "r", c.Objects.S3.Region)
		require.Equal(t, config.Default().HTTP.WriteTimeout, c.HTTP.WriteTimeout)
		given, err := Given(name, environ)
		require.NoError(t, err)
		require.Equal(t, map[string]string{
			"http.listen": "CLOAKROOM_HTTP_LISTEN", "http.read_timeout": name, "tokens.prefix": name, "issuers": name,
			"objects.s3.region": "CLOAKROOM_OBJECTS_S3_REGION",
		}, given)
	})
	t.Run("the environment's issuers replace the file's", func(t *testing.T) {
		c, err := Load(file(t, "issuers: [{name: x}, {name: y}]\n"), []string{`CLOAKROOM_ISSUERS=[{"name":"z"}]`})
		require.NoError(t, err)
		require.Len(t, c.Issuers, 1)
		require.Equal(t, "z", c.Issuers[0].Name)
	})
	for name, text := range map[string]string{"empty": "", "null": "null\n", "a comment": "# nothing\n", "empty parts": "http:\ntokens: {}\n"} {
		t.Run("a file that is "+name, func(t *testing.T) {
			c, err := Load(file(t, text), []string{"CLOAKROOM_HTTP_LISTEN=a"})
			require.NoError(t, err)
			want := config.Default()
			want.HTTP.Listen = "a"
			require.Equal(t, want, c)
		})
	}
	for name, text := range map[string]string{
		"a list": "- a\n", "a text": "a\n", "twice the same": "http: {listen: a}\nhttp: {listen: b}\n", "a number for a name": "1: a\n", "a number within": "http: {1: a}\n", "a number in a list": "issuers: [{name: x, claims: {true: y}}]\n",
		"a dotted name": "http.listen: a\n",
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			_, err := Load(file(t, text), nil)
			require.ErrorContains(t, err, "config: ")
		})
	}
}

// TestMissingValuesAreNotZero: rates of 0 are off, and other limits too. So a part or a setting without a value, perhaps with
// comments alone, leaves the defaults, and a value that is no number, or not an exact one, is refused.
func TestMissingValuesAreNotZero(t *testing.T) {
	load := func(t *testing.T, text string, environ ...string) (*config.Config, error) {
		t.Helper()
		name := filepath.Join(t.TempDir(), "c.yaml")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return Load(name, environ)
	}
	for name, text := range map[string]string{
		"all rates": "rates:\n", "some rates": "rates:\n  sign_ins:\n", "a bucket": "rates: {refused_credentials: {address: ~}}\n",
		"a number": "rates: {anonymous_requests: {address: {per_second: }}}\n", "room": "space: {min_free: null}\n",
		"complexity": "graphql:\n", "credentials": "credentials:\n", "a list": "http: {allowed_headers: }\n",
	} {
		t.Run("no value: "+name, func(t *testing.T) {
			c, err := load(t, text)
			require.NoError(t, err)
			require.Equal(t, config.Default(), c)
		})
	}
	t.Run("no value: of an issuer", func(t *testing.T) {
		want := config.DefaultIssuer()
		want.Name = "x"
		c, err := load(t, "issuers: [{name: x, max_lifetime: , algorithms: }]\n")
		require.NoError(t, err)
		require.Equal(t, []config.Issuer{want}, c.Issuers)
		c, err = load(t, "", `CLOAKROOM_ISSUERS=[{"name":"x","max_lifetime":null}]`)
		require.NoError(t, err)
		require.Equal(t, []config.Issuer{want}, c.Issuers)
	})
	for name, test := range map[string]struct{ text, variable, setting string }{
		"an empty number":           {text: "http: {max_body: ''}\n", setting: "http.max_body"},
		"a number over 64 bits":     {text: "http: {max_body: 99999999999999999999}\n", setting: "http.max_body"},
		"a fraction":                {text: "credentials: {max_ended: 1.9}\n", setting: "credentials.max_ended"},
		"a boolean for a number":    {text: "tokens: {max_batch: true}\n", setting: "tokens.max_batch"},
		"a number for a boolean":    {text: "development: 2\n", setting: "development"},
		"a number for roles":        {text: "issuers: [{trust_roles: 7}]\n", setting: "issuers[0].trust_roles"},
		"an empty boolean":          {text: "objects: {require_size: ''}\n", setting: "objects.require_size"},
		"an empty rate":             {text: "rates: {sign_ins: {address: {per_second: ''}}}\n", setting: "rates.sign_ins.address.per_second"},
		"a boolean for a rate":      {text: "rates: {sign_ins: {address: {per_second: false}}}\n", setting: "rates.sign_ins.address.per_second"},
		"an empty duration":         {text: "grants: {max_duration: ''}\n", setting: "grants.max_duration"},
		"a variable without rate":   {variable: "CLOAKROOM_RATES_ANONYMOUS_REQUESTS_ADDRESS_PER_SECOND=", setting: "rates.anonymous_requests.address.per_second"},
		"a variable without size":   {variable: "CLOAKROOM_SPACE_MIN_FREE=", setting: "space.min_free"},
		"a variable, empty boolean": {variable: "CLOAKROOM_OBJECTS_REQUIRE_SIZE=", setting: "objects.require_size"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			_, err := load(t, test.text, test.variable)
			require.ErrorContains(t, err, "config: "+test.setting)
		})
	}
	t.Run("null for an issuer", func(t *testing.T) {
		_, err := load(t, "issuers: [{name: x}, ]\n", `CLOAKROOM_ISSUERS=[null]`)
		require.ErrorContains(t, err, "issuers[0]")
	})
	t.Run("a name twice", func(t *testing.T) {
		_, err := load(t, "", `CLOAKROOM_ISSUERS=[{"name":"x","issuer":"https://a.example","issuer":"https://b.example"}]`)
		require.ErrorContains(t, err, "CLOAKROOM_ISSUERS")
		_, err = load(t, "issuers: [{name: x, name: y}]\n")
		require.ErrorContains(t, err, "already defined")
	})
	t.Run("a second document", func(t *testing.T) {
		_, err := load(t, "http: {listen: a}\n---\nhttp: {max_body: 4096}\n")
		require.ErrorContains(t, err, "one document")
	})
}
