package vault

import (
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// listeners are called after revocations, so that caches of grants are cleared, and when a session gets grants.
type listeners struct {
	mu      sync.RWMutex
	revoked []func(tenant, session string, tokens []ids.Token)
	granted []func(session ids.SessionHash)
}

// OnGrant calls f with each session that an application of its tenant has created grants for or moved grants to, before
// the application gets its response.
func (v *Vault) OnGrant(f func(session ids.SessionHash)) {
	v.listeners.mu.Lock()
	defer v.listeners.mu.Unlock()
	v.listeners.granted = append(v.listeners.granted, f)
}

func (l *listeners) tellGranted(session ids.SessionHash) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.granted {
		f(session)
	}
}

// OnRevoke calls f after each revocation, deletion or move of grants by this vault, before its caller gets the
// response. An empty session means every session, nil tokens mean every token.
func (v *Vault) OnRevoke(f func(tenant, session string, tokens []ids.Token)) {
	v.listeners.mu.Lock()
	defer v.listeners.mu.Unlock()
	v.listeners.revoked = append(v.listeners.revoked, f)
}

func (l *listeners) tellRevoked(tenant string, session *string, tokens []ids.Token) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	id := ""
	if session != nil {
		id = *session
	}
	for _, f := range l.revoked {
		f(tenant, id, tokens)
	}
}
