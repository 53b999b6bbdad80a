package revocation

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// EndSession ends a tenant's session with its grants, durably, and returns how many of these were in force. A session
// that is not known ends too: the gateway keeps no list of sessions. Its credentials are refused here at once, and on other
// replicas after their next poll; its transfers are stopped. The reason is one of caller's.
//
// Faults: UNAVAILABLE (it has ended here; the rest may have been committed, and is tried again until it is);
// LIMIT_EXCEEDED, where no further end can be kept: the credentials are not refused, but the grants are revoked and the
// transfers stopped.
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

// SignOut ends the login of a caller with the cookie, nil for none, and revokes the grants of who, a session, with its
// transfers. It returns how many grants were in force, and whether the cookie opens nothing any more on any replica.
//
// Logins fill half of the memory at most. Where that is full the grants are revoked all the same, and the error is a
// fault LIMIT_EXCEEDED. Other faults: UNAVAILABLE (the login, or both, may have ended). The login has ended here then, so
// that its user can't ask again: what was not committed is tried again until it is.
func (s *Set) SignOut(ctx context.Context, who, cookie *caller.Caller) (revoked int, closed bool, err error) {
	var login error
	if cookie != nil {
		login = s.endLogin(ctx, *cookie.Login, cookie.ExpiresAt)
		closed = login == nil
	}
	revocation := &models.Revocation{Tenant: who.Tenant, Session: who.Session}
	done, err := s.revoke(ctx, revocation)
	if err != nil && cookie != nil && !isFull(login) {
		s.unfinished.keep(*cookie.Login, unwritten{revoke: revocation, until: cookie.ExpiresAt.UnixMilli()})
	}
	s.opts.Transfers.SignOut(objects.Signer{Tenant: who.Tenant, Session: *who.Session})
	// Only the hash of the session's id is known here, so listeners forget every session's. After an error too: it may
	// have been committed.
	s.listeners.tell(who.Tenant, "")
	if err != nil {
		return 0, closed, err
	}
	return done.Revoked, closed, login
}

// endLogin ends a login, whose cookies live until a moment at the latest, as EndSession ends a session. Whoever may sign
// in may sign out as often, so logins fill half of the memory at most: the rest is for applications and providers.
func (s *Set) endLogin(ctx context.Context, login caller.SessionHash, until time.Time) error {
	r := s.row(login, always, 0)
	r.ExpiresAt = until.UnixMilli() + 1
	_, err := s.end(ctx, r, s.opts.Max/2, caller.EndedBySignOut, nil)
	return err
}

// EndSubject ends all that was issued for a tenant's subject before a moment, as EndSession ends a session. Grants
// stay: they are the sessions', which are not known here, and open nothing for a credential that is refused.
func (s *Set) EndSubject(ctx context.Context, tenant, subject string, issuedBefore time.Time) error {
	r := s.row(caller.HashSubject(tenant, subject), issuedBefore.UnixMilli(), s.lifetime(tenant))
	_, err := s.end(ctx, r, s.opts.Max, caller.EndedByBackChannel, nil)
	return err
}

// row lives longer by what another replica may need to learn of it, and may create grants until then.
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

// end puts the row into memory, which may hold up to limit already, before it is written: a grant that is created
// meanwhile is then seen by whoever asks afterwards to be an ended session's. The revocation, nil for none, is of the
// same batch.
func (s *Set) end(ctx context.Context, r models.Ended, limit int, reason string, revocation *models.Revocation) (models.Result, error) {
	if _, known := s.table(r).get(r.ID); !known && s.size() >= limit {
		return models.Result{}, fault.New(fault.LimitExceeded, "More sessions have ended of late than the gateway may keep in mind.")
	}
	s.put(r)
	// A caller that leaves doesn't stop it: memory says so already, and the other replicas must learn of it.
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

// write commits a batch. Where there is a row of the same ID, the wider of the two stays. Its error is a fault UNAVAILABLE.
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
		return &s.whole
	}
	return &s.dated
}

func (s *Set) put(r models.Ended) { s.table(r).put(r.ID, entry{r.IssuedBefore, r.ExpiresAt}) }

func (s *Set) size() int { return int(s.whole.n.Load() + s.dated.n.Load()) }

// unavailable hides what the database said; the log keeps it.
func unavailable(err error) error {
	return fault.Wrap(err, fault.Unavailable, "The gateway can't do this at the moment: try again.")
}
