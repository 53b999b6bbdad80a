package vault

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// GrantRequest asks for grants on one token.
type GrantRequest struct {
	Token    ids.Token
	Kinds    ids.Kind
	Duration *time.Duration // nil: the default
}

// Granted is one grant that exists.
type Granted struct {
	Token     ids.Token
	Kind      ids.Kind
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
	rowIDs, lives, err := v.checkRequests(sessionID, requests)
	if err != nil {
		return nil, err
	}
	now, ms := v.now()
	hash := caller.HashSession(c.Tenant, sessionID)
	if v.opts.Sessions.Ended(hash) {
		return []Granted{}, nil
	}
	rows, err := v.opts.Rows.TokenGrants(ctx, c.Tenant, hash, rowIDs, ms)
	if err != nil {
		return nil, unavailable(err)
	}
	have := make(map[ids.Digest]*models.TokenGrant, len(rows))
	for i := range rows {
		have[rows[i].TokenID] = &rows[i]
	}
	wanted, writes := v.merge(hash, requests, lives, have, now)
	if len(writes) > 0 {
		if _, err := v.opts.Rows.Write(ctx, models.Batch{Grants: writes}); err != nil {
			return nil, unavailable(err)
		}
	}
	if len(wanted) > 0 {
		v.listeners.tellNamed(hash)
	}
	created := make([]Granted, 0, len(wanted))
	counts := map[ids.Kind]int{}
	for _, w := range wanted {
		g := have[w.token.ID()]
		end := g.ReadUntil
		if w.kind == ids.Store {
			end = g.StoreUntil
		}
		created = append(created, Granted{Token: w.token, Kind: w.kind, ExpiresAt: time.UnixMilli(end).UTC()})
		counts[w.kind]++
	}
	for kind, n := range counts {
		v.opts.Observer.GrantsCreated(kind.String(), n)
	}
	return created, nil
}

func (v *Vault) checkRequests(sessionID string, requests []GrantRequest) ([]ids.Digest, []time.Duration, error) {
	if err := checkSessionID(sessionID, ParamSession); err != nil {
		return nil, nil, err
	}
	rowIDs := make([]ids.Digest, len(requests))
	lives := make([]time.Duration, len(requests))
	for i, r := range requests {
		rowIDs[i] = r.Token.ID()
		if r.Kinds == 0 {
			return nil, nil, fault.New(fault.BadUserInput, "Name a kind of grant.").At(ParamRequests, i, "kinds")
		}
		var err error
		if lives[i], err = v.grantLife(r.Duration); err != nil {
			return nil, nil, fault.At(err, ParamRequests, i)
		}
	}
	return rowIDs, lives, checkList(len(requests), v.opts.Limits.GrantBatch, ParamRequests)
}

type wantedGrant struct {
	token ids.Token
	kind  ids.Kind
}

// merge raises the ends in have to what is asked for, and returns each grant asked for and the rows
// whose ends rose.
func (v *Vault) merge(session ids.SessionHash, requests []GrantRequest, lives []time.Duration,
	have map[ids.Digest]*models.TokenGrant, now time.Time) (wanted []wantedGrant, writes []models.Grant) {
	wanted, writes = make([]wantedGrant, 0, len(requests)), make([]models.Grant, 0, len(requests))
	for i, r := range requests {
		g, ok := have[r.Token.ID()]
		if !ok {
			continue
		}
		end := until(now, lives[i], g.TokenExpiresAt)
		before := *g
		if r.Kinds&ids.Read != 0 {
			g.ReadUntil = max(g.ReadUntil, end)
			wanted = append(wanted, wantedGrant{r.Token, ids.Read})
		}
		if r.Kinds&ids.Store != 0 {
			g.StoreUntil = max(g.StoreUntil, end)
			wanted = append(wanted, wantedGrant{r.Token, ids.Store})
		}
		if *g != before {
			row := models.Grant{SessionID: session, TokenID: r.Token.ID()}
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

// Revocation narrows which grants to revoke; a nil part does not.
type Revocation struct {
	SessionID *string
	Tokens    []ids.Token
	Kinds     ids.Kind // 0: both
}

// RevokeGrants ends grants of the calling application's tenant, and returns how many were in force.
// Faults as for CreateGrants.
func (v *Vault) RevokeGrants(ctx context.Context, r Revocation) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if r.SessionID == nil && r.Tokens == nil {
		return 0, fault.New(fault.BadUserInput, "Name a session or tokens.").At(ParamRevocation)
	}
	f := models.Revocation{Tenant: c.Tenant, Kinds: r.Kinds}
	if r.SessionID != nil {
		if err := checkSessionID(*r.SessionID, ParamSession); err != nil {
			return 0, err
		}
		f.Session = new(caller.HashSession(c.Tenant, *r.SessionID))
	}
	if r.Tokens != nil {
		if err := checkList(len(r.Tokens), v.opts.Limits.GrantBatch, ParamTokens); err != nil {
			return 0, err
		}
		f.Tokens = ids.IDs(r.Tokens)
	}
	_, now := v.now()
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Revoke: &f})
	v.listeners.tell(c.Tenant, r.SessionID, r.Tokens) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	return done.Revoked, nil
}

// CarryGrants moves the grants of one session of the calling application's tenant to another, for example, when a visitor
// signs in, and returns how many were in force. What both have ends with the later; the first session has none
// left. From or to a session that has ended nothing is carried. Faults as for CreateGrants.
func (v *Vault) CarryGrants(ctx context.Context, fromSessionID, toSessionID string) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if err := checkSessionID(fromSessionID, ParamFrom); err != nil {
		return 0, err
	}
	if err := checkSessionID(toSessionID, ParamTo); err != nil {
		return 0, err
	}
	if fromSessionID == toSessionID {
		return 0, fault.New(fault.BadUserInput, "Name two sessions: grants are carried from one to another.").At(ParamTo)
	}
	from, to := caller.HashSession(c.Tenant, fromSessionID), caller.HashSession(c.Tenant, toSessionID)
	if v.opts.Sessions.Ended(from) || v.opts.Sessions.Ended(to) { // as for CreateGrants
		return 0, nil
	}
	_, now := v.now()
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Move: &models.Move{Tenant: c.Tenant, From: from, To: to}})
	v.listeners.tell(c.Tenant, &fromSessionID, nil) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	if done.Moved > 0 {
		v.listeners.tellNamed(to)
	}
	return done.Moved, nil
}
