// Package revocation ends sessions, logins and the credentials of subjects, for all callers: an application through the
// vault, an identity provider with a logout token, a user who signs out. It keeps a revocation list (a denylist) in the
// database and in the memory of every replica, which polls for new rows (docs/adr/0016). It revokes the session's grants in
// the same batch, stops its transfers, and refuses its credentials before they expire.
package revocation

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// always is the IssuedBefore that applies to every credential, for sessions and logins.
const always = math.MaxInt64

// writeTimeout bounds the write of a row. It is shorter than a poll's overlap, so that no poll misses the row.
const writeTimeout = 10 * time.Second

// Rows is the part of models.Rows that revocation uses. The contract is documented there.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	EndedSince(ctx context.Context, since, now int64, each func(models.Ended)) error
	SweepEnded(ctx context.Context, now int64, limit int) (int, error)
	RevokedSince(ctx context.Context, after int64, each func(models.Revoked)) error
	SweepRevoked(ctx context.Context, before int64, limit int) (int, error)
}

// Transfers stops uploads and downloads, if the object store can.
type Transfers interface {
	// EndSession stops the transfers signed for a session, and refuses new ones.
	EndSession(objects.Signer)
	// SignOut stops the transfers signed for a session up to now: the session may sign in again.
	SignOut(objects.Signer)
}

// Observer counts ends and refusals.
type Observer interface {
	// Ended gets the reason of each end: one of package caller's constants.
	Ended(reason string)
	// EndedRefused gets the reason of each refusal: session, login, subject, or unknown if the database can't
	// be read.
	EndedRefused(by string)
	// EndedKept gets the number of ends in memory.
	EndedKept(n int)
	// Watching gets the change of the number of callers who watch revocations.
	Watching(change int)
	// Swept gets the number of rows removed from a table: "ended", "revocations".
	Swept(table string, n int)
}

// Options configure a Set; all are required except Now.
type Options struct {
	Rows      Rows
	Transfers Transfers
	// Lifetimes has, by tenant, the longest life of a credential or grant; an end is kept for longer.
	Lifetimes map[string]time.Duration
	Poll      time.Duration // between two reads of the database
	Max       int           // ends in memory; more are refused, and ends of logins above half of it
	Watches   WatchLimits
	Observer  Observer
	Logger    *slog.Logger
	Now       func() time.Time // for tests; nil: time.Now
}

// Set is the list of ended sessions, logins and subjects. It is safe for concurrent use.
type Set struct {
	opts     Options
	longest  time.Duration // of Lifetimes
	sessions table         // sessions and logins
	subjects table         // subjects
	lastPoll atomic.Pointer[time.Time]
	poller
	reader     reader
	watches    *watches
	listeners  listeners
	unfinished unfinished
}

// New returns a Set that has read all rows. It returns the database's error if it can't.
func New(ctx context.Context, o Options) (*Set, error) {
	if o.Rows == nil || o.Transfers == nil || o.Observer == nil || o.Logger == nil || o.Poll <= 0 || o.Max <= 0 || o.Watches.PerSession <= 0 || len(o.Lifetimes) == 0 {
		return nil, errors.New("revocation: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set{opts: o, watches: newWatches(o.Watches)}
	for _, d := range o.Lifetimes {
		s.longest = max(s.longest, d)
	}
	if err := s.poll(ctx); err != nil {
		return nil, err
	}
	s.tellWatches(ctx) // nobody watches yet: this only reads up to the last row
	return s, nil
}

// Ended reports whether a session has ended.
func (s *Set) Ended(session caller.SessionHash) bool {
	e, ok := s.sessions.get(session)
	return ok && s.opts.Now().UnixMilli() < e.until
}
