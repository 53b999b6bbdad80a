package vault

import (
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// listeners are told of revocations: what was remembered of the grants is no longer so.
type listeners struct {
	mu  sync.RWMutex
	all []func(tenant, session string, tokens []ids.Token)
}

// OnRevoke calls f after each revocation, deletion or carrying away made through this vault, before its caller is
// answered. An empty session stands for every session, nil tokens for every token.
func (v *Vault) OnRevoke(f func(tenant, session string, tokens []ids.Token)) {
	v.revoked.mu.Lock()
	defer v.revoked.mu.Unlock()
	v.revoked.all = append(v.revoked.all, f)
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
