// Package revocation owns the end of a session, of a login and of a subject's credentials, whoever asks for it: the
// application by the vault, an identity provider by a logout token, a user by signing out. It keeps a revocation list (a
// denylist) in the database and in the memory of every replica, which reads what is new at short intervals
// (docs/adr/0016); it revokes the session's grants in the same batch, stops its transfers, and refuses its credentials
// before they expire.
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

// always is an IssuedBefore that no credential escapes: a session or a sign-in ends as a whole.
const always = math.MaxInt64

// writeTimeout bounds how long a row waits to be written, so that a poll's overlap covers it.
const writeTimeout = 10 * time.Second

// Rows is what revocation needs of the database: a part of models.Rows, which says what it may rely on.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	EndedSince(ctx context.Context, since, now int64, each func(models.Ended)) error
	SweepEnded(ctx context.Context, now int64, limit int) (int, error)
}

// Transfers are those of the object store, which a store stops if it can.
type Transfers interface {
	// EndSession stops what was signed for a session, and refuses it from now on.
	EndSession(objects.Signer)
	// SignOut stops what was signed for a session up to now: it may sign in again.
	SignOut(objects.Signer)
}

// Observer counts.
type Observer interface {
	// Ended is told why something has ended: one of caller's reasons.
	Ended(reason string)
	// EndedRefused is told what a refused credential was stopped by: session, login, subject, or unknown
	// where the database could not be read.
	EndedRefused(by string)
	// EndedKept is told how many ends are in memory.
	EndedKept(n int)
	// Swept is told how many rows of a table were removed: "ended".
	Swept(table string, n int)
}

// Options are what a Set is made of; all are needed except Now.
type Options struct {
	Rows      Rows
	Transfers Transfers
	// Lifetimes say, by tenant, how long anything can live that an end must outlive: credentials, from now
	// on, and grants.
	Lifetimes map[string]time.Duration
	Poll      time.Duration // between two reads of the database
	Max       int           // ends in memory; further ones are refused, and those of sign-ins at half of it
	Observer  Observer
	Logger    *slog.Logger
	Now       func() time.Time // for tests; nil: time.Now
}

// Set is all that has ended, safe for concurrent use.
type Set struct {
	opts    Options
	longest time.Duration // of Lifetimes
	whole   table         // sessions and sign-ins
	dated   table         // subjects
	read    atomic.Pointer[time.Time]
	poller
	listeners  listeners
	unfinished unfinished
}

// New returns a Set that has read what has ended so far.
func New(ctx context.Context, o Options) (*Set, error) {
	if o.Rows == nil || o.Transfers == nil || o.Observer == nil || o.Logger == nil || o.Poll <= 0 || o.Max <= 0 || len(o.Lifetimes) == 0 {
		return nil, errors.New("revocation: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set{opts: o}
	for _, d := range o.Lifetimes {
		s.longest = max(s.longest, d)
	}
	if err := s.poll(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Ended reports whether a session has ended.
func (s *Set) Ended(session caller.SessionHash) bool {
	e, ok := s.whole.get(session)
	return ok && s.opts.Now().UnixMilli() < e.until
}
