package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/signin"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
)

// newSignIn returns the redirect flow. It accepts its cookie in addition to the credentials that next accepts.
func (g *Gateway) newSignIn(ctx context.Context, next *credential.Authenticator, keys *keyring.Keyring, rows database, ends signin.Revocation, rates signin.Rates, metrics *telemetry.Metrics) (*signin.Flow, error) {
	states, err := purposeKeys(ctx, keys, rows, "sign-in-state")
	if err != nil {
		return nil, err
	}
	cookies, err := purposeKeys(ctx, keys, rows, "sign-in-cookie")
	if err != nil {
		return nil, err
	}
	o := signin.Options{
		Next: next, Assertions: next, PublicURL: g.cfg.HTTP.PublicURL, AllowedOrigins: g.cfg.HTTP.AllowedOrigins, Cookie: g.cfg.SignIn.Cookie, StateLifetime: g.cfg.SignIn.StateLifetime,
		StateKeys: states, CookieKeys: cookies, Rows: rows, Revocation: ends, Rates: rates, Observer: metrics, Logger: g.log, Refuse: httpd.Refuse(g.log),
	}
	for _, i := range g.cfg.Issuers {
		if i.SignIn.Enabled {
			o.Providers = append(o.Providers, signin.Provider{Name: i.Name, Tenant: i.TenantName(), URL: i.SignInURL(), ReturnTo: i.SignIn.ReturnTo})
		}
	}
	return signin.New(o)
}

// purposeKeys refuses a keyset without the master key that the purpose's keys are sealed under.
func purposeKeys(ctx context.Context, keys *keyring.Keyring, rows database, name string) (*keyring.Purpose, error) {
	purpose, err := keys.Purpose(ctx, rows, name)
	if errors.Is(err, keyring.ErrMismatch) {
		return nil, fmt.Errorf("config: keys.file: the keys for %s, in database.path: %w; name the keyset that has all master keys of database.path", name, err)
	}
	return purpose, err
}
