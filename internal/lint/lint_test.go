package lint

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

func defaults(t *testing.T) *Rules {
	t.Helper()
	r, err := ParseRules(DefaultRules)
	require.NoError(t, err)
	return r
}

func TestGolden(t *testing.T) {
	for name, patterns := range map[string][]string{
		"clinic":     {"testdata/clinic.graphqls"},
		"undeclared": {"testdata/clean.graphqls"},
		"other":      {"testdata/other.graphqls"},
	} {
		report, err := Check(patterns, defaults(t))
		require.NoError(t, err)
		for _, format := range []string{"text", "json", "sarif"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				var b bytes.Buffer
				require.NoError(t, Write(&b, format, report))
				golden := filepath.Join("testdata", name+"."+format+".golden")
				if *update {
					require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o600))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), b.String())
			})
		}
	}
}

func TestACleanSchema(t *testing.T) {
	for _, patterns := range [][]string{
		{"testdata/clean.graphqls", "testdata/token.graphqls"},
		{"testdata/[ct][lo][ek]*n.graphqls"},
	} {
		report, err := Check(patterns, defaults(t))
		require.NoError(t, err)
		require.False(t, report.Failed(), patterns)
	}
}

func TestFoldersPatternsAndRepeatedFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o700))
	for from, to := range map[string]string{"clean.graphqls": "deep/clean.graphql", "token.graphqls": "token.graphqls"} {
		b, err := os.ReadFile(filepath.Join("testdata", from))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, to), b, 0o600))
	}
	report, err := Check([]string{dir, filepath.Join(dir, "*.graphqls"), filepath.Join(dir, "token.graphqls")}, defaults(t))
	require.NoError(t, err)
	require.False(t, report.Failed())
}

func TestUnusableInput(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.graphqls")
	for text, wants := range map[string]string{
		"type Query {":                "broken.graphqls:1",
		"type Query { a: Missing }":   "Missing",
		"type Query { a: String } \"": "broken.graphqls:1",
	} {
		t.Run(text, func(t *testing.T) {
			require.NoError(t, os.WriteFile(broken, []byte(text), 0o600))
			_, err := Check([]string{broken}, defaults(t))
			require.ErrorContains(t, err, wants)
		})
	}
	for _, p := range []string{"testdata/missing.graphqls", "testdata/*.missing", t.TempDir()} {
		_, err := Check([]string{p}, defaults(t))
		require.ErrorContains(t, err, "no such schema")
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"socialSecurityNumber": "social security number", "SOCIAL_SECURITY_NUMBER": "social security number", "SSN": "ssn",
		"patientSSN": "patient ssn", "SSNOfPatient": "ssn of patient", "driver's license": "driver license", "last4": "last 4", "userSSNs": "user ssn", "IPv4Address": "ipv 4 address", "address1": "address 1",
		"diagnoses": "diagnose", "sourceIPs": "source ip", "emailAddresses": "email address", "status": "status", "oauth2Token": "oauth 2 token",
		"IBANNumber": "iban number", "  a--b ": "a b", "": "", "größeÄ": "größe ä",
	} {
		t.Run(in, func(t *testing.T) {
			require.Equal(t, want, words(in), in)
		})
	}
}

func TestMatch(t *testing.T) {
	r := defaults(t)
	for name, want := range map[string]string{
		"ssn": "national-id", "customerPassportNumber": "national-id", "session": "", "passwordHash": "", "passwordUpdatedAt": "",
		"pinCode": "password", "pinned": "", "company": "", "span": "", "lastFourDigits": "", "cardNumberLast4": "", "dob": "birth",
	} {
		t.Run(name, func(t *testing.T) {
			rule, _ := r.match("Thing", name, "String", "")
			if want == "" {
				require.Nil(t, rule, name)
				return
			}
			require.NotNil(t, rule, name)
			require.Equal(t, want, rule.ID, name)
		})
	}
	rule, by := r.match("Thing", "remark", "String", "Holds PII of the patient.")
	require.Equal(t, "declared", rule.ID)
	require.Equal(t, byDescription, by)
}

func TestParseRules(t *testing.T) {
	for text, wants := range map[string]string{
		"":               "rules:",
		"harmless: [at]": "there are none",
		"sensitive: [{id: a, what: b, name: [x]}]":        "name",
		"sensitive: [{id: a, what: b}, {id: a, what: c}]": "id of its own",
		"sensitive: [{id: a}]":                            "what",
		"sensitive: [{id: a, what: b}]\ntypo: [1]":        "typo",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := ParseRules([]byte(text))
			require.ErrorContains(t, err, wants, text)
		})
	}
	r, err := ParseRules([]byte("sensitive: [{id: own, what: ours, names: [shoe size]}]"))
	require.NoError(t, err)
	rule, _ := r.match("Thing", "shoeSize", "String", "")
	require.Equal(t, "own", rule.ID)
}

// The report has the properties that the schema of SARIF 2.1.0 requires, within the limits that it sets.
func TestSARIFHasWhatItsSchemaRequires(t *testing.T) {
	report, err := Check([]string{"testdata/clinic.graphqls"}, defaults(t))
	require.NoError(t, err)
	for _, r := range []*Report{report, {}} {
		var b bytes.Buffer
		require.NoError(t, Write(&b, "sarif", r))
		var log map[string]any
		require.NoError(t, json.Unmarshal(b.Bytes(), &log))
		require.Equal(t, "2.1.0", log["version"])
		for _, run := range log["runs"].([]any) {
			run := run.(map[string]any)
			driver := run["tool"].(map[string]any)["driver"].(map[string]any)
			require.NotEmpty(t, driver["name"])
			rules := driver["rules"].([]any)
			for _, result := range run["results"].([]any) {
				result := result.(map[string]any)
				require.NotEmpty(t, result["message"].(map[string]any)["text"])
				require.Contains(t, []string{"none", "note", "warning", "error"}, result["level"])
				rule := rules[int(result["ruleIndex"].(float64))].(map[string]any)
				require.Equal(t, result["ruleId"], rule["id"])
				for _, l := range result["locations"].([]any) {
					physical := l.(map[string]any)["physicalLocation"].(map[string]any)
					require.False(t, strings.HasPrefix(physical["artifactLocation"].(map[string]any)["uri"].(string), "/"))
					region := physical["region"].(map[string]any)
					require.GreaterOrEqual(t, region["startLine"], 1.0)
					require.GreaterOrEqual(t, region["startColumn"], 1.0)
				}
			}
		}
	}
}
