// Package revocation refuses the credentials of sessions that have ended before their credentials expire: a revocation
// list (a denylist) of sessions, sign-ins and subjects. It is kept in the database, and in the memory of every
// replica, which reads what is new at short intervals: docs/adr/0016.
package revocation

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// always is an IssuedBefore that no credential escapes: a session or a sign-in ends as a whole.
const always = math.MaxInt64

// writeTimeout bounds how long a row waits to be written, so that a poll's overlap covers it.
const writeTimeout = 10 * time.Second

// Row is what the database keeps of one end. Moments are Unix milliseconds.
type Row struct {
	ID           caller.SessionHash // of a session, a sign-in or a subject
	IssuedBefore int64              // credentials issued before are refused
	EndedAt      int64
	ExpiresAt    int64 // no credential that the row stops lives longer
}

// Rows is the database. Writes are durable when they return nil.
type Rows interface {
	// End keeps a row; where there is one of the same ID, the wider of the two.
	End(ctx context.Context, r Row) error
	// EndSession keeps a row and revokes the session's grants, and returns how many were in force. It may keep the
	// row alone where grants can't be removed: one that outlives them all.
	EndSession(ctx context.Context, tenant string, r Row) (revoked int, err error)
	// EndedSince calls each for every row whose EndedAt is not before since, and that has not expired now.
	EndedSince(ctx context.Context, since, now int64, each func(Row)) error
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
}

// Options are what a Set is made of; all are needed except Now.
type Options struct {
	Rows Rows
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
	Options
	longest time.Duration // of Lifetimes
	whole   table         // sessions and sign-ins
	dated   table         // subjects
	read    atomic.Pointer[time.Time]
	poller
}

// New returns a Set that has read what has ended so far.
func New(ctx context.Context, o Options) (*Set, error) {
	if o.Rows == nil || o.Observer == nil || o.Logger == nil || o.Poll <= 0 || o.Max <= 0 || len(o.Lifetimes) == 0 {
		return nil, errors.New("revocation: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set{Options: o}
	for _, d := range o.Lifetimes {
		s.longest = max(s.longest, d)
	}
	if err := s.poll(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// EndSession ends a tenant's session with its grants, durably, and returns how many of these were in force.
// Its credentials are refused here at once, also where an error is returned, and on other replicas after their
// next poll. Faults: LIMIT_EXCEEDED, UNAVAILABLE.
func (s *Set) EndSession(ctx context.Context, tenant string, session caller.SessionHash, reason string) (revoked int, err error) {
	err = s.end(ctx, s.row(session, always, s.lifetime(tenant)), s.Max, reason, func(ctx context.Context, r Row) (err error) {
		revoked, err = s.Rows.EndSession(ctx, tenant, r)
		return err
	})
	return revoked, err
}

// End ends a sign-in, whose cookies live until a moment at the latest, as EndSession ends a session. Whoever may sign in
// may sign out as often, so sign-ins fill half of the memory at most: the rest is for applications and providers.
func (s *Set) End(ctx context.Context, login caller.SessionHash, until time.Time) error {
	r := s.row(login, always, 0)
	r.ExpiresAt = until.UnixMilli() + 1
	return s.end(ctx, r, s.Max/2, caller.EndedBySignOut, s.Rows.End)
}

// EndSubject ends all that was issued for a tenant's subject before a moment, as EndSession ends a session. Grants
// stay: they are the sessions', which are not known here, and open nothing for a credential that is refused.
func (s *Set) EndSubject(ctx context.Context, tenant, subject string, issuedBefore time.Time) error {
	r := s.row(caller.HashSubject(tenant, subject), issuedBefore.UnixMilli(), s.lifetime(tenant))
	return s.end(ctx, r, s.Max, caller.EndedByBackChannel, s.Rows.End)
}

// Ended reports whether a session has ended.
func (s *Set) Ended(session caller.SessionHash) bool {
	e, ok := s.whole.get(session)
	return ok && s.Now().UnixMilli() < e.until
}

// row lives longer by what another replica may need to learn of it, and may create grants until then.
func (s *Set) row(id caller.SessionHash, issuedBefore int64, life time.Duration) Row {
	now := s.Now()
	return Row{ID: id, IssuedBefore: issuedBefore, EndedAt: now.UnixMilli(), ExpiresAt: now.Add(life+stalePolls*s.Poll).UnixMilli() + 1}
}

func (s *Set) lifetime(tenant string) time.Duration {
	if d, ok := s.Lifetimes[tenant]; ok {
		return d
	}
	return s.longest
}

// end puts the row into memory, which may hold up to limit already, before it is written: a grant that is created
// meanwhile is then seen by whoever asks afterwards to be an ended session's.
func (s *Set) end(ctx context.Context, r Row, limit int, reason string, write func(context.Context, Row) error) error {
	if _, known := s.table(r).get(r.ID); !known && s.size() >= limit {
		return fault.New(fault.LimitExceeded, "More sessions have ended of late than the gateway may keep in mind.")
	}
	s.put(r)
	// A caller that leaves doesn't stop it: memory says so already, and the other replicas must learn of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := write(ctx, r); err != nil {
		return fault.Wrap(err, fault.Unavailable, "The gateway can't do this at the moment: try again.")
	}
	s.Observer.Ended(reason)
	return nil
}

func (s *Set) table(r Row) *table {
	if r.IssuedBefore == always {
		return &s.whole
	}
	return &s.dated
}

func (s *Set) put(r Row) { s.table(r).put(r.ID, entry{r.IssuedBefore, r.ExpiresAt}) }

func (s *Set) size() int { return int(s.whole.n.Load() + s.dated.n.Load()) }
