package gateway

import (
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/signin"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
)

// newSignIn returns the redirect flow, which adds its cookie to the credentials that next knows.
func (g *Gateway) newSignIn(next *credential.Authenticator, keys *keyring.Keyring, rows database, ends signin.Revocation, rates signin.Rates, metrics *telemetry.Metrics) (*signin.Flow, error) {
	o := signin.Options{
		Next: next, Assertions: next, PublicURL: g.cfg.HTTP.PublicURL, AllowedOrigins: g.cfg.HTTP.AllowedOrigins, Cookie: g.cfg.SignIn.Cookie, StateLifetime: g.cfg.SignIn.StateLifetime,
		Sealer: keys, Rows: rows, Revocation: ends, Rates: rates, Observer: metrics, Logger: g.log, Refuse: httpd.Refuse(g.log),
	}
	for _, i := range g.cfg.Issuers {
		if i.SignIn.Enabled {
			o.Providers = append(o.Providers, signin.Provider{Name: i.Name, Tenant: i.TenantName(), URL: i.SignInURL(), ReturnTo: i.SignIn.ReturnTo})
		}
	}
	return signin.New(o)
}
