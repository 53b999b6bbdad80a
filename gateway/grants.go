package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// Grants returns the part of the gateway that @token needs, for an application in the same process. All calls of the result
// are made as that application. A tenant that no entry of Config.Issuers has is an error, which has no sentinel.
//
// The methods of the result return errors whose text begins with a code of the contract: BAD_USER_INPUT for an invalid
// session id or grant, LIMIT_EXCEEDED for more than grants.max_batch tokens or a duration over grants.max_duration, and UNAVAILABLE
// if the database does not answer; the last wraps the cause, such as context.Canceled.
func (g *Gateway) Grants(tenant string) (directives.Grants, error) {
	for _, i := range g.cfg.Issuers {
		if i.TenantName() == tenant {
			return &grants{vault: g.vault, revocations: g.revocations, application: &caller.Caller{Tenant: tenant, Roles: []string{caller.RoleApplication}}}, nil
		}
	}
	return nil, fmt.Errorf("gateway: no issuer has the tenant %q", tenant)
}

type grants struct {
	vault       *vault.Vault
	revocations *revocation.Set
	application *caller.Caller
}

var _ directives.Revoker = (*grants)(nil)

// CreateGrants implements directives.Grants.
func (g *grants) CreateGrants(ctx context.Context, session string, wanted []directives.Grant) ([]directives.Granted, error) {
	requests := make([]vault.GrantRequest, 0, len(wanted))
	places := make([]int, 0, len(wanted)) // index in wanted of each request
	for i := range wanted {
		if w := &wanted[i]; len(w.Tokens) > 0 { // the vault takes no empty list
			requests = append(requests, vault.GrantRequest{Tokens: tokensOf(w.Tokens), Kinds: kindsOf(w.Kinds), Duration: positive(w.Duration)})
			places = append(places, i)
		}
	}
	if len(requests) == 0 {
		return make([]directives.Granted, len(wanted)), ctx.Err()
	}
	made, err := g.vault.CreateGrants(caller.With(ctx, g.application), session, requests)
	if err != nil {
		return nil, err
	}
	granted := make([]directives.Granted, len(wanted))
	for i, m := range made {
		granted[places[i]].Missing = tokenStrings(m.Missing)
		if m.ExpiresAt != nil {
			granted[places[i]].ExpiresAt = *m.ExpiresAt
		}
	}
	return granted, nil
}

func tokensOf(all []string) []ids.Token {
	tokens := make([]ids.Token, len(all))
	for i, t := range all {
		tokens[i] = ids.TokenOf(t)
	}
	return tokens
}

// VerifyGrants implements directives.Grants, with one statement for checks of both kinds. The missing grants are in the
// order of the checks.
func (g *grants) VerifyGrants(ctx context.Context, session string, checks []directives.Check) ([]directives.Check, error) {
	if len(checks) == 0 {
		return nil, ctx.Err() // the vault takes no empty list
	}
	asked := make([]vault.GrantCheck, len(checks))
	for i, c := range checks {
		asked[i] = vault.GrantCheck{Token: ids.TokenOf(c.Token), Kind: kindOf(c.Kind)}
	}
	absent, err := g.vault.VerifyGrants(caller.With(ctx, g.application), session, asked)
	if err != nil {
		return nil, err
	}
	missing := make([]directives.Check, len(absent))
	for i, c := range absent {
		missing[i] = directives.Check{Token: c.Token.String(), Kind: kindName(c.Kind)}
	}
	return missing, nil
}

// OnRevoke implements directives.Revoker.
func (g *grants) OnRevoke(f func(session string, tokens []string)) {
	g.vault.OnRevoke(func(tenant, session string, tokens []ids.Token) {
		if tenant == g.application.Tenant {
			f(session, tokenStrings(tokens))
		}
	})
	g.revocations.OnEnd(func(tenant, session string) {
		if tenant == g.application.Tenant {
			f(session, nil)
		}
	})
}

// tokenStrings returns nil for nil, which means every token.
func tokenStrings(tokens []ids.Token) (all []string) {
	for _, t := range tokens {
		all = append(all, t.String())
	}
	return all
}

func kindsOf(kinds []directives.GrantKind) (k ids.Kind) {
	for _, kind := range kinds {
		k |= kindOf(kind)
	}
	return k
}

// kindOf returns 0 for an unknown kind, which the vault refuses.
func kindOf(kind directives.GrantKind) ids.Kind {
	switch kind {
	case directives.GrantKindRead:
		return ids.Read
	case directives.GrantKindStore:
		return ids.Store
	default:
		return 0
	}
}

func kindName(k ids.Kind) directives.GrantKind {
	if k == ids.Store {
		return directives.GrantKindStore
	}
	return directives.GrantKindRead
}

func positive(d time.Duration) *time.Duration {
	if d <= 0 {
		return nil
	}
	return &d
}
