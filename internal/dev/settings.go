package dev

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/settings"
)

// fixed are the settings that only dev sets, with what to do instead. A name that ends in a dot stands for all settings
// below it. Every other setting is used; dev adds to those that are lists.
var fixed = []struct{ setting, remedy string }{
	{"development", "dev is for development only; for anything else use `cloakroom serve`"},
	{"http.listen", "use --listen"},
	{"http.public_url", "it follows --listen and --app"},
	{"http.tls.", "dev speaks HTTP on loopback; `cloakroom serve` speaks TLS"},
	{"database.path", "use --data"},
	{"keys.file", "use --data"},
	{"keys.create", "dev creates the keys that --data does not hold"},
	{"objects.store", "dev has its own embedded store; `cloakroom serve` has others"},
	{"objects.s3.", "dev has its own embedded store; `cloakroom serve` has others"},
	{"objects.embedded.dir", "use --data"},
	{"objects.embedded.listen", "use --objects-listen"},
	{"objects.embedded.public_url", "it follows --objects-listen"},
	{"log.level", "use --log-level"},
	{"log.format", "dev logs text; `cloakroom serve` logs JSON"},
}

// refuseFixed returns an error for each given setting that dev would override, with its source.
func refuseFixed(given map[string]string) error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		for _, f := range fixed {
			if key == f.setting || strings.HasSuffix(f.setting, ".") && strings.HasPrefix(key, f.setting) {
				problems = append(problems, fmt.Errorf("config: %s is decided by dev: remove it from %s; %s", key, place(given[key]), f.remedy))
			}
		}
	}
	return errors.Join(problems...)
}

func place(source string) string {
	if strings.HasPrefix(source, "CLOAKROOM_") {
		return "the environment (" + source + ")"
	}
	return source
}

// config returns the settings of a development gateway: those of o, and the fixed ones. None of these weakens the protection
// of values.
func (s *stack) config(o Options) (*gateway.Config, error) {
	given, err := settings.Given(o.Config, o.Environ)
	if err != nil {
		return nil, err
	}
	cfg, err := gateway.LoadConfig(o.Config, o.Environ)
	if err := errors.Join(err, refuseFixed(given)); err != nil {
		return nil, err
	}
	cfg.Development = true
	cfg.HTTP.Listen = s.gateway.Addr().String()
	cfg.HTTP.PublicURL = s.gatewayURL
	if !slices.Contains(cfg.HTTP.AllowedOrigins, s.appURL) {
		cfg.HTTP.AllowedOrigins = append([]string{s.appURL}, cfg.HTTP.AllowedOrigins...)
	}
	cfg.Database.Path = filepath.Join(o.Data, "cloakroom.db")
	cfg.Keys.File = filepath.Join(o.Data, "keyset.json")
	cfg.Keys.Create = true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = filepath.Join(o.Data, "objects")
	cfg.Objects.Embedded.Listen = s.objects.Addr().String()
	cfg.Objects.Embedded.PublicURL = s.objectsURL
	cfg.Issuers = append([]gateway.Issuer{s.issuer(o)}, cfg.Issuers...)
	if given["graphql.introspection"] == "" {
		cfg.GraphQL.Introspection = true
	}
	if given["playground.enabled"] == "" {
		cfg.Playground.Enabled = true
	}
	if given["playground.session_url"] == "" {
		cfg.Playground.SessionURL = s.appURL + "/.cloakroom/session"
	}
	return cfg, nil
}

// settingsFile returns the file to which the settings of the running gateway are written, for `cloakroom doctor --config`.
func settingsFile(o Options) string { return filepath.Join(o.Data, "settings.yaml") }

func keepSettings(o Options, cfg *gateway.Config) error {
	printed, err := settings.Print(cfg)
	if err != nil {
		return err
	}
	if err := os.WriteFile(settingsFile(o), append([]byte("# Written by cloakroom dev at each start. For `cloakroom doctor --config`.\n"), printed...), 0o600); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	return nil
}

// issuer returns the application as an issuer, with the URL where appkit publishes its keys.
func (s *stack) issuer(o Options) gateway.Issuer {
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKSURL = Tenant, s.appURL, s.appURL+"/.cloakroom/jwks.json"
	if o.App != "" {
		issuer.Name = OwnTenant
	}
	issuer.TrustRoles = true
	issuer.SignIn.Enabled, issuer.SignIn.ReturnTo = true, []string{s.appURL, s.gatewayURL}
	return issuer
}
