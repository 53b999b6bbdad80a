package revocation

import (
	"context"
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/models"
)

// unwritten is an end in this replica's memory whose write failed.
type unwritten struct {
	ended  *models.Ended      // nil: it was committed
	revoke *models.Revocation // nil: none, or it was committed
	reason string
	until  int64 // Unix milliseconds after which everything that it ends has expired
}

// unfinished holds the failed writes, which are tried again after each poll. This replica's memory refuses the ended
// credentials already, so the user can't ask again; without a retry, a restart would forget the end and other replicas
// would not read it. Every id is also in the tables in memory, which bound their number.
type unfinished struct {
	mu   sync.Mutex
	byID map[caller.SessionHash]unwritten
}

// keep merges w with the entry of an id, and narrows neither.
func (u *unfinished) keep(id caller.SessionHash, w unwritten) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = map[caller.SessionHash]unwritten{}
	}
	old := u.byID[id]
	switch {
	case w.ended == nil:
		w.ended, w.reason = old.ended, old.reason
	case old.ended != nil:
		wider := *w.ended
		wider.IssuedBefore = max(wider.IssuedBefore, old.ended.IssuedBefore)
		wider.ExpiresAt = max(wider.ExpiresAt, old.ended.ExpiresAt)
		w.ended = &wider
	}
	if w.revoke == nil {
		w.revoke = old.revoke
	}
	w.until = max(w.until, old.until)
	u.byID[id] = w
}

func (u *unfinished) take() map[caller.SessionHash]unwritten {
	u.mu.Lock()
	defer u.mu.Unlock()
	byID := u.byID
	u.byID = nil
	return byID
}

// retry tries the failed writes again, within the time between two polls, so that it delays no poll. It stops at the
// first error. A session that has signed in again since then loses its new grants.
func (s *Set) retry(ctx context.Context) {
	left := s.unfinished.take()
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Poll)
	defer cancel()
	now := s.opts.Now().UnixMilli()
	for id, w := range left {
		if w.until > now {
			if _, err := s.opts.Rows.Write(ctx, w.batch(now)); err != nil {
				break
			}
			s.written(w)
		}
		delete(left, id)
	}
	for id, w := range left {
		s.unfinished.keep(id, w)
	}
}

func (s *Set) written(w unwritten) {
	if w.ended != nil {
		s.opts.Observer.Ended(w.reason)
	}
	if w.revoke != nil {
		s.listeners.tell(w.revoke.Tenant, "")
	}
}

// batch sets EndedAt to now, because other replicas find new rows by EndedAt.
func (w unwritten) batch(now int64) models.Batch {
	b := models.Batch{Now: now, Revoke: w.revoke}
	if w.ended != nil {
		r := *w.ended
		r.EndedAt = now
		b.Ended = []models.Ended{r}
	}
	return b
}
