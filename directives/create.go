package directives

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// batch holds the grants that one response needs.
type batch struct {
	tokens []wantedToken // each once, in the order of the response
	places map[string]int
	grants []Grant // the call's entries: one for each life and set of kinds
	size   int     // tokens of all grants
}

// wantedToken has the grants that a token needs: for each kind the longest life.
type wantedToken struct {
	token     string
	durations [len(allKinds)]time.Duration
	kinds     kindSet
	exist     kindSet // the kinds that were created
}

// create makes sure that every returned token's grants exist, in at most one call.
func (t *Tokens) create(ctx context.Context, op *operation, returned []pending) gqlerror.List {
	session, _ := op.session() // note has checked that there is one
	now, version := t.opts.Now(), t.cache.version()
	fresh := returned[:0]
	for _, p := range returned {
		if p.kinds &^= t.cache.has(session, p.token, p.kinds, p.duration, now); p.kinds != 0 {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	b := newBatch(fresh)
	var failed error
	code, message := codeGrantRequired, "No grant could be created for this token."
	if b.size > t.opts.MaxTokens {
		code, message = codeLimitExceeded, "The response holds too many tokens, so this token's grants were not created: request fewer."
	} else if len(b.grants) > 0 {
		granted, err := t.callCreate(ctx, session, b)
		if err != nil {
			failed = err
			code, message = codeOf(err), "The grants of this token can't be created at the moment: request it again."
		}
		for i := range granted {
			kinds, life := kindsOf(b.grants[i].Kinds, 0), b.grants[i].Duration
			for w := range b.created(i, &granted[i]) {
				w.exist |= kinds
				t.cache.remember(session, w.token, kinds, life, now, granted[i].ExpiresAt, version)
			}
		}
	}
	return waiting(b.refused(fresh, op.root, code, message), failed)
}

// newBatch joins the tokens into one entry for each life and set of kinds.
func newBatch(returned []pending) *batch {
	b := &batch{tokens: make([]wantedToken, 0, len(returned)), places: make(map[string]int, len(returned))}
	for i := range returned {
		b.want(&returned[i])
	}
	for i := range b.tokens {
		w := &b.tokens[i]
		switch {
		case w.kinds == bothKinds && w.durations[0] == w.durations[1]:
			b.ask(w.token, bothKinds, w.durations[0])
		default:
			for j := range allKinds {
				if kind := kindSet(1 << j); w.kinds&kind != 0 {
					b.ask(w.token, kind, w.durations[j])
				}
			}
		}
	}
	return b
}

// ask adds a token to the entry of these kinds and this life. Entries are few, since kinds and lives come from the schema.
func (b *batch) ask(token string, kinds kindSet, life time.Duration) {
	b.size++
	for i := range b.grants {
		if g := &b.grants[i]; g.Duration == life && kindsOf(g.Kinds, 0) == kinds {
			g.Tokens = append(g.Tokens, token)
			return
		}
	}
	b.grants = append(b.grants, Grant{Tokens: append(make([]string, 0, len(b.tokens)), token), Kinds: kinds.list(), Duration: life})
}

// created returns the tokens of an entry on which the grants exist: none if the answer lists a token that was not in the
// request.
func (b *batch) created(entry int, granted *Granted) iter.Seq[*wantedToken] {
	return func(yield func(*wantedToken) bool) {
		if granted.ExpiresAt.IsZero() {
			return
		}
		var missing map[string]bool
		for _, token := range granted.Missing {
			if _, asked := b.places[token]; !asked {
				return
			}
			if missing == nil {
				missing = make(map[string]bool, len(granted.Missing))
			}
			missing[token] = true
		}
		for _, token := range b.grants[entry].Tokens {
			if !missing[token] && !yield(&b.tokens[b.places[token]]) {
				return
			}
		}
	}
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

// refused returns an error for each place of a token that lacks a grant.
func (b *batch) refused(returned []pending, root, code, message string) (errs gqlerror.List) {
	for i := range returned {
		p := &returned[i]
		if place, ok := b.places[p.token]; !ok || p.kinds&^b.tokens[place].exist != 0 {
			errs = append(errs, fail(code, message, p.path(root)))
		}
	}
	return errs
}

var errAnswers = errors.New("directives: Grants.CreateGrants must return one answer for each request")

func (t *Tokens) callCreate(ctx context.Context, session string, b *batch) ([]Granted, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	start := time.Now()
	granted, err := t.opts.Grants.CreateGrants(ctx, session, b.grants)
	if err == nil && len(granted) != len(b.grants) {
		err = errAnswers
	}
	if t.opts.Observer != nil {
		t.opts.Observer.GrantsCreated(ctx, b.size, time.Since(start), err)
	}
	if err != nil {
		return nil, err
	}
	return granted, nil
}
