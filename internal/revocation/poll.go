package revocation

import (
	"context"
	"log/slog"
	"time"
)

const (
	// stalePolls is how many polls may fail before every credential is refused.
	stalePolls = 10
	// overlap is by how much polls read again what they have read: a row's moment is that of the replica which
	// wrote it, whose clock may be behind, and rows are not seen in the order of their moments.
	overlap = 30 * time.Second
	// reread is how often everything is read, so that a clock that is further behind costs minutes and no more.
	reread = 5 * time.Minute
	// sweepEvery is how often memory is swept.
	sweepEvery = time.Minute
)

// poller is what polls remember of each other; it belongs to the one goroutine that polls.
type poller struct {
	failing        bool
	readAll, swept time.Time // when all was read, and memory swept
}

// Run reads what is new in the database at every tick until ctx ends; a tick comes every Options.Poll.
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
		s.opts.Logger.InfoContext(ctx, "what sessions have ended can be read again")
	case err != nil && !s.failing && ctx.Err() == nil:
		s.opts.Logger.ErrorContext(ctx, "what sessions have ended can't be read; credentials will be refused if this goes on", slog.Any("error", err))
	}
	s.failing = err != nil
	if err == nil {
		s.finish(ctx)
	}
	if now := s.opts.Now(); now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		s.whole.sweep(now.UnixMilli())
		s.dated.sweep(now.UnixMilli())
	}
	s.opts.Observer.EndedKept(s.size())
}

// poll reads what has ended since the last time, or all where that is long ago.
func (s *Set) poll(ctx context.Context) error {
	now := s.opts.Now()
	since, all := int64(0), true
	if last := s.read.Load(); last != nil && now.Sub(s.readAll) < reread {
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
	s.read.Store(&now)
	return nil
}

// stale reports whether the last poll that succeeded is too long ago to rely on. It compares times, and not
// failures, so that a poll that hangs counts too.
func (s *Set) stale(now time.Time) bool { return now.Sub(*s.read.Load()) > stalePolls*s.opts.Poll }
