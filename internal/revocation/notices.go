package revocation

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/models"
)

// leastKept is the shortest time for which a row of revocations is kept.
const leastKept = 5 * time.Minute

// kept returns for how long rows of revocations are kept. A replica that has not read them for half of it may have missed some:
// the other half is for clocks that differ.
func (s *Set) kept() time.Duration { return max(leastKept, 4*stalePolls*s.opts.Poll) }

// reader is the state of reading revocations; only the polling goroutine uses it.
type reader struct {
	after   int64     // the Seq of the last row that was read
	read    time.Time // when rows were read last; zero: never
	unsure  bool      // all callers have been told that rows can't be read
	failing bool
}

// tellWatches tells the callers who watch what has ended since the last call: their credentials, as poll has read, and grants. Once
// the database has not answered for as long as makes ended sessions stale, all callers are told that any token may be unreadable; also
// if rows may have been swept before they were read.
func (s *Set) tellWatches(ctx context.Context) {
	now, rd := s.opts.Now(), &s.reader
	s.watches.tellEnded(func(c *caller.Caller) bool { return s.refusal(c, now) != "" })
	ctx, cancel := context.WithTimeout(ctx, stalePolls*s.opts.Poll)
	defer cancel()
	err := s.opts.Rows.RevokedSince(ctx, rd.after, func(r models.Revoked) {
		rd.after = r.Seq
		s.watches.tellRow(&r)
	})
	if err != nil && !rd.failing && ctx.Err() == nil {
		s.opts.Logger.ErrorContext(ctx, "revocations can't be read, so sessions that watch them are not told: check the database", slog.Any("error", err))
	}
	rd.failing = err != nil
	missed := err == nil && !rd.read.IsZero() && now.Sub(rd.read) > s.kept()/2
	if err == nil {
		rd.read = now
	}
	unsure := s.stale(now) || now.Sub(rd.read) > stalePolls*s.opts.Poll
	if missed || unsure && !rd.unsure {
		s.watches.tellAll()
	}
	rd.unsure = unsure
}
