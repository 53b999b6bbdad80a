package directives

import (
	"context"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/tokenid"
)

type grantKey struct {
	token string
	kinds kindSet // one
}

// batch is what one response wants created.
type batch struct {
	wanted map[grantKey]time.Duration
	exists map[grantKey]bool
	grants []Grant // what the call is for, in the order of the response
}

// create makes sure that every returned token's grants exist, in at most one call.
func (t *Tokens) create(ctx context.Context, op *operation, returned []pending) gqlerror.List {
	session, _ := op.session() // there is one: note saw to it
	now, version := t.opts.Now(), t.recent.version()
	fresh := returned[:0]
	for _, p := range returned {
		if p.kinds &^= t.recent.has(session, p.token, p.kinds, p.duration, now); p.kinds != 0 {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	b := newBatch(fresh)
	code, message := codeGrantRequired, "No grant could be created for this token."
	if len(b.grants) > t.opts.MaxTokens {
		code, message = codeLimitExceeded, "The response holds too many tokens for their grants to be created."
	} else if len(b.grants) > 0 {
		granted, err := t.callCreate(ctx, session, b.grants)
		if err != nil {
			code, message = codeUnavailable, "The grants of this token can't be created at the moment: ask for it again."
		}
		for _, g := range granted {
			key := grantKey{g.Token, kindsOf([]GrantKind{g.Kind}, 0)}
			duration, asked := b.wanted[key]
			if !asked {
				continue
			}
			b.exists[key] = true
			t.recent.remember(session, g.Token, key.kinds, duration, now, g.ExpiresAt, version)
		}
	}
	return b.refused(fresh, op.root, code, message)
}

// newBatch joins what is wanted: of each grant the longest life, one entry for each token and life.
func newBatch(returned []pending) *batch {
	b := &batch{wanted: make(map[grantKey]time.Duration, len(returned)), exists: make(map[grantKey]bool, len(returned))}
	for _, p := range returned {
		if !tokenid.Valid(p.token) {
			continue
		}
		for kind := kindSet(1); kind <= p.kinds; kind <<= 1 {
			key := grantKey{p.token, kind}
			if d, ok := b.wanted[key]; p.kinds&kind != 0 && (!ok || p.duration > d) {
				b.wanted[key] = p.duration
			}
		}
	}
	b.grants = make([]Grant, 0, len(b.wanted))
	done := make(map[string]bool, len(b.wanted))
	for _, p := range returned {
		if done[p.token] {
			continue
		}
		done[p.token] = true
		b.add(p.token)
	}
	return b
}

// add appends what is wanted of a token: one entry, or two if its kinds are to live differently.
func (b *batch) add(token string) {
	first := len(b.grants)
	for i := range allKinds {
		duration, ok := b.wanted[grantKey{token, 1 << i}]
		if !ok {
			continue
		}
		if last := len(b.grants) - 1; last >= first && b.grants[last].Duration == duration {
			b.grants[last].Kinds = append(b.grants[last].Kinds, allKinds[i])
			continue
		}
		b.grants = append(b.grants, Grant{Token: token, Kinds: []GrantKind{allKinds[i]}, Duration: duration})
	}
}

// refused names each place of a token that lacks a grant.
func (b *batch) refused(returned []pending, root, code, message string) (errs gqlerror.List) {
	for i := range returned {
		p := &returned[i]
		for kind := kindSet(1); kind <= p.kinds; kind <<= 1 {
			if p.kinds&kind != 0 && !b.exists[grantKey{p.token, kind}] {
				errs = append(errs, fail(code, message, p.path(root)))
				break
			}
		}
	}
	return errs
}

func (t *Tokens) callCreate(ctx context.Context, session string, grants []Grant) ([]Granted, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	start := time.Now()
	granted, err := t.opts.Grants.CreateGrants(ctx, session, grants)
	if t.opts.Observer != nil {
		t.opts.Observer.GrantsCreated(ctx, len(grants), time.Since(start), err)
	}
	return granted, err
}
