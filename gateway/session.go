package gateway

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/cloakroomhq/cloakroom/internal/credential"
)

// newAuthenticator makes the authenticator from the settings of credentials.
func (g *Gateway) newAuthenticator(rates credential.Rates, observer credential.Observer) (*credential.Authenticator, error) {
	issuers, err := issuers(g.cfg)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	proxy, err := trustedProxy(g.cfg)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return credential.New(credential.Options{
		Issuers: issuers, Header: g.cfg.Credentials.Header, Proxy: proxy, Remember: g.cfg.Credentials.Remember, MaxSize: g.cfg.Credentials.MaxSize, Rates: rates, Logger: g.log, Observer: observer,
	})
}

func issuers(cfg *Config) ([]credential.Issuer, error) {
	list := make([]credential.Issuer, len(cfg.Issuers))
	for n, i := range cfg.Issuers {
		audience := i.Audience
		if audience == "" {
			audience = cfg.HTTP.PublicURL
		}
		roots, err := certificates(fmt.Sprintf("issuers[%d].ca_file", n), i.CAFile)
		if err != nil {
			return nil, err
		}
		list[n] = credential.Issuer{
			Name: i.Name, Tenant: i.TenantName(), Issuer: i.Issuer, Audience: audience, AudienceClaim: i.AudienceClaim, Algorithms: i.Algorithms, Types: i.Types,
			SessionClaim: i.SessionClaim, Claims: credential.Claims(i.Claims), TrustRoles: i.TrustRoles, Ambient: i.Ambient,
			MaxLifetime: i.MaxLifetime, ClockSkew: cfg.Credentials.ClockSkew,
			JWKS: []byte(i.JWKS), JWKSURL: i.JWKSURL, Discovery: i.Discovery, RootCAs: roots, Refresh: i.JWKSRefresh, MaxAge: i.JWKSMaxAge,
			Logout: logoutRules(&i, audience),
		}
	}
	return list, nil
}

func logoutRules(i *Issuer, audience string) *credential.LogoutRules {
	if !i.BackChannelLogout {
		return nil
	}
	return &credential.LogoutRules{Audience: cmp.Or(i.LogoutAudience, audience), Types: i.LogoutTypes}
}

func trustedProxy(cfg *Config) (*credential.TrustedProxy, error) {
	t := cfg.TrustedProxy
	if t.Tenant == "" {
		return nil, nil
	}
	p := &credential.TrustedProxy{
		Tenant: t.Tenant, SessionHeader: t.SessionHeader, SubjectHeader: t.SubjectHeader, MaxLifetime: t.MaxLifetime,
		SecretHeader: t.SecretHeader, Secret: t.Secret.Reveal(), ClientName: t.ClientName,
	}
	for _, s := range t.Peers {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, err
		}
		p.Peers = append(p.Peers, n)
	}
	var err error
	p.ClientCAs, err = certificates("trusted_proxy.client_ca_file", t.ClientCAFile)
	return p, err
}
