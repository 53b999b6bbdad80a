package client

import (
	"context"
	"unicode/utf8"

	"github.com/cloakroomhq/cloakroom/grant"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// CreateGrants implements directives.Grants. What has not the form of a token is left out, like every token
// that is not the application's own. Errors: ErrUnauthenticated, ErrForbidden for a session, ErrBadUserInput for a session's id or a
// grant that is none, ErrLimitExceeded, ErrRateLimited, ErrUnavailable, ErrBadAnswer.
func (c *Client) CreateGrants(ctx context.Context, session string, wanted []grant.Request) ([]grant.Granted, error) {
	input := createGrantsInput{SessionId: session, Grants: make([]grantInput, 0, len(wanted))}
	for _, g := range wanted {
		if !ids.ValidToken(g.Token) {
			continue
		}
		in := grantInput{Token: g.Token, Kinds: append([]grant.Kind{}, g.Kinds...)}
		if g.Duration > 0 {
			in.Duration = given(g.Duration.String())
		}
		input.Grants = append(input.Grants, in)
	}
	if len(input.Grants) == 0 {
		return nil, ctx.Err()
	}
	if err := checkSession(session); err != nil {
		return nil, err
	}
	answer, err := createGrants(ctx, call{c}, input)
	if err != nil {
		return nil, err
	}
	if answer.CreateGrants.Grants == nil {
		return nil, failure(ErrBadAnswer, nil, "the answer holds no grants")
	}
	granted := make([]grant.Granted, len(answer.CreateGrants.Grants))
	for i, g := range answer.CreateGrants.Grants {
		if g.Token == "" || g.ExpiresAt.IsZero() || !g.Kind.Valid() {
			return nil, failure(ErrBadAnswer, nil, "a grant is incomplete")
		}
		granted[i] = grant.Granted{Token: g.Token, Kind: g.Kind, ExpiresAt: g.ExpiresAt}
	}
	return granted, nil
}

// VerifyGrants implements directives.Grants: one request for checks of both kinds. What is missing comes in
// the order of the checks. A token that has not the form of one is missing without being asked for. Errors are those of
// CreateGrants.
func (c *Client) VerifyGrants(ctx context.Context, session string, checks []grant.Check) ([]grant.Check, error) {
	held := make(map[grant.Check]bool, len(checks))
	input := verifyGrantsInput{SessionId: session, Checks: make([]grantCheckInput, 0, len(checks))}
	for _, k := range checks {
		if !k.Kind.Valid() {
			return nil, failure(ErrBadUserInput, nil, "a check is of neither kind, READ or STORE")
		}
		if _, listed := held[k]; !listed && ids.ValidToken(k.Token) {
			held[k] = true
			input.Checks = append(input.Checks, grantCheckInput{Token: k.Token, Kind: k.Kind})
		}
	}
	if len(input.Checks) > 0 {
		if err := checkSession(session); err != nil {
			return nil, err
		}
		answer, err := verifyGrants(ctx, call{c}, input)
		if err != nil {
			return nil, err
		}
		if err := answer.VerifyGrants.note(held); err != nil {
			return nil, err
		}
	} else if err := ctx.Err(); err != nil {
		return nil, err
	}
	var missing []grant.Check
	for _, k := range checks {
		if !held[k] {
			missing = append(missing, k)
		}
	}
	return missing, nil
}

// note takes the checks that are missing out of those that were asked for. It believes an answer only if all of it
// fits: a check that is taken for held lets an operation run.
func (v *verifyGrantsPayload) note(held map[grant.Check]bool) error {
	if v.Missing == nil || v.Valid != (len(v.Missing) == 0) {
		return failure(ErrBadAnswer, nil, "it is not clear whether the grants are held")
	}
	for _, m := range v.Missing {
		check := grant.Check{Token: m.Token, Kind: m.Kind}
		if _, asked := held[check]; !asked {
			return failure(ErrBadAnswer, nil, "a grant is missing that was not asked for")
		}
		held[check] = false
	}
	return nil
}

// checkSession refuses what JSON would turn into the id of another session.
func checkSession(id string) error {
	if id == "" || !utf8.ValidString(id) {
		return failure(ErrBadUserInput, nil, "a session's id is empty, or not UTF-8")
	}
	return nil
}

// Revocation says which grants to revoke; each field that is set narrows it. At least one of Session and
// Tokens is needed.
type Revocation struct {
	Session string       // the session's id, as its JWT names it; empty: of every session
	Tokens  []string     // nil: on every token; empty: on none
	Kinds   []grant.Kind // empty: both
}

// RevokeGrants ends the application's grants that match, and returns how many were in force. Whoever
// listens with OnRevoke is told before it returns, also where it fails, because the gateway may have
// done it all the same. Errors are those of CreateGrants.
func (c *Client) RevokeGrants(ctx context.Context, r Revocation) (int, error) {
	switch {
	case r.Session == "" && r.Tokens == nil:
		return 0, failure(ErrBadUserInput, nil, "a revocation names a session or tokens")
	case r.Tokens != nil && len(r.Tokens) == 0:
		return 0, nil
	}
	if r.Session != "" {
		if err := checkSession(r.Session); err != nil {
			return 0, err
		}
	}
	defer c.tell(r.Session, r.Tokens)
	answer, err := revokeGrants(ctx, call{c}, revokeGrantsInput{SessionId: given(r.Session), Tokens: r.Tokens, Kinds: r.Kinds})
	if err != nil {
		return 0, err
	}
	return count(answer.RevokeGrants.Revoked)
}

// CarryGrants moves the grants of one of the application's sessions to another, which is not the same, and returns how
// many were in force. Carry only from a session that this very browser has had before it signed in, never from an id
// that a request names: whoever names it would get that session's values. Listeners are told as by RevokeGrants
// that the first session has none left. Errors are those of CreateGrants.
func (c *Client) CarryGrants(ctx context.Context, from, to string) (int, error) {
	for _, session := range []string{from, to} {
		if err := checkSession(session); err != nil {
			return 0, err
		}
	}
	if from == to {
		return 0, failure(ErrBadUserInput, nil, "grants are carried from one session to another")
	}
	defer c.tell(from, nil)
	answer, err := carryGrants(ctx, call{c}, carryGrantsInput{FromSessionId: from, ToSessionId: to})
	if err != nil {
		return 0, err
	}
	return count(answer.CarryGrants.Carried)
}

// EndSession ends a session, by its id as its JWT names it: the gateway revokes its grants, and refuses every
// credential that names it until it expires. It returns how many grants were in force: none where an attempt before
// has revoked them and its answer was lost. Do this at a logout; the id must not be used again. Listeners are told as
// by RevokeGrants. Errors are those of CreateGrants.
func (c *Client) EndSession(ctx context.Context, session string) (int, error) {
	if err := checkSession(session); err != nil {
		return 0, err
	}
	defer c.tell(session, nil)
	answer, err := endSession(ctx, call{c}, endSessionInput{SessionId: session})
	if err != nil {
		return 0, err
	}
	return count(answer.EndSession.Revoked)
}

// DeleteTokens destroys the keys of those tokens that are the application's own, and with them the values,
// and returns how many there were. Listeners are told as by RevokeGrants. Errors are those
// of CreateGrants.
func (c *Client) DeleteTokens(ctx context.Context, tokens []string) (int, error) {
	if len(tokens) == 0 {
		return 0, nil
	}
	defer c.tell("", tokens)
	answer, err := deleteTokens(ctx, call{c}, tokens)
	if err != nil {
		return 0, err
	}
	return count(answer.DeleteTokens.Deleted)
}

func count(n *int64) (int, error) {
	if n == nil || *n < 0 {
		return 0, failure(ErrBadAnswer, nil, "the answer holds no number")
	}
	return int(*n), nil
}

// OnRevoke implements directives.Revoker, for RevokeGrants, EndSession and DeleteTokens of this client. f must not call
// OnRevoke.
func (c *Client) OnRevoke(f func(session string, tokens []string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, f)
}

func (c *Client) tell(session string, tokens []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, f := range c.listeners {
		f(session, tokens)
	}
}
