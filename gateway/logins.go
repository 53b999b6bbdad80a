package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/session/signin"
)

// logins keeps in memory, of this process alone, which logins have ended, and refuses their cookies.
type logins struct {
	next  signin.Authenticator
	mu    sync.RWMutex
	ended map[caller.SessionHash]time.Time // until when
}

// End implements signin.Ended.
func (l *logins) End(_ context.Context, login caller.SessionHash, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for h, t := range l.ended {
		if now.After(t) {
			delete(l.ended, h)
		}
	}
	if l.ended == nil {
		l.ended = map[caller.SessionHash]time.Time{}
	}
	l.ended[login] = until
	return nil
}

// Authenticate implements signin.Authenticator.
func (l *logins) Authenticate(r *http.Request) (*caller.Caller, error) {
	who, err := l.next.Authenticate(r)
	if err != nil || who == nil || who.Login == nil {
		return who, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if _, ok := l.ended[*who.Login]; ok {
		return nil, fault.New(fault.Unauthenticated, "The session has ended: sign in again.")
	}
	return who, nil
}
