package dev

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/settings"
)

// listening returns a stack that does not serve yet, at free ports.
func listening(t *testing.T, o *Options) (*stack, error) {
	t.Helper()
	o.Data, o.Listen, o.ObjectsListen, o.AppListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	s, err := listen(t.Context(), *o)
	if err == nil {
		t.Cleanup(s.close)
	}
	return s, err
}

func configOf(t *testing.T, o Options) (*gateway.Config, error) {
	t.Helper()
	s, err := listening(t, &o)
	require.NoError(t, err)
	return s.config(o)
}

func variable(key string) string {
	return "CLOAKROOM_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// field returns a setting by its key.
func field(c *gateway.Config, key string) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for name := range strings.SplitSeq(key, ".") {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("yaml") == name {
				v = v.Field(i)
				break
			}
		}
	}
	return v
}

// sample returns a value of a setting's type that differs from dev's.
func sample(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return "77s"
	case v.Kind() == reflect.Bool && v.Bool():
		return "false"
	case v.Kind() == reflect.Bool:
		return "true"
	case v.CanInt():
		return "77"
	case v.CanFloat():
		return "0.77"
	}
	return "given"
}

// Every setting is used, or refused by its name: none is ignored.
func TestEverySettingIsUsedOrRefused(t *testing.T) {
	plain, err := configOf(t, Options{})
	require.NoError(t, err)
	for _, key := range settings.Keys() {
		if strings.HasPrefix(key, "issuers") {
			continue
		}
		t.Run(key, func(t *testing.T) {
			value := sample(field(plain, key))
			cfg, err := configOf(t, Options{Environ: []string{variable(key) + "=" + value}})
			if refuseFixed(map[string]string{key: "x"}) != nil {
				require.ErrorContains(t, err, key+" is decided by dev: remove it from the environment ("+variable(key)+"); ")
				return
			}
			require.NoError(t, err)
			require.NotEqual(t, field(plain, key).Interface(), field(cfg, key).Interface())
		})
	}
}

func TestSettingsUnderDev(t *testing.T) {
	const issuers = `CLOAKROOM_ISSUERS=[{"name":"mine","issuer":"http://localhost:3000","jwks_url":"http://localhost:3000/keys"}]`
	t.Run("issuers are trusted beside the application", func(t *testing.T) {
		cfg, err := configOf(t, Options{Environ: []string{issuers}})
		require.NoError(t, err)
		require.Len(t, cfg.Issuers, 2)
		require.Equal(t, []string{Tenant, "mine"}, []string{cfg.Issuers[0].Name, cfg.Issuers[1].Name})
		require.NoError(t, cfg.Verify())
	})
	t.Run("and may not take its name", func(t *testing.T) {
		cfg, err := configOf(t, Options{Environ: []string{strings.Replace(issuers, "mine", Tenant, 1)}})
		require.NoError(t, err)
		require.ErrorContains(t, cfg.Verify(), "issuers[1].name")
	})
	t.Run("origins are allowed beside the application's", func(t *testing.T) {
		cfg, err := configOf(t, Options{Environ: []string{"CLOAKROOM_HTTP_ALLOWED_ORIGINS=http://localhost:5173"}})
		require.NoError(t, err)
		require.Len(t, cfg.HTTP.AllowedOrigins, 2)
		require.Equal(t, "http://localhost:5173", cfg.HTTP.AllowedOrigins[1])
	})
	t.Run("a file is used, and the environment takes precedence over it", func(t *testing.T) {
		cfg, err := configOf(t, Options{
			Config: file(t, "grants: {default_duration: 3m, max_duration: 1h}\n"), Environ: []string{"CLOAKROOM_GRANTS_MAX_DURATION=2h"},
		})
		require.NoError(t, err)
		require.Equal(t, 3*time.Minute, cfg.Grants.DefaultDuration)
		require.Equal(t, 2*time.Hour, cfg.Grants.MaxDuration)
	})
	t.Run("all that is refused is named at once", func(t *testing.T) {
		name := file(t, "http: {listen: '127.0.0.1:1', tls: {cert_file: a}}\nobjects: {store: s3, s3: {bucket: b}}\n")
		_, err := configOf(t, Options{Config: name, Environ: []string{"CLOAKROOM_LOG_LEVEL=debug", "CLOAKROOM_HTTP_LISTEN="}})
		for _, want := range []string{
			"http.listen is decided by dev: remove it from the environment (CLOAKROOM_HTTP_LISTEN); use --listen",
			"http.tls.cert_file is decided by dev: remove it from " + name,
			"objects.store is", "objects.s3.bucket is", "log.level is decided by dev: remove it from the environment (CLOAKROOM_LOG_LEVEL); use --log-level",
		} {
			require.ErrorContains(t, err, want)
		}
	})
	t.Run("a doctor reads the settings that hold", func(t *testing.T) {
		o := Options{App: "http://localhost:3000", Environ: []string{issuers, "CLOAKROOM_GRANTS_MAX_DURATION=2h", "CLOAKROOM_SPACE_MIN_FREE=67108864"}}
		s, err := listening(t, &o)
		require.NoError(t, err)
		cfg, err := s.config(o)
		require.NoError(t, err)
		require.NoError(t, keepSettings(o, cfg))
		read, err := gateway.LoadConfig(settingsFile(o), nil)
		require.NoError(t, err)
		want, err := settings.Print(cfg)
		require.NoError(t, err)
		got, err := settings.Print(read)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
	t.Run("unknown names are refused as by serve", func(t *testing.T) {
		_, err := configOf(t, Options{Environ: []string{"CLOAKROOM_ISSUER=x"}})
		require.ErrorContains(t, err, "CLOAKROOM_ISSUER is no setting")
	})
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cloakroom.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestTheApplicationsURL(t *testing.T) {
	for app, want := range map[string]string{
		"http://localhost:3000":     "http://localhost:",
		"http://localhost:3000/":    "http://localhost:",
		"http://127.0.0.1:3000":     "http://127.0.0.1:",
		"http://[::1]:3000":         "http://127.0.0.1:",
		"https://app.example":       "http://127.0.0.1:",
		"https://app.example:8443/": "http://127.0.0.1:",
	} {
		t.Run(app, func(t *testing.T) {
			o := Options{App: app}
			s, err := listening(t, &o)
			require.NoError(t, err)
			require.Nil(t, s.app, "the example does not run")
			base := strings.TrimSuffix(app, "/")
			require.Equal(t, base, s.appURL)
			_, port, err := net.SplitHostPort(s.gateway.Addr().String())
			require.NoError(t, err)
			require.Equal(t, want+port, s.gatewayURL, "on the application's site, so that its cookies reach the playground")
			cfg, err := s.config(o)
			require.NoError(t, err)
			require.NoError(t, cfg.Verify())
			require.Equal(t, []string{base}, cfg.HTTP.AllowedOrigins)
			require.Len(t, cfg.Issuers, 1)
			issuer := cfg.Issuers[0]
			require.Equal(t, OwnTenant, issuer.Name)
			require.Equal(t, base, issuer.Issuer)
			require.Equal(t, base+"/.cloakroom/jwks.json", issuer.JWKSURL)
			require.Equal(t, base+"/.cloakroom/sign-in", issuer.SignInURL())
			require.True(t, issuer.SignIn.Enabled)
			require.Equal(t, []string{base, s.gatewayURL}, issuer.SignIn.ReturnTo)
			require.Equal(t, base+"/.cloakroom/session", cfg.Playground.SessionURL)
		})
	}
	for app, why := range map[string]string{
		"localhost:3000":             "no URL",
		"3000":                       "no URL",
		"http://":                    "no URL",
		"ftp://localhost":            "no URL",
		"http://localhost:3000/app":  "alone",
		"http://localhost:3000//":    "alone",
		"http://localhost:3000?a":    "alone",
		"http://me@localhost:3000":   "alone",
		"HTTP://localhost:3000":      "alone",
		"http://LOCALHOST:3000":      "alone",
		"http://localhost:80":        "own port",
		"http://app.example":         "on loopback only",
		"http://10.0.0.1:3000":       "on loopback only",
		"http://localhost.evil.test": "on loopback only",
	} {
		t.Run(app, func(t *testing.T) {
			o := Options{App: app}
			_, err := listening(t, &o)
			require.ErrorContains(t, err, "--app="+app)
			require.ErrorContains(t, err, why)
			require.ErrorContains(t, err, "write its base URL, such as http://localhost:3000")
		})
	}
}
