package client

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/cloakroomhq/cloakroom/grant"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// CreateGrants implements directives.Grants. What has not the form of a token is missing without being asked for. Errors:
// ErrUnauthenticated, ErrForbidden for a session, ErrBadUserInput for a session's id or a grant that is none, ErrLimitExceeded,
// ErrRateLimited, ErrUnavailable, ErrBadAnswer.
func (c *Client) CreateGrants(ctx context.Context, session string, wanted []grant.Request) ([]grant.Granted, error) {
	granted := make([]grant.Granted, len(wanted))
	input := createGrantsInput{SessionId: session, Grants: make([]grantsInput, 0, len(wanted))}
	places := make([]int, 0, len(wanted)) // of each entry of the input among wanted
	for i := range wanted {
		w := &wanted[i]
		tokens := wellFormed(w.Tokens)
		if len(tokens) == 0 {
			granted[i].Missing = slices.Clone(w.Tokens)
			continue
		}
		in := grantsInput{Tokens: tokens, Kinds: append([]grant.Kind{}, w.Kinds...)}
		if w.Duration > 0 {
			in.Duration = given(w.Duration.String())
		}
		input.Grants, places = append(input.Grants, in), append(places, i)
	}
	if len(input.Grants) == 0 {
		return granted, ctx.Err()
	}
	if err := checkSession(session); err != nil {
		return nil, err
	}
	answer, err := createGrants(ctx, call{c}, input)
	if err != nil {
		return nil, err
	}
	created := answer.CreateGrants.Grants
	if len(created) != len(input.Grants) {
		return nil, failure(ErrBadAnswer, nil, "%d requests for grants have %d answers", len(input.Grants), len(created))
	}
	for i := range created {
		if granted[places[i]], err = created[i].decode(wanted[places[i]].Tokens, len(input.Grants[i].Tokens)); err != nil {
			return nil, err
		}
	}
	return granted, nil
}

// wellFormed returns those that have the form of a token: all itself where all have.
func wellFormed(all []string) []string {
	for i, t := range all {
		if ids.ValidToken(t) {
			continue
		}
		formed := append([]string{}, all[:i]...)
		for _, t := range all[i+1:] {
			if ids.ValidToken(t) {
				formed = append(formed, t)
			}
		}
		return formed
	}
	return all
}

// decode returns what exists of a request for these tokens, of which asked were sent. It believes an answer only if all of
// it fits.
func (g *createdGrants) decode(tokens []string, asked int) (granted grant.Granted, err error) {
	if g.Missing == nil || (g.ExpiresAt == nil) != (len(g.Missing) == asked) || g.ExpiresAt != nil && g.ExpiresAt.IsZero() {
		return granted, failure(ErrBadAnswer, nil, "it is not clear which grants exist")
	}
	granted.ExpiresAt = value(g.ExpiresAt)
	if len(g.Missing) == 0 && asked == len(tokens) {
		return granted, nil
	}
	missing := make(map[string]bool, len(g.Missing))
	for _, t := range g.Missing {
		missing[t] = true
	}
	n := 0
	for _, t := range tokens {
		formed := ids.ValidToken(t)
		if formed && missing[t] {
			n++
		}
		if !formed || missing[t] {
			granted.Missing = append(granted.Missing, t)
		}
	}
	if n != len(g.Missing) {
		return grant.Granted{}, failure(ErrBadAnswer, nil, "tokens are missing that were not asked for")
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
	defer c.notifyRevoked(r.Session, r.Tokens)
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
	defer c.notifyRevoked(from, nil)
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
	defer c.notifyRevoked(session, nil)
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
	defer c.notifyRevoked("", tokens)
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

func (c *Client) notifyRevoked(session string, tokens []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, f := range c.listeners {
		f(session, tokens)
	}
}
