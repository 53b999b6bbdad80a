package client

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/cloakroomhq/cloakroom/grant"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// CreateGrants implements directives.Grants. A malformed token is not sent, and counts as missing. Errors:
// ErrUnauthenticated, ErrForbidden for a session, ErrBadUserInput for an invalid session id or grant, ErrLimitExceeded,
// ErrRateLimited, ErrUnavailable, ErrBadAnswer.
func (c *Client) CreateGrants(ctx context.Context, session string, wanted []grant.Request) ([]grant.Granted, error) {
	granted := make([]grant.Granted, len(wanted))
	input := createGrantsInput{SessionId: session, Grants: make([]grantsInput, 0, len(wanted))}
	places := make([]int, 0, len(wanted)) // each input entry's index in wanted
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

// wellFormed returns the strings that have the form of a token: all itself if every string has.
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

// decode returns the result of a request for these tokens; asked is how many of them were sent. An answer that does not fit
// the request is an error.
func (g *createdGrants) decode(tokens []string, asked int) (granted grant.Granted, err error) {
	if g.Missing == nil || (g.ExpiresAt == nil) != (len(g.Missing) == asked) || g.ExpiresAt != nil && g.ExpiresAt.IsZero() {
		return granted, failure(ErrBadAnswer, nil, "the answer does not say which grants exist")
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
		return grant.Granted{}, failure(ErrBadAnswer, nil, "the answer names missing tokens that were not in the request")
	}
	return granted, nil
}

// VerifyGrants implements directives.Grants: one request for checks of both kinds. Missing checks are in the
// order of the checks. A check of a malformed token is not sent, and counts as missing. Errors are those of
// CreateGrants.
func (c *Client) VerifyGrants(ctx context.Context, session string, checks []grant.Check) ([]grant.Check, error) {
	held := make(map[grant.Check]bool, len(checks))
	input := verifyGrantsInput{SessionId: session, Checks: make([]grantCheckInput, 0, len(checks))}
	for _, k := range checks {
		if !k.Kind.Valid() {
			return nil, failure(ErrBadUserInput, nil, "a check's kind is READ or STORE")
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

// note sets missing checks to false in held. An answer that does not fit the request is an error, because a check that
// wrongly counts as held lets an operation run.
func (v *verifyGrantsPayload) note(held map[grant.Check]bool) error {
	if v.Missing == nil || v.Valid != (len(v.Missing) == 0) {
		return failure(ErrBadAnswer, nil, "the answer does not say whether the grants are held")
	}
	for _, m := range v.Missing {
		check := grant.Check{Token: m.Token, Kind: m.Kind}
		if _, asked := held[check]; !asked {
			return failure(ErrBadAnswer, nil, "the answer names a missing grant that was not in the request")
		}
		held[check] = false
	}
	return nil
}

// checkSession refuses an empty id, and an id that JSON would change into another session's.
func checkSession(id string) error {
	if id == "" || !utf8.ValidString(id) {
		return failure(ErrBadUserInput, nil, "a session's id is empty, or not UTF-8")
	}
	return nil
}

// Revocation says which grants to revoke; each field that is set narrows it. At least one of Session and
// Tokens is needed.
type Revocation struct {
	Session string       // the session's id, as its JWT names it; empty: every session
	Tokens  []string     // nil: every token; empty: none
	Kinds   []grant.Kind // empty: both
}

// RevokeGrants ends the application's grants that match, and returns how many were in force. Listeners
// of OnRevoke are told before it returns, even on failure, because the gateway may have revoked the
// grants nevertheless. Errors are those of CreateGrants.
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

// CarryGrants moves the grants of one of the application's sessions to a different session, and returns how many were
// in force. Carry only from the session that the same browser had before it signed in, never from an id that a
// request names: its sender would get that session's values. As by RevokeGrants, listeners are told that the first
// session has no grants left. Errors are those of CreateGrants.
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

// EndSession ends a session, by its id as its JWT names it: the gateway revokes the session's grants, and refuses every
// credential that names the session until the credential expires. It returns how many grants were in force: 0 if an earlier
// attempt revoked them and its answer was lost. Call it at a logout; the id must not be used again. Listeners are
// told as by RevokeGrants. Errors are those of CreateGrants.
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

// DeleteTokens destroys the keys of those tokens that are the application's own, and thereby their values,
// and returns how many it destroyed. Listeners are told as by RevokeGrants. Errors are those
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
