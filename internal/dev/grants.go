package dev

import (
	"context"
	"errors"
	"sync"

	"github.com/cloakroomhq/cloakroom/directives"
)

// lateGrants is the application's way to the gateway, which starts after it. Run sets it once the
// gateway is there; until then every call fails, as when the gateway is down.
type lateGrants struct {
	mu        sync.RWMutex
	to        directives.Grants
	listeners []func(session string, tokens []string)
}

var (
	_ directives.Grants  = (*lateGrants)(nil)
	_ directives.Revoker = (*lateGrants)(nil)

	errNotYet = errors.New("the gateway has not started yet")
)

func (l *lateGrants) set(to directives.Grants) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
	if r, ok := to.(directives.Revoker); ok {
		for _, f := range l.listeners {
			r.OnRevoke(f)
		}
	}
}

func (l *lateGrants) get() (directives.Grants, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.to == nil {
		return nil, errNotYet
	}
	return l.to, nil
}

// CreateGrants implements directives.Grants.
func (l *lateGrants) CreateGrants(ctx context.Context, session string, grants []directives.Grant) ([]directives.Granted, error) {
	to, err := l.get()
	if err != nil {
		return nil, err
	}
	return to.CreateGrants(ctx, session, grants)
}

// VerifyGrants implements directives.Grants.
func (l *lateGrants) VerifyGrants(ctx context.Context, session string, checks []directives.Check) ([]directives.Check, error) {
	to, err := l.get()
	if err != nil {
		return nil, err
	}
	return to.VerifyGrants(ctx, session, checks)
}

// OnRevoke implements directives.Revoker.
func (l *lateGrants) OnRevoke(f func(session string, tokens []string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners = append(l.listeners, f)
	if r, ok := l.to.(directives.Revoker); ok {
		r.OnRevoke(f)
	}
}
