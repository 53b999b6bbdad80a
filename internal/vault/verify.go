package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// GrantCheck asks whether a session holds a grant of each of the kinds for a token.
type GrantCheck struct {
	Token ids.Token
	Kind  ids.Kind
}

// VerifyGrants returns the checks that fail for a session of the calling application's tenant, in order: all of them if
// the session has ended. One statement reads all kinds, and a token in several checks is looked up once. Faults as for
// CreateGrants.
func (v *Vault) VerifyGrants(ctx context.Context, sessionID string, checks []GrantCheck) (missing []GrantCheck, err error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.checkChecks(sessionID, checks); err != nil {
		return nil, err
	}
	held, err := v.heldKinds(ctx, c.Tenant, caller.HashSession(c.Tenant, sessionID), checks)
	if err != nil {
		return nil, err
	}
	var answered grantCounts
	for _, check := range checks {
		got := held[check.Token.ID()] & check.Kind
		if got != check.Kind {
			missing = append(missing, check)
		}
		answered.add(got, check.Kind)
	}
	answered.report(v.opts.Observer)
	return missing, nil
}

func (v *Vault) checkChecks(sessionID string, checks []GrantCheck) error {
	if err := checkSessionID(sessionID, ParamSession); err != nil {
		return err
	}
	for i, c := range checks {
		if c.Kind&(ids.Read|ids.Store) == 0 {
			return fault.New(fault.BadUserInput, "Name the kind of grant.").At(ParamChecks, i, "kind")
		}
	}
	return checkList(len(checks), v.opts.Limits.GrantBatch, ParamChecks)
}

// heldKinds returns the kinds of grants that a session holds for the checks' tokens; none if the session has ended.
func (v *Vault) heldKinds(ctx context.Context, tenant string, session ids.SessionHash, checks []GrantCheck) (map[ids.Digest]ids.Kind, error) {
	held := make(map[ids.Digest]ids.Kind, len(checks))
	tokens := make([]ids.Digest, 0, len(checks))
	for _, c := range checks {
		if _, listed := held[c.Token.ID()]; !listed {
			held[c.Token.ID()] = 0
			tokens = append(tokens, c.Token.ID())
		}
	}
	if v.opts.Sessions.Ended(session) {
		return held, nil
	}
	_, now := v.now()
	rows, err := v.opts.Rows.TokenGrants(ctx, tenant, session, tokens, now)
	if err != nil {
		return nil, unavailable(err)
	}
	for i := range rows {
		held[rows[i].TokenID] = kindsInForce(&rows[i], now)
	}
	return held, nil
}

// kindsInForce returns the kinds of a grant that have not ended at now.
func kindsInForce(g *models.TokenGrant, now int64) (kinds ids.Kind) {
	if g.ReadUntil > now {
		kinds |= ids.Read
	}
	if g.StoreUntil > now {
		kinds |= ids.Store
	}
	return kinds
}

// grantCounts counts checked grants by kind.
type grantCounts [2]struct{ held, missing int }

func (n *grantCounts) add(held, asked ids.Kind) {
	for i, kind := range bothKinds {
		switch {
		case asked&kind == 0:
		case held&kind != 0:
			n[i].held++
		default:
			n[i].missing++
		}
	}
}

func (n *grantCounts) report(o Observer) {
	for i, kind := range bothKinds {
		if n[i].held+n[i].missing > 0 {
			o.GrantsChecked(kind.String(), n[i].held, n[i].missing)
		}
	}
}

var bothKinds = [...]ids.Kind{ids.Read, ids.Store}
