package revocation

import (
	"net/http"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Guard is a guard.CallerFinder that refuses what has ended.
type Guard struct {
	set  *Set
	next guard.CallerFinder
}

// Guard returns a CallerFinder that refuses those callers of next that have ended, however well next
// remembers them.
func (s *Set) Guard(next guard.CallerFinder) *Guard { return &Guard{s, next} }

// Authenticate returns next's caller, or a fault: UNAUTHENTICATED if its session, its sign-in or its subject has
// ended, UNAVAILABLE while what has ended is not known.
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
	if by := s.stops(c, now); by != "" {
		s.opts.Observer.EndedRefused(by)
		return fault.New(fault.Unauthenticated, "The session has ended: sign in again.")
	}
	return nil
}

// stops returns what stops a caller, "" where nothing does.
func (s *Set) stops(c *caller.Caller, now time.Time) string {
	ms := now.UnixMilli()
	if c.Session != nil {
		if e, ok := s.whole.get(*c.Session); ok && ms < e.until {
			return "session"
		}
	}
	if c.Login != nil {
		if e, ok := s.whole.get(*c.Login); ok && ms < e.until {
			return "login"
		}
	}
	if s.dated.n.Load() > 0 {
		e, ok := s.dated.get(caller.HashSubject(c.Tenant, c.Subject))
		if ok && ms < e.until && c.IssuedAt.UnixMilli() < e.issuedBefore {
			return "subject"
		}
	}
	return ""
}
