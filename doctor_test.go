package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// doctor runs the command with a JWT on standard input, or "" for none, and returns what it printed and its exit code.
func doctor(t *testing.T, settings map[string]string, jwt string) (string, int) {
	t.Helper()
	args := []string{"doctor"}
	if jwt != "" {
		before := stdin
		stdin = strings.NewReader(jwt)
		t.Cleanup(func() { stdin = before })
		args = append(args, "--jwt", "-")
	}
	out, err := command(t, environ(settings), args...)
	var own *exit
	switch {
	case err == nil:
		return out, 0
	case errors.As(err, &own):
		return out, own.code
	}
	t.Fatal(err)
	return "", 0
}

// started returns settings with which a gateway has run once.
func started(t *testing.T, tenant *stack.Tenant) map[string]string {
	t.Helper()
	s := writeSettings(t, tenant)
	cfg, err := gateway.LoadConfig("", environ(s))
	require.NoError(t, err)
	g, err := gateway.New(t.Context(), cfg, nil)
	require.NoError(t, err)
	require.NoError(t, g.Close(t.Context()))
	return s
}

// edited returns settings with one issuer's members changed.
func edited(t *testing.T, s map[string]string, change map[string]any) map[string]string {
	t.Helper()
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(s["ISSUERS"]), &list))
	maps.Copy(list[0], change)
	maps.DeleteFunc(list[0], func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(list)
	require.NoError(t, err)
	s = maps.Clone(s)
	s["ISSUERS"] = string(b)
	return s
}

func TestDoctor(t *testing.T) {
	tenant := stack.NewTenant(t, "app")
	s := started(t, tenant)
	s["HTTP_ALLOWED_ORIGINS"] = "https://www.example.org"
	t.Run("all is well", func(t *testing.T) {
		out, code := doctor(t, s, "")
		require.Zero(t, code, out)
		for _, topic := range []string{"settings", "keyset", "database", "objects", "cors", "issuer app"} {
			require.Regexp(t, `(?m)^ok +`+topic+` `, out)
		}
		require.NotContains(t, out, "FAILED")
	})
	t.Run("values in the frame", func(t *testing.T) {
		out, code := doctor(t, edited(t, s, map[string]any{
			"detokenize": map[string]any{"from": "frame"}, "sign_in": map[string]any{"enabled": true, "url": "https://www.example.org/in", "return_to": []string{"https://www.example.org"}},
		}), "")
		require.Zero(t, code, out)
		require.Regexp(t, `(?m)^ok +issuer app .*detokenize.from is frame for the tenant app`, out)
		out, _ = doctor(t, s, "")
		require.NotContains(t, out, "frame")
	})
	t.Run("before the first start", func(t *testing.T) {
		fresh := writeSettings(t, tenant)
		out, code := doctor(t, fresh, "")
		require.Zero(t, code, out)
		require.Regexp(t, `(?m)^note +database .*does not exist yet`, out)
		_, err := os.Stat(fresh["DATABASE_PATH"])
		require.ErrorIs(t, err, os.ErrNotExist, "doctor creates nothing")
		_, err = os.Stat(fresh["OBJECTS_EMBEDDED_DIR"])
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("beside a running gateway", func(t *testing.T) {
		cfg, err := gateway.LoadConfig("", environ(s))
		require.NoError(t, err)
		g, err := gateway.New(t.Context(), cfg, nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, g.Close(t.Context())) }()
		out, code := doctor(t, s, "")
		require.Zero(t, code, out)
		require.Regexp(t, `(?m)^note +objects .*a running gateway uses`, out)
		require.Regexp(t, `(?m)^ok +database `, out)
	})
	other := filepath.Join(t.TempDir(), "other.json")
	_, err := command(t, nil, "keys", "create", other)
	require.NoError(t, err)
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600))
	for name, test := range map[string]struct{ setting, value, want string }{
		"a wrong setting": {"TOKENS_PREFIX", "No", `FAILED +settings +tokens.prefix: "No"`},
		"no keyset":       {"KEYS_FILE", other + ".missing", `FAILED +keyset .*keys create`},
		"another keyset":  {"KEYS_FILE", other, `FAILED +database .*is not the keyset`},
		"no database":     {"DATABASE_PATH", garbage, `FAILED +database .*not a database`},
		"a broken store":  {"OBJECTS_EMBEDDED_DIR", "/proc/self", `(FAILED|note) +objects `},
	} {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(s)
			changed[test.setting] = test.value
			out, code := doctor(t, changed, "")
			require.Regexp(t, `(?m)^`+test.want, out)
			if strings.HasPrefix(test.want, "FAILED") {
				require.Equal(t, 1, code)
			}
		})
	}
}

// TestDoctorAsksIssuers: it reports an issuer's answer, its keys, and its clock.
func TestDoctorAsksIssuers(t *testing.T) {
	tenant := stack.NewTenant(t, "app")
	s := started(t, tenant)
	set := strings.Replace(tenant.JWKS(t), `{"keys":[`, `{"keys":[{"kty":"AKP","kid":"pq","alg":"ML-DSA-44","pub":"AA"},`, 1)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
		code   int
	}{
		"well, with an unknown key": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) }, `(?m)^ok +issuer app .*1 keys from .*ES256[\s\S]*^note +issuer app .*unknown kty`, 0},
		"not found":                 {http.NotFound, `(?m)^FAILED +issuer app .*status 404`, 1},
		"a page":                    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, `(?m)^FAILED +issuer app .*not a JWKS`, 1},
		"none that is usable": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"AKP","kid":"pq","pub":"AA"}]}`))
		}, `(?m)^FAILED +issuer app .*no usable key`, 1},
		"a clock that is behind": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
			_, _ = w.Write([]byte(set))
		}, `(?m)^FAILED +issuer app .*clock.*differ by (10m|9m59)`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := httptest.NewServer(test.answer)
			defer issuer.Close()
			out, code := doctor(t, edited(t, s, map[string]any{"jwks": nil, "jwks_url": issuer.URL}), "")
			require.Regexp(t, test.want, out)
			require.Equal(t, test.code, code, out)
		})
	}
	t.Run("no application", func(t *testing.T) {
		out, code := doctor(t, edited(t, s, map[string]any{"trust_roles": false}), "")
		require.Zero(t, code)
		require.Regexp(t, `(?m)^note +issuers +none has trust_roles`, out)
	})
}

// TestDoctorExplainsJWTs: it reports whether the gateway accepts a JWT, and why not, without secrets.
func TestDoctorExplainsJWTs(t *testing.T) {
	tenant, stranger := stack.NewTenant(t, "app"), stack.NewTenant(t, "stranger")
	s := started(t, tenant)
	url := s["HTTP_PUBLIC_URL"]
	for name, test := range map[string]struct {
		jwt    string
		change map[string]any
		code   int
		want   []string
	}{
		"a session's":      {tenant.SessionJWT(t, url, "sid-secret"), nil, 0, []string{`ok +jwt: signature`, `ok +jwt +accepted: issuer app, tenant app, roles \[\], as a session, whose hash is [\w-]{10,}`}},
		"an application's": {"Bearer " + tenant.ApplicationJWT(t, url) + "\n", nil, 0, []string{`ok +jwt +accepted: issuer app, tenant app, roles \["application"\], as the application`}},
		"for another gateway": {tenant.SessionJWT(t, "https://other.example", "sid-secret"), nil, 1, []string{
			`FAILED +jwt: aud .*expected "` + regexp.QuoteMeta(url) + `"; given "https://other.example"`, `ok +jwt: signature`, `FAILED +jwt +refused`,
		}},
		"of an unknown issuer": {stranger.SessionJWT(t, url, "sid-secret"), nil, 1, []string{`FAILED +jwt: iss .*expected one of "https://app.example"; given "https://stranger.example"`}},
		"without trust_roles":  {tenant.ApplicationJWT(t, url), map[string]any{"trust_roles": false}, 1, []string{`FAILED +jwt: session .*roles "application", which do not count: trust_roles is off`}},
		"of a life too long":   {tenant.SessionJWT(t, url, "sid-secret"), map[string]any{"max_lifetime": "1m"}, 1, []string{`FAILED +jwt: lifetime .*expected 1m0s at most`}},
		"of another typ":       {tenant.SessionJWT(t, url, "sid-secret"), map[string]any{"types": []string{"at+jwt"}}, 1, []string{`FAILED +jwt: typ .*expected "at\+jwt"; given "JWT"`, `ok +jwt: aud`}},
		"with a bad signature": {tamper(tenant.SessionJWT(t, url, "sid-secret")), nil, 1, []string{`FAILED +jwt: signature`, `ok +jwt: aud`}},
		"nonsense":             {"nonsense", nil, 1, []string{`FAILED +jwt: form`}},
	} {
		t.Run(name, func(t *testing.T) {
			settings := s
			if test.change != nil {
				settings = edited(t, s, test.change)
			}
			out, code := doctor(t, settings, test.jwt)
			require.Equal(t, test.code, code, out)
			for _, want := range test.want {
				require.Regexp(t, `(?m)^`+want, out)
			}
			require.NotContains(t, out, "sid-secret")
			for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSpace(test.jwt), "Bearer "), ".") {
				if part != "nonsense" {
					require.NotContains(t, out, part)
				}
			}
		})
	}
}

// tamper changes the signature's first letter.
func tamper(jwt string) string {
	dot := strings.LastIndexByte(jwt, '.') + 1
	letter := map[bool]string{true: "B", false: "A"}[jwt[dot] == 'A']
	return jwt[:dot] + letter + jwt[dot+1:]
}

// TestDoctorsInput: a file works too. A JWT as an argument, which other users can see, is refused and not repeated.
func TestDoctorsInput(t *testing.T) {
	tenant := stack.NewTenant(t, "app")
	s := started(t, tenant)
	jwt := tenant.SessionJWT(t, s["HTTP_PUBLIC_URL"], "sid")
	file := filepath.Join(t.TempDir(), "jwt")
	require.NoError(t, os.WriteFile(file, []byte(jwt+"\n"), 0o600))
	out, err := command(t, environ(s), "doctor", "--jwt", file)
	require.NoError(t, err)
	require.Contains(t, out, "accepted")
	_, err = command(t, environ(s), "doctor", "--jwt", jwt)
	require.ErrorContains(t, err, "--jwt -")
	require.NotContains(t, err.Error(), jwt)
	require.NoError(t, os.WriteFile(file, []byte(" \n"), 0o600))
	_, err = command(t, environ(s), "doctor", "--jwt", file)
	require.ErrorContains(t, err, "no JWT")
}
