package settings

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

// TestOverlay: defaults, then the file, then the environment, whose later lines win.
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
	t.Run("the environment's issuers take the place of the file's", func(t *testing.T) {
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
