package directives

import (
	"context"
	"math/bits"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// batch is what one response wants created.
type batch struct {
	tokens []wantedToken // each once, in the order of the response
	places map[string]int
	grants []Grant // what the call is for
}

// wantedToken is what is wanted of a token: of each kind the longest life.
type wantedToken struct {
	token     string
	durations [len(allKinds)]time.Duration
	kinds     kindSet
	exist     kindSet // of these: what was created
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
	var failed error
	code, message := codeGrantRequired, "No grant could be created for this token."
	if len(b.grants) > t.opts.MaxTokens {
		code, message = codeLimitExceeded, "The response holds too many tokens for their grants to be created."
	} else if len(b.grants) > 0 {
		granted, err := t.callCreate(ctx, session, b.grants)
		if err != nil {
			failed = err
			code, message = codeOf(err), "The grants of this token can't be created at the moment: ask for it again."
		}
		for _, g := range granted {
			kind := kindsOf([]GrantKind{g.Kind}, 0)
			place, asked := b.places[g.Token]
			if !asked || b.tokens[place].kinds&kind == 0 {
				continue
			}
			w := &b.tokens[place]
			w.exist |= kind
			t.recent.remember(session, w.token, kind, w.durations[bits.TrailingZeros8(uint8(kind))], now, g.ExpiresAt, version)
		}
	}
	return waiting(b.refused(fresh, op.root, code, message), failed)
}

// newBatch joins what is wanted: one entry for each token and life.
func newBatch(returned []pending) *batch {
	b := &batch{tokens: make([]wantedToken, 0, len(returned)), places: make(map[string]int, len(returned))}
	for i := range returned {
		b.want(&returned[i])
	}
	b.grants = make([]Grant, 0, len(b.tokens))
	kinds := make([]GrantKind, 0, len(allKinds)*len(b.tokens)) // of all grants
	for i := range b.tokens {
		w := &b.tokens[i]
		first := len(b.grants)
		for j, kind := range allKinds {
			if w.kinds&(1<<j) == 0 {
				continue
			}
			kinds = append(kinds, kind)
			end := len(kinds)
			if last := len(b.grants) - 1; last >= first && b.grants[last].Duration == w.durations[j] {
				b.grants[last].Kinds = kinds[end-2 : end : end]
				continue
			}
			b.grants = append(b.grants, Grant{Token: w.token, Kinds: kinds[end-1 : end : end], Duration: w.durations[j]})
		}
	}
	return b
}

func (b *batch) want(p *pending) {
	place, ok := b.places[p.token]
	if !ok {
		if !ids.ValidToken(p.token) {
			return
		}
		place = len(b.tokens)
		b.places[p.token] = place
		b.tokens = append(b.tokens, wantedToken{token: p.token})
	}
	w := &b.tokens[place]
	for i := range allKinds {
		if kind := kindSet(1 << i); p.kinds&kind != 0 && (w.kinds&kind == 0 || p.duration > w.durations[i]) {
			w.kinds |= kind
			w.durations[i] = p.duration
		}
	}
}

// refused names each place of a token that lacks a grant.
func (b *batch) refused(returned []pending, root, code, message string) (errs gqlerror.List) {
	for i := range returned {
		p := &returned[i]
		if place, ok := b.places[p.token]; !ok || p.kinds&^b.tokens[place].exist != 0 {
			errs = append(errs, fail(code, message, p.path(root)))
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
