package revocation

import "sync"

// listeners are told of sessions whose grants have ended: what was remembered of these grants is no longer so.
type listeners struct {
	mu  sync.RWMutex
	all []func(tenant, sessionID string)
}

// OnEnd calls f after each end of a session's grants made through this Set, before its caller is answered. An empty
// session id stands for every session of the tenant.
func (s *Set) OnEnd(f func(tenant, sessionID string)) {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	s.listeners.all = append(s.listeners.all, f)
}

func (l *listeners) tell(tenant, sessionID string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.all {
		f(tenant, sessionID)
	}
}
