package vault

import (
	"context"
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Watches tell sessions what they can no longer read.
type Watches interface {
	// Watch calls tell, until stop is called, with those of the tokens that c, a session, can no longer read; if all is set, with
	// any that it may no longer read; and if ended is set, for the last time, because the credential is refused from now on.
	// It calls tell for everything that is committed after Watch returns, and perhaps for what was committed before. Errors are faults.
	Watch(c *caller.Caller, tokens []ids.Digest, tell func(tokens []ids.Digest, all, ended bool)) (stop func(), err error)
}

// Unreadable says what a session can no longer read.
type Unreadable struct {
	Tokens       []ids.Token // of those watched
	All          bool        // any may be unreadable
	SessionEnded bool        // the last one
}

// Revocations tells the calling session which of the tokens it can no longer read. The first message comes at once, with the tokens
// that it can't read now: without a READ grant, an unknown token is no different. Only the others are watched, so that nobody learns what
// happens to a token that it can't read. Messages that are not taken are merged. The channel is closed after the session has
// ended; it ends with ctx too, and is then not closed. Faults: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED, RATE_LIMITED,
// UNAVAILABLE.
func (v *Vault) Revocations(ctx context.Context, tokens []ids.Token) (<-chan Unreadable, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return nil, err
	}
	if len(tokens) > 0 {
		if err := checkList(len(tokens), v.opts.Limits.Batch, ParamTokens); err != nil {
			return nil, err
		}
	}
	rowIDs, err := v.rowIDs(tokens, listPath(ParamTokens))
	if err != nil {
		return nil, err
	}
	if err := v.opts.Rates.Read(c, max(1, len(tokens))); err != nil {
		return nil, err
	}
	m := &mailbox{tokens: make(map[ids.Digest]ids.Token, len(tokens)), out: make(chan Unreadable, 1)}
	for i, id := range rowIDs {
		m.tokens[id] = tokens[i]
	}
	stop, err := v.opts.Watches.Watch(c, rowIDs, m.tell)
	if err != nil {
		return nil, err
	}
	// The grants are read after the watch has begun, so that no revocation falls between the two.
	held, err := v.heldKinds(ctx, c.Tenant, *c.Session, readChecks(tokens))
	if err != nil {
		stop()
		return nil, err
	}
	m.open(tokens, held)
	context.AfterFunc(ctx, stop)
	return m.out, nil
}

func readChecks(tokens []ids.Token) []GrantCheck {
	checks := make([]GrantCheck, len(tokens))
	for i := range tokens {
		checks[i] = GrantCheck{Token: tokens[i], Kind: ids.Read}
	}
	return checks
}

// mailbox merges messages for one session until they are taken.
type mailbox struct {
	mu     sync.Mutex
	tokens map[ids.Digest]ids.Token // that are told
	opened bool
	next   Unreadable // before it is open
	ended  bool
	out    chan Unreadable // holds one message; only tell and open send, with the lock held
}

// open sends the first message: those of the tokens without READ, in their order, which are not told again, and what was told
// before.
func (m *mailbox) open(tokens []ids.Token, held map[ids.Digest]ids.Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := Unreadable{All: m.next.All, SessionEnded: m.next.SessionEnded}
	for _, token := range tokens {
		if _, listed := m.tokens[token.ID()]; listed && held[token.ID()]&ids.Read == 0 {
			first.Tokens = append(first.Tokens, token)
			delete(m.tokens, token.ID())
		}
	}
	for _, token := range m.next.Tokens {
		if _, watched := m.tokens[token.ID()]; watched {
			first.Tokens = append(first.Tokens, token)
		}
	}
	m.opened = true
	m.send(first)
}

// tell is called by Watches, and does not block.
func (m *mailbox) tell(revoked []ids.Digest, all, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	told := Unreadable{All: all, SessionEnded: ended}
	for _, id := range revoked {
		if token, ok := m.tokens[id]; ok {
			told.Tokens = append(told.Tokens, token)
		}
	}
	switch {
	case m.ended || !told.All && !told.SessionEnded && len(told.Tokens) == 0:
	case !m.opened:
		m.next = merge(m.next, told)
	default:
		m.send(told)
	}
}

// send adds a message to the one that has not been taken. There is room: nobody else sends.
func (m *mailbox) send(u Unreadable) {
	select {
	case untaken := <-m.out:
		u = merge(untaken, u)
	default:
	}
	m.out <- u
	if u.SessionEnded {
		m.ended = true
		close(m.out)
	}
}

// merge returns both messages as one, with each token once.
func merge(a, b Unreadable) Unreadable {
	seen := make(map[ids.Digest]bool, len(a.Tokens))
	for i := range a.Tokens {
		seen[a.Tokens[i].ID()] = true
	}
	for _, token := range b.Tokens {
		if !seen[token.ID()] {
			a.Tokens = append(a.Tokens, token)
		}
	}
	a.All, a.SessionEnded = a.All || b.All, a.SessionEnded || b.SessionEnded
	return a
}
