package gateway

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/internal/revocation/logout"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
)

// openRevocations reads the ended sessions, before anything is served.
func (g *Gateway) openRevocations(ctx context.Context, rows database, store objects.Store, metrics *telemetry.Metrics) (*revocation.Set, error) {
	s := g.cfg.Subscriptions
	return revocation.New(ctx, revocation.Options{
		Rows: rows, Transfers: store, Lifetimes: lifetimes(g.cfg), Poll: g.cfg.Credentials.EndedPoll, Max: g.cfg.Credentials.MaxEnded,
		Watches:  revocation.WatchLimits{Total: s.Max, PerTenant: s.MaxPerTenant, PerSession: s.MaxPerSession},
		Observer: metrics, Logger: g.log,
	})
}

// EndStreams ends the open subscriptions, and each that begins later; their clients subscribe again elsewhere. Serve and Close
// call it. A program that serves the handler itself registers it with http.Server.RegisterOnShutdown, because Shutdown waits for
// streams too.
func (g *Gateway) EndStreams() { g.end.Do(func() { close(g.stopping) }) }

// pollRevocations reads the sessions that other replicas end, until ctx ends.
func (g *Gateway) pollRevocations(ctx context.Context, set *revocation.Set) {
	tick := time.NewTicker(g.cfg.Credentials.EndedPoll)
	defer tick.Stop()
	set.Run(ctx, tick.C)
}

// lifetimes returns how long an end must hold, by tenant. It must hold as long as any credential that was issued before
// the end can live, by a clock that may be ahead; this includes a cookie that is made from an assertion at the last moment.
// And it must hold as long as a grant that was created while the session ended, by another replica's clock.
func lifetimes(cfg *Config) map[string]time.Duration {
	grants := cfg.Grants.MaxDuration + cfg.Credentials.ClockSkew
	all := make(map[string]time.Duration, len(cfg.Issuers))
	for _, i := range cfg.Issuers {
		life := i.MaxLifetime
		if i.SignIn.Enabled {
			life = max(life, credential.MaxAssertionLifetime+cfg.SignIn.Cookie.Lifetime)
		}
		all[i.TenantName()] = max(all[i.TenantName()], life+cfg.Credentials.ClockSkew, grants)
	}
	if p := cfg.TrustedProxy; p.Tenant != "" {
		all[p.Tenant] = max(all[p.Tenant], p.MaxLifetime, grants)
	}
	return all
}

// backChannelLogout returns nil if no issuer sends logout tokens.
func (g *Gateway) backChannelLogout(set *revocation.Set, auth *credential.Authenticator, rates logout.Rates, metrics *telemetry.Metrics) guard.Handler {
	for _, i := range g.cfg.Issuers {
		if i.BackChannelLogout {
			return logout.New(logout.Options{
				Verifier: auth, Ender: set, Rates: rates, Observer: metrics, Logger: g.log, Timeout: g.cfg.HTTP.RequestTimeout,
			}).Handle
		}
	}
	return nil
}
