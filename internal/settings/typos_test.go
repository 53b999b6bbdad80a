package settings

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrorsNameTheSetting: an error names the setting as in the file, whatever the decoder calls it.
func TestErrorsNameTheSetting(t *testing.T) {
	const unknown = " is no setting: remove it, or see `cloakroom config` for the names"
	for text, want := range map[string]string{
		"htpp:\n  listen: x\n":                        "config: htpp" + unknown,
		"http:\n  listn: x\n":                         "config: http.listn" + unknown,
		"http:\n  listn: x\ntokens:\n  max_bach: 1\n": "config: http.listn" + unknown + "\nconfig: tokens.max_bach" + unknown,
		"objects:\n  s3:\n    bukcet: x\n":            "config: objects.s3.bukcet" + unknown,
		"issuers:\n  - nam: x\n":                      "config: issuers[0].nam" + unknown,
		"issuers:\n  - max_lifetime: 60\n":            "config: issuers[0].max_lifetime: 60 is no duration; write it with a unit, as 90s or 15m",
		"http:\n  max_body: many\n":                   "config: http.max_body: write a whole number",
		"development: perhaps\n":                      "config: development: write true or false",
		"tracing:\n  ratio: some\n":                   "config: tracing.ratio: write a number",
		"issuers:\n  - x\n":                           "config: issuers[0]: expected a map or struct, got \"string\"",
		"http: on\n":                                  "config: http: expected a map or struct, got \"string\"",
	} {
		t.Run(text, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := Load(file, nil)
			require.EqualError(t, err, want, text)
		})
	}
}
