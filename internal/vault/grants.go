package vault

import (
	"context"
	"math"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// GrantRequest asks for the same grants on each of several tokens.
type GrantRequest struct {
	Tokens   []ids.Token
	Kinds    ids.Kind
	Duration *time.Duration // nil: the default
}

// Granted is the result of one request: a grant of each of its kinds exists on each of its tokens except the missing ones.
type Granted struct {
	ExpiresAt *time.Time  // the earliest end of these grants; nil: every token is missing
	Missing   []ids.Token // in the order of the request
}

// CreateGrants creates grants for a session of the calling application's tenant, and extends existing ones. It returns the
// result of each request, in order. Tokens of other tenants are missing. For an ended session all tokens are missing, and
// there is no fault, so that a logout does not fail the application's concurrent response. The grants are durable when it
// returns: one statement reads, and one transaction writes new and longer grants. Faults: UNAUTHENTICATED, FORBIDDEN,
// BAD_USER_INPUT, LIMIT_EXCEEDED, UNAVAILABLE.
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
	m := merger{session: hash, now: now, existing: make(map[ids.Digest]*models.TokenGrant, len(rowIDs))}
	if !v.opts.Sessions.Ended(hash) {
		rows, err := v.opts.Rows.TokenGrants(ctx, c.Tenant, hash, rowIDs, ms)
		if err != nil {
			return nil, unavailable(err)
		}
		for i := range rows {
			m.existing[rows[i].TokenID] = &rows[i]
		}
	}
	for i := range requests {
		m.extend(&requests[i], lives[i])
	}
	if len(m.writes) > 0 {
		if _, err := v.opts.Rows.Write(ctx, models.Batch{Grants: m.writes}); err != nil {
			return nil, unavailable(err)
		}
	}
	if len(m.existing) > 0 {
		v.listeners.tellGranted(hash)
	}
	created := make([]Granted, len(requests))
	for i := range requests {
		created[i] = m.granted(&requests[i])
	}
	for i, kind := range bothKinds {
		if m.counts[i] > 0 {
			v.opts.Observer.GrantsCreated(kind.String(), m.counts[i])
		}
	}
	return created, nil
}

// checkRequests returns the row ids of all tokens, and the life of the grants of each request.
func (v *Vault) checkRequests(sessionID string, requests []GrantRequest) ([]ids.Digest, []time.Duration, error) {
	if err := checkSessionID(sessionID, ParamSession); err != nil {
		return nil, nil, err
	}
	n := 0
	lives := make([]time.Duration, len(requests))
	for i := range requests {
		r := &requests[i]
		if len(r.Tokens) == 0 {
			return nil, nil, fault.New(fault.BadUserInput, "The list is empty.").At(ParamRequests, i, "tokens")
		}
		if n += len(r.Tokens); r.Kinds == 0 {
			return nil, nil, fault.New(fault.BadUserInput, "Name a kind of grant.").At(ParamRequests, i, "kinds")
		}
		var err error
		if lives[i], err = v.grantLife(r.Duration); err != nil {
			return nil, nil, fault.At(err, ParamRequests, i)
		}
	}
	if err := checkList(n, v.opts.Limits.GrantBatch, ParamRequests); err != nil {
		return nil, nil, err
	}
	rowIDs := make([]ids.Digest, 0, n)
	for i := range requests {
		for j := range requests[i].Tokens {
			rowIDs = append(rowIDs, requests[i].Tokens[j].ID())
		}
	}
	return rowIDs, lives, nil
}

// merger merges requested grants with the existing grants of a session.
type merger struct {
	session  ids.SessionHash
	now      time.Time
	existing map[ids.Digest]*models.TokenGrant // one for each token of the tenant; its ends are 0 if there is no grant
	writes   []models.Grant                    // the rows to write: new or extended
	counts   [len(bothKinds)]int               // requested grants that exist
}

// extend extends grants to the ends that a request asks for.
func (m *merger) extend(r *GrantRequest, life time.Duration) {
	for i := range r.Tokens {
		id := r.Tokens[i].ID()
		g, ok := m.existing[id]
		if !ok {
			continue
		}
		end := grantEnd(m.now, life, g.TokenExpiresAt)
		row := models.Grant{SessionID: m.session, TokenID: id}
		if r.Kinds&ids.Read != 0 && end > g.ReadUntil {
			g.ReadUntil, row.ReadUntil = end, end
		}
		if r.Kinds&ids.Store != 0 && end > g.StoreUntil {
			g.StoreUntil, row.StoreUntil = end, end
		}
		if row.ExpiresAt = max(row.ReadUntil, row.StoreUntil); row.ExpiresAt > 0 {
			if m.writes == nil {
				m.writes = make([]models.Grant, 0, len(m.existing))
			}
			m.writes = append(m.writes, row)
		}
	}
}

// granted returns the result of a request. All requests are merged before.
func (m *merger) granted(r *GrantRequest) (g Granted) {
	earliest := int64(math.MaxInt64)
	for i := range r.Tokens {
		have, ok := m.existing[r.Tokens[i].ID()]
		if !ok {
			g.Missing = append(g.Missing, r.Tokens[i])
			continue
		}
		if r.Kinds&ids.Read != 0 {
			earliest = min(earliest, have.ReadUntil)
		}
		if r.Kinds&ids.Store != 0 {
			earliest = min(earliest, have.StoreUntil)
		}
	}
	n := len(r.Tokens) - len(g.Missing)
	if n == 0 {
		return g
	}
	for i, kind := range bothKinds {
		if r.Kinds&kind != 0 {
			m.counts[i] += n
		}
	}
	g.ExpiresAt = new(time.UnixMilli(earliest).UTC())
	return g
}

// Revocation selects the grants to revoke; a nil field selects all.
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
	v.listeners.tellRevoked(c.Tenant, r.SessionID, r.Tokens) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	return done.Revoked, nil
}

// CarryGrants moves the grants of one session of the calling application's tenant to another, for example, when a visitor
// signs in, and returns how many were in force. A grant that both have gets the later end; the first session keeps
// no grant. If either session has ended, nothing is moved. Faults as for CreateGrants.
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
	v.listeners.tellRevoked(c.Tenant, &fromSessionID, nil) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	if done.Moved > 0 {
		v.listeners.tellGranted(to)
	}
	return done.Moved, nil
}
