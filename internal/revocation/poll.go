package revocation

import (
	"context"
	"log/slog"
	"time"
)

const (
	// stalePolls is how many polls may fail before every credential is refused.
	stalePolls = 10
	// overlap is how far back each poll reads again: EndedAt comes from the clock of the replica that wrote the row,
	// which may be behind, and rows are not committed in the order of EndedAt.
	overlap = 30 * time.Second
	// reread is how often all rows are read, so that a row of a clock that is further behind is late by minutes only.
	reread = 5 * time.Minute
	// sweepEvery is how often memory is swept.
	sweepEvery = time.Minute
)

// poller is the state between polls; only the polling goroutine uses it.
type poller struct {
	failing        bool
	readAll, swept time.Time // when all rows were read, and memory was swept
}

// Run reads new rows at every tick until ctx ends; a tick comes every Options.Poll.
func (s *Set) Run(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			s.tick(ctx)
		}
	}
}

func (s *Set) tick(ctx context.Context) {
	err := s.poll(ctx)
	switch {
	case err == nil && s.failing:
		s.opts.Logger.InfoContext(ctx, "ended sessions can be read again")
	case err != nil && !s.failing && ctx.Err() == nil:
		s.opts.Logger.ErrorContext(ctx, "ended sessions can't be read; all credentials will be refused if this continues: check the database", slog.Any("error", err))
	}
	s.failing = err != nil
	s.tellWatches(ctx)
	if err == nil {
		s.retry(ctx)
	}
	if now := s.opts.Now(); now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		s.sessions.sweep(now.UnixMilli())
		s.subjects.sweep(now.UnixMilli())
	}
	s.opts.Observer.EndedKept(s.size())
}

// poll reads the rows since the last poll, or all rows if reread has passed.
func (s *Set) poll(ctx context.Context) error {
	now := s.opts.Now()
	since, all := int64(0), true
	if last := s.lastPoll.Load(); last != nil && now.Sub(s.readAll) < reread {
		since, all = last.Add(-overlap).UnixMilli(), false
	}
	ctx, cancel := context.WithTimeout(ctx, stalePolls*s.opts.Poll)
	defer cancel()
	if err := s.opts.Rows.EndedSince(ctx, since, now.UnixMilli(), s.put); err != nil {
		return err
	}
	if all {
		s.readAll = now
	}
	s.lastPoll.Store(&now)
	return nil
}

// stale reports whether the last successful poll is too old to rely on. It compares times instead of counting failures,
// so that a poll that hangs counts too.
func (s *Set) stale(now time.Time) bool { return now.Sub(*s.lastPoll.Load()) > stalePolls*s.opts.Poll }
