package revocation

import "sync"

// listeners are called when a session's grants are revoked, so that caches of these grants are cleared.
type listeners struct {
	mu  sync.RWMutex
	all []func(tenant, sessionID string)
}

// OnEnd calls f after each revocation of a session's grants by this Set, before its caller gets the response. An empty
// session id means every session of the tenant.
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
