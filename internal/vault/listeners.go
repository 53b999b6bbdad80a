package vault

import (
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// listeners are told of revocations, for what was remembered of the grants is no longer so; and of sessions that have grants.
type listeners struct {
	mu    sync.RWMutex
	all   []func(tenant, session string, tokens []ids.Token)
	named []func(session ids.SessionHash)
}

// OnGrant calls f with each session for which an application of its tenant has made grants, or to which it has moved
// some, before the application is answered.
func (v *Vault) OnGrant(f func(session ids.SessionHash)) {
	v.listeners.mu.Lock()
	defer v.listeners.mu.Unlock()
	v.listeners.named = append(v.listeners.named, f)
}

func (l *listeners) tellNamed(session ids.SessionHash) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.named {
		f(session)
	}
}

// OnRevoke calls f after each revocation, deletion or carrying away made through this vault, before its caller is
// answered. An empty session stands for every session, nil tokens for every token.
func (v *Vault) OnRevoke(f func(tenant, session string, tokens []ids.Token)) {
	v.listeners.mu.Lock()
	defer v.listeners.mu.Unlock()
	v.listeners.all = append(v.listeners.all, f)
}

func (l *listeners) tell(tenant string, session *string, tokens []ids.Token) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	named := ""
	if session != nil {
		named = *session
	}
	for _, f := range l.all {
		f(tenant, named, tokens)
	}
}
