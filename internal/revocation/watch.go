package revocation

import (
	"slices"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// WatchLimits bound what is watched on this replica.
type WatchLimits struct{ Total, PerTenant, PerSession int }

// tokensPerWatch is how many tokens the watches of all sessions, and of one tenant, may have on average.
const tokensPerWatch = 64

// retryWatch is the time to wait if no more watches are accepted.
const retryWatch = 30 * time.Second

// Tell is called with what the caller can no longer read: these of its tokens, and, if all is set, perhaps any. If ended is set, its
// credential is refused from now on, and the call is the last one. It must not block, and must not call the Set.
type Tell = func(tokens []ids.Digest, all, ended bool)

// watch is one caller who is told.
type watch struct {
	caller *caller.Caller
	tokens []ids.Digest // each once
	tell   Tell
}

// watches has the watches of all callers, by what ends them. Only the polling goroutine tells.
type watches struct {
	limits    WatchLimits
	mu        sync.Mutex
	all       map[*watch]struct{}
	bySession map[caller.SessionHash][]*watch
	byToken   map[ids.Digest][]*watch
	tenants   map[string]tally
	tokens    int
}

// tally counts a tenant's watches and their tokens.
type tally struct{ watches, tokens int }

func newWatches(limits WatchLimits) *watches {
	return &watches{
		limits: limits, all: map[*watch]struct{}{}, bySession: map[caller.SessionHash][]*watch{}, byToken: map[ids.Digest][]*watch{},
		tenants: map[string]tally{},
	}
}

// Watch calls tell, after each poll, with those of the tokens that the caller, a session, can no longer read, until stop is called.
// What was committed before Watch may be told too. Faults: LIMIT_EXCEEDED if the session has too many watches, RATE_LIMITED if
// its tenant or the replica has.
func (s *Set) Watch(c *caller.Caller, tokens []ids.Digest, tell Tell) (stop func(), err error) {
	unique := slices.Clone(tokens)
	slices.SortFunc(unique, func(a, b ids.Digest) int { return slices.Compare(a[:], b[:]) })
	w := &watch{caller: c, tokens: slices.Compact(unique), tell: tell}
	if err := s.watches.add(w); err != nil {
		return nil, err
	}
	s.opts.Observer.Watching(1)
	return sync.OnceFunc(func() {
		s.watches.remove(w)
		s.opts.Observer.Watching(-1)
	}), nil
}

func (l *watches) add(w *watch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, tenant := len(w.tokens), l.tenants[w.caller.Tenant]
	switch {
	case len(l.bySession[*w.caller.Session]) >= l.limits.PerSession:
		return fault.New(fault.LimitExceeded, "The session has %d subscriptions, which is the most (subscriptions.max_per_session): end one of them.", l.limits.PerSession)
	case tenant.watches >= l.limits.PerTenant, tenant.tokens+n > l.limits.PerTenant*tokensPerWatch,
		len(l.all) >= l.limits.Total, l.tokens+n > l.limits.Total*tokensPerWatch:
		return fault.Limited(retryWatch)
	}
	l.all[w] = struct{}{}
	l.tokens += n
	l.tenants[w.caller.Tenant] = tally{tenant.watches + 1, tenant.tokens + n}
	l.bySession[*w.caller.Session] = append(l.bySession[*w.caller.Session], w)
	for _, id := range w.tokens {
		l.byToken[id] = append(l.byToken[id], w)
	}
	return nil
}

func (l *watches) remove(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, w)
	n := len(w.tokens)
	l.tokens -= n
	if left := l.tenants[w.caller.Tenant]; left.watches > 1 {
		l.tenants[w.caller.Tenant] = tally{left.watches - 1, left.tokens - n}
	} else {
		delete(l.tenants, w.caller.Tenant)
	}
	without(l.bySession, *w.caller.Session, w)
	for _, id := range w.tokens {
		without(l.byToken, id, w)
	}
}

// without removes w from the list of a key, and the key with the last one.
func without[K comparable](lists map[K][]*watch, key K, w *watch) {
	list := lists[key]
	if i := slices.Index(list, w); i >= 0 {
		list[i] = list[len(list)-1]
		list[len(list)-1] = nil
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		delete(lists, key)
		return
	}
	lists[key] = list
}

// tellRow tells whom a row is about.
func (l *watches) tellRow(r *models.Revoked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Tokens == nil {
		for w := range l.about(r) {
			w.tell(nil, true, false)
		}
		return
	}
	told := map[*watch][]ids.Digest{}
	for _, id := range r.TokenIDs() {
		for _, w := range l.byToken[id] {
			if w.caller.Tenant == r.Tenant && (r.SessionID == nil || *w.caller.Session == *r.SessionID) {
				told[w] = append(told[w], id)
			}
		}
	}
	for w, tokens := range told {
		w.tell(tokens, false, false)
	}
}

// about returns the watches of a row's session or, without one, of its tenant.
func (l *watches) about(r *models.Revoked) map[*watch]struct{} {
	found := map[*watch]struct{}{}
	if r.SessionID != nil {
		for _, w := range l.bySession[*r.SessionID] {
			found[w] = struct{}{}
		}
		return found
	}
	for w := range l.all {
		if w.caller.Tenant == r.Tenant {
			found[w] = struct{}{}
		}
	}
	return found
}

// tellAll tells every caller that any token may be unreadable.
func (l *watches) tellAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.all {
		w.tell(nil, true, false)
	}
}

// tellEnded tells each caller who is refused.
func (l *watches) tellEnded(refused func(*caller.Caller) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.all {
		if refused(w.caller) {
			w.tell(nil, true, true)
		}
	}
}
