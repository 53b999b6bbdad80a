package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// valid returns the settings without a default, and nothing else.
func valid() *Config {
	c := Default()
	c.HTTP.PublicURL = "https://gateway.example"
	i := DefaultIssuer()
	i.Name, i.Issuer, i.Audience, i.JWKSURL = "clinic", "https://clinic.example", "https://gateway.example", "https://clinic.example/jwks.json"
	i.TrustRoles = true
	c.Issuers = []Issuer{i}
	c.Database.Path, c.Keys.File = "rows.db", "keys.json"
	c.Objects.S3.Bucket, c.Objects.S3.Region = "values", "eu-central-1"
	return c
}

func TestDefaults(t *testing.T) {
	require.NoError(t, valid().Verify())
	err := Default().Verify()
	for _, setting := range []string{"http.public_url", "issuers", "database.path", "keys.file", "objects.s3.bucket", "objects.s3.region"} {
		require.ErrorContains(t, err, "config: "+setting+": ", "every problem at once")
	}
}

// TestSecretsNeverPrint, with any verb, encoder or logger, alone or in a Config.
func TestSecretsNeverPrint(t *testing.T) {
	c := valid()
	c.Objects.S3.SecretAccessKey = "SECRET-key"
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("x", "config", c, "s3", c.Objects.S3, "secret", c.Objects.S3.SecretAccessKey, slog.Any("any", *c))
	}
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	asMap, err := yaml.Marshal(map[string]any{"x": c.Objects.S3.SecretAccessKey.String()})
	require.NoError(t, err)
	out := []string{log.String(), string(asJSON), string(asMap), fmt.Errorf("%w: %v", os.ErrInvalid, c.Objects.S3).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{*c, c, c.Objects, &c.Objects.S3, c.Objects.S3.SecretAccessKey} {
			out = append(out, fmt.Sprintf(verb, v))
		}
	}
	for _, s := range out {
		require.NotContains(t, s, "SECRET")
		require.NotContains(t, strings.ToLower(s), fmt.Sprintf("%x", "SECRET"))
	}
	require.Equal(t, "SECRET-key", c.Objects.S3.SecretAccessKey.Reveal())
}
