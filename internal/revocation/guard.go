package revocation

import (
	"net/http"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Guard is a guard.CallerFinder that refuses ended credentials.
type Guard struct {
	set  *Set
	next guard.CallerFinder
}

// Guard returns a CallerFinder that refuses callers of next whose session, login or subject has ended, even if next
// has them in a cache.
func (s *Set) Guard(next guard.CallerFinder) *Guard { return &Guard{s, next} }

// Authenticate returns next's caller, or a fault: UNAUTHENTICATED if its session, its login or its subject has ended,
// UNAVAILABLE while the last successful poll is too old.
func (g *Guard) Authenticate(r *http.Request) (*caller.Caller, error) {
	c, err := g.next.Authenticate(r)
	if err != nil || c == nil {
		return nil, err
	}
	if err := g.set.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (s *Set) check(c *caller.Caller) error {
	now := s.opts.Now()
	if s.stale(now) {
		s.opts.Observer.EndedRefused("unknown")
		return fault.New(fault.Unavailable, "The gateway can't tell at the moment which sessions have ended: try again.")
	}
	if by := s.refusal(c, now); by != "" {
		s.opts.Observer.EndedRefused(by)
		return fault.New(fault.Unauthenticated, "The session has ended: sign in again.")
	}
	return nil
}

// refusal returns why a caller is refused: "session", "login" or "subject"; "" if it is not.
func (s *Set) refusal(c *caller.Caller, now time.Time) string {
	ms := now.UnixMilli()
	if c.Session != nil {
		if e, ok := s.sessions.get(*c.Session); ok && ms < e.until {
			return "session"
		}
	}
	if c.Login != nil {
		if e, ok := s.sessions.get(*c.Login); ok && ms < e.until {
			return "login"
		}
	}
	if s.subjects.n.Load() > 0 {
		e, ok := s.subjects.get(caller.HashSubject(c.Tenant, c.Subject))
		if ok && ms < e.until && c.IssuedAt.UnixMilli() < e.issuedBefore {
			return "subject"
		}
	}
	return ""
}
