package vault

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/models"
)

// GrantRequest asks for grants on one token.
type GrantRequest struct {
	Token    string
	Kinds    models.Kind
	Duration *time.Duration // nil: the default
}

// Granted is one grant that exists.
type Granted struct {
	Token     string
	Kind      models.Kind
	ExpiresAt time.Time
}

// CreateGrants creates grants for a session of the calling application's tenant, and extends those
// that exist. Tokens that are not the tenant's are left out; for a session that has ended, all are, so that
// an application's response that meets a logout on its way is not spoilt. The grants are durable when it
// returns: one statement reads, one transaction writes, and nothing is written that exists already. Faults:
// UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED, UNAVAILABLE.
func (v *Vault) CreateGrants(ctx context.Context, sessionID string, requests []GrantRequest) ([]Granted, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return nil, err
	}
	ids, lives, err := v.checkRequests(sessionID, requests)
	if err != nil {
		return nil, err
	}
	now, ms := v.now()
	hash := caller.HashSession(c.Tenant, sessionID)
	if v.Sessions.Ended(hash) {
		return []Granted{}, nil
	}
	subject := models.Digest(hash)
	rows, err := v.Rows.TokenGrants(ctx, c.Tenant, subject, ids, ms)
	if err != nil {
		return nil, unavailable(err)
	}
	have := make(map[models.Digest]*models.TokenGrant, len(rows))
	for i := range rows {
		have[rows[i].TokenID] = &rows[i]
	}
	wanted, writes := v.merge(subject, ids, requests, lives, have, now)
	if len(writes) > 0 {
		if err := v.Rows.SaveGrants(ctx, writes); err != nil {
			return nil, unavailable(err)
		}
	}
	if len(wanted) > 0 {
		v.listeners.tellNamed(hash)
	}
	created := make([]Granted, 0, len(wanted))
	counts := map[models.Kind]int{}
	for _, w := range wanted {
		g := have[w.id]
		end := g.ReadUntil
		if w.kind == models.Store {
			end = g.StoreUntil
		}
		created = append(created, Granted{Token: w.token, Kind: w.kind, ExpiresAt: time.UnixMilli(end).UTC()})
		counts[w.kind]++
	}
	for kind, n := range counts {
		v.Observer.GrantsCreated(kindName(kind), n)
	}
	return created, nil
}

func (v *Vault) checkRequests(sessionID string, requests []GrantRequest) ([]models.Digest, []time.Duration, error) {
	if err := checkSessionID(sessionID, "sessionId"); err != nil {
		return nil, nil, err
	}
	tokens := make([]string, len(requests))
	lives := make([]time.Duration, len(requests))
	for i, r := range requests {
		tokens[i] = r.Token
		if r.Kinds == 0 {
			return nil, nil, fault.New(fault.BadUserInput, "Name a kind of grant.").At("input", "grants", i, "kinds")
		}
		var err error
		if lives[i], err = v.grantLife(r.Duration); err != nil {
			return nil, nil, fault.At(err, "input", "grants", i)
		}
	}
	ids, err := v.listIDs(tokens, "input", "grants")
	return ids, lives, err
}

type wantedGrant struct {
	id    models.Digest
	token string
	kind  models.Kind
}

// merge raises the ends in have to what is asked for, and returns each grant asked for and the rows
// whose ends rose.
func (v *Vault) merge(session models.Digest, ids []models.Digest, requests []GrantRequest, lives []time.Duration,
	have map[models.Digest]*models.TokenGrant, now time.Time) (wanted []wantedGrant, writes []models.Grant) {
	wanted, writes = make([]wantedGrant, 0, len(requests)), make([]models.Grant, 0, len(requests))
	for i, r := range requests {
		g, ok := have[ids[i]]
		if !ok {
			continue
		}
		end := until(now, lives[i], g.TokenExpiresAt)
		before := *g
		if r.Kinds&models.Read != 0 {
			g.ReadUntil = max(g.ReadUntil, end)
			wanted = append(wanted, wantedGrant{ids[i], r.Token, models.Read})
		}
		if r.Kinds&models.Store != 0 {
			g.StoreUntil = max(g.StoreUntil, end)
			wanted = append(wanted, wantedGrant{ids[i], r.Token, models.Store})
		}
		if *g != before {
			row := models.Grant{SessionID: session, TokenID: ids[i]}
			if g.ReadUntil != before.ReadUntil {
				row.ReadUntil = g.ReadUntil
			}
			if g.StoreUntil != before.StoreUntil {
				row.StoreUntil = g.StoreUntil
			}
			row.ExpiresAt = max(row.ReadUntil, row.StoreUntil)
			writes = append(writes, row)
		}
	}
	return wanted, writes
}

// VerifyGrants returns those of the tokens for which the session of the calling application's tenant
// holds no grant of the kind, in order: all of them once the session has ended. One statement. Faults as for
// CreateGrants.
func (v *Vault) VerifyGrants(ctx context.Context, sessionID string, tokens []string, kind models.Kind) (missing []string, err error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkSessionID(sessionID, "sessionId"); err != nil {
		return nil, err
	}
	ids, err := v.listIDs(tokens, "input", "tokens")
	if err != nil {
		return nil, err
	}
	_, now := v.now()
	hash := caller.HashSession(c.Tenant, sessionID)
	var rows []models.TokenGrant
	if !v.Sessions.Ended(hash) {
		if rows, err = v.Rows.TokenGrants(ctx, c.Tenant, models.Digest(hash), ids, now); err != nil {
			return nil, unavailable(err)
		}
	}
	held := make(map[models.Digest]bool, len(rows))
	for _, g := range rows {
		held[g.TokenID] = kind == models.Read && g.ReadUntil > now || kind == models.Store && g.StoreUntil > now
	}
	for i, token := range tokens {
		if !held[ids[i]] {
			missing = append(missing, token)
		}
	}
	v.Observer.GrantsChecked(kindName(kind), len(tokens)-len(missing), len(missing))
	return missing, nil
}

// Revocation narrows which grants to revoke; a nil part does not.
type Revocation struct {
	SessionID *string
	Tokens    []string
	Kinds     models.Kind // 0: both
}

// RevokeGrants ends grants of the calling application's tenant, and returns how many were in force.
// Faults as for CreateGrants.
func (v *Vault) RevokeGrants(ctx context.Context, r Revocation) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if r.SessionID == nil && r.Tokens == nil {
		return 0, fault.New(fault.BadUserInput, "Name a session or tokens.").At("input")
	}
	f := models.GrantFilter{Kinds: r.Kinds}
	if r.SessionID != nil {
		if err := checkSessionID(*r.SessionID, "sessionId"); err != nil {
			return 0, err
		}
		subject := models.Digest(caller.HashSession(c.Tenant, *r.SessionID))
		f.Session = &subject
	}
	if r.Tokens != nil {
		if f.Tokens, err = v.listIDs(r.Tokens, "input", "tokens"); err != nil {
			return 0, err
		}
	}
	_, now := v.now()
	n, err := v.Rows.RevokeGrants(ctx, c.Tenant, f, now)
	v.listeners.tell(c.Tenant, r.SessionID, r.Tokens) // after an error too: it may have come about
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

// CarryGrants moves the grants of one session of the calling application's tenant to another, as when who was nobody
// signs in, and returns how many were in force. What both have ends with the later; the first session has none
// left. From or to a session that has ended nothing is carried. Faults as for CreateGrants.
func (v *Vault) CarryGrants(ctx context.Context, fromSessionID, toSessionID string) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if err := checkSessionID(fromSessionID, "fromSessionId"); err != nil {
		return 0, err
	}
	if err := checkSessionID(toSessionID, "toSessionId"); err != nil {
		return 0, err
	}
	if fromSessionID == toSessionID {
		return 0, fault.New(fault.BadUserInput, "Name two sessions: grants are carried from one to another.").At("input", "toSessionId")
	}
	from, to := caller.HashSession(c.Tenant, fromSessionID), caller.HashSession(c.Tenant, toSessionID)
	if v.Sessions.Ended(from) || v.Sessions.Ended(to) { // as for CreateGrants
		return 0, nil
	}
	_, now := v.now()
	n, err := v.Rows.MoveGrants(ctx, c.Tenant, models.Digest(from), models.Digest(to), now)
	v.listeners.tell(c.Tenant, &fromSessionID, nil) // after an error too: it may have come about
	if err != nil {
		return 0, unavailable(err)
	}
	if n > 0 {
		v.listeners.tellNamed(to)
	}
	return n, nil
}

func kindName(k models.Kind) string {
	if k == models.Store {
		return "STORE"
	}
	return "READ"
}
