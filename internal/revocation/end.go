package revocation

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// EndSession ends a tenant's session with its grants, durably, and returns how many of these were in force. An unknown
// session can be ended too: the gateway keeps no list of sessions. The session's credentials are refused by this replica at
// once, and by others after their next poll; its transfers are stopped. The reason is one of package caller's constants.
//
// Faults: UNAVAILABLE (the session has ended on this replica; the write may have been committed, and is retried until it
// is); LIMIT_EXCEEDED if memory is full: the credentials are not refused, but the grants are revoked and the transfers
// stopped.
func (s *Set) EndSession(ctx context.Context, tenant, sessionID, reason string) (revoked int, err error) {
	session := caller.HashSession(tenant, sessionID)
	r := s.row(session, always, s.lifetime(tenant))
	revocation := &models.Revocation{Tenant: tenant, Session: &session}
	done, err := s.end(ctx, r, s.opts.Max, reason, revocation)
	if isFull(err) {
		var failed error
		if done, failed = s.revoke(ctx, revocation); failed != nil {
			err = failed
		}
	}
	s.opts.Transfers.EndSession(objects.Signer{Tenant: tenant, Session: session})
	s.listeners.tell(tenant, sessionID) // after an error too: it may have been committed
	return done.Revoked, err
}

// SignOut ends the login of cookie, the caller by the cookie, nil for none; it revokes the grants of user's session, and
// stops its transfers. It returns how many grants were in force, and whether the end of the login is committed (closed), so
// that every replica refuses the cookie after its next poll.
//
// Logins may fill half of the memory. If that half is full the grants are revoked nevertheless, and the error is a fault
// LIMIT_EXCEEDED. Other faults: UNAVAILABLE (the login, or login and grants, may have ended). In that case the login has
// ended on this replica, so its user can't ask again: failed writes are retried until they are committed.
func (s *Set) SignOut(ctx context.Context, user, cookie *caller.Caller) (revoked int, closed bool, err error) {
	var login error
	if cookie != nil {
		login = s.endLogin(ctx, *cookie.Login, cookie.ExpiresAt)
		closed = login == nil
	}
	revocation := &models.Revocation{Tenant: user.Tenant, Session: user.Session}
	done, err := s.revoke(ctx, revocation)
	if err != nil && cookie != nil && !isFull(login) {
		s.unfinished.keep(*cookie.Login, unwritten{revoke: revocation, until: cookie.ExpiresAt.UnixMilli()})
	}
	s.opts.Transfers.SignOut(objects.Signer{Tenant: user.Tenant, Session: *user.Session})
	// Only the hash of the session's id is known here, so listeners clear their caches of every session. After an error too:
	// it may have been committed.
	s.listeners.tell(user.Tenant, "")
	if err != nil {
		return 0, closed, err
	}
	return done.Revoked, closed, login
}

// endLogin ends a login as EndSession ends a session; until is after the expiry of every cookie of the login. A user can
// sign in and out any number of times, so logins may fill half of the memory only: the rest is for applications and
// providers.
func (s *Set) endLogin(ctx context.Context, login caller.SessionHash, until time.Time) error {
	r := s.row(login, always, 0)
	r.ExpiresAt = until.UnixMilli() + 1
	_, err := s.end(ctx, r, s.opts.Max/2, caller.EndedBySignOut, nil)
	return err
}

// EndSubject ends all credentials of a tenant's subject issued before issuedBefore, as EndSession ends a session. Grants
// stay, because they belong to sessions, which are unknown here; a refused credential can't use them.
func (s *Set) EndSubject(ctx context.Context, tenant, subject string, issuedBefore time.Time) error {
	r := s.row(caller.HashSubject(tenant, subject), issuedBefore.UnixMilli(), s.lifetime(tenant))
	_, err := s.end(ctx, r, s.opts.Max, caller.EndedByBackChannel, nil)
	return err
}

// row adds stalePolls polls to life: until another replica has read the row, that replica may create grants.
func (s *Set) row(id caller.SessionHash, issuedBefore int64, life time.Duration) models.Ended {
	now := s.opts.Now()
	return models.Ended{ID: id, IssuedBefore: issuedBefore, EndedAt: now.UnixMilli(), ExpiresAt: now.Add(life+stalePolls*s.opts.Poll).UnixMilli() + 1}
}

func (s *Set) lifetime(tenant string) time.Duration {
	if d, ok := s.opts.Lifetimes[tenant]; ok {
		return d
	}
	return s.longest
}

// end puts the row into memory, which holds at most limit rows, and then writes it: memory first, so that grants created
// meanwhile count as an ended session's. The revocation, nil for none, is in the same batch.
func (s *Set) end(ctx context.Context, r models.Ended, limit int, reason string, revocation *models.Revocation) (models.Result, error) {
	if _, known := s.table(r).get(r.ID); !known && s.size() >= limit {
		return models.Result{}, fault.New(fault.LimitExceeded, "The gateway can't store more ended sessions at the moment: try again later.")
	}
	s.put(r)
	// Write even if the caller disconnects: memory has the row already, and other replicas must get it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	done, err := s.write(ctx, models.Batch{Now: r.EndedAt, Ended: []models.Ended{r}, Revoke: revocation})
	if err != nil {
		s.unfinished.keep(r.ID, unwritten{ended: &r, revoke: revocation, reason: reason, until: r.ExpiresAt})
		return models.Result{}, err
	}
	s.opts.Observer.Ended(reason)
	return done, nil
}

func (s *Set) revoke(ctx context.Context, revocation *models.Revocation) (models.Result, error) {
	return s.write(ctx, models.Batch{Now: s.opts.Now().UnixMilli(), Revoke: revocation})
}

// write commits a batch. If there is a row with the same ID, the wider of the two stays. Its error is a fault UNAVAILABLE.
func (s *Set) write(ctx context.Context, b models.Batch) (models.Result, error) {
	done, err := s.opts.Rows.Write(ctx, b)
	if err != nil {
		return models.Result{}, unavailable(err)
	}
	return done, nil
}

func isFull(err error) bool { return err != nil && fault.Public(err).Code == fault.LimitExceeded }

func (s *Set) table(r models.Ended) *table {
	if r.IssuedBefore == always {
		return &s.sessions
	}
	return &s.subjects
}

func (s *Set) put(r models.Ended) { s.table(r).put(r.ID, entry{r.IssuedBefore, r.ExpiresAt}) }

func (s *Set) size() int { return int(s.sessions.n.Load() + s.subjects.n.Load()) }

// unavailable hides the database's error from the client; the log has it.
func unavailable(err error) error {
	return fault.Wrap(err, fault.Unavailable, "The gateway can't do this at the moment: try again.")
}
