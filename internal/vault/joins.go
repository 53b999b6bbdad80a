package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// CompletedUpload is a token whose value is complete.
type CompletedUpload struct {
	Token     ids.Token
	ExpiresAt *time.Time // nil: kept until deleted
}

const (
	// listCost is what a call that lists parts is charged in rates.tokens_read: it takes up to ten requests to the store.
	listCost = 10
	// joinTimeout bounds a completion, which goes on if its caller leaves.
	joinTimeout = 10 * time.Minute
	// joinRetry is the time after which a client whose request ended first should ask again.
	joinRetry = 5 * time.Second
	// The most calls at once that list or join parts: each holds a list of up to 10,000 parts, about a MiB.
	maxJoins        = 64
	maxSessionJoins = 4
)

// CompleteUpload joins the parts of the session's upload to a value of size bytes, and gives the session READ and STORE grants. It can
// be repeated, with the same answer and no further grants; also if the gateway ended between the store's answer and its own write.
// The work goes on if ctx ends. Faults: as for UploadParts; BAD_USER_INPUT if parts are missing or wrong: the upload goes on.
func (v *Vault) CompleteUpload(ctx context.Context, token ids.Token, size int64) (CompletedUpload, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return CompletedUpload{}, err
	}
	if err := v.checkMultipartSize(size); err != nil {
		return CompletedUpload{}, fault.At(err, ParamSize)
	}
	if err := v.checkPrefix(token); err != nil {
		return CompletedUpload{}, fault.At(err, ParamTokens)
	}
	if err := v.opts.Rates.Read(c, listCost); err != nil {
		return CompletedUpload{}, err
	}
	row, err := v.upload(ctx, c, token)
	if err != nil {
		return CompletedUpload{}, err
	}
	if row.CompletedAt == 0 {
		err = v.complete(ctx, c, token, row, size)
	} else if row.Size != size {
		err = fault.New(fault.BadUserInput, "The value was completed with another size.").At(ParamSize)
	}
	if err != nil {
		return CompletedUpload{}, err
	}
	out := CompletedUpload{Token: token}
	if e := row.ExpiresAt; e != nil {
		out.ExpiresAt = new(time.UnixMilli(*e).UTC())
	}
	return out, nil
}

// complete waits for the completion of an upload that is under way. Callers with the same token and size share it.
func (v *Vault) complete(ctx context.Context, c *caller.Caller, token ids.Token, row *models.Upload, size int64) error {
	if row.StoreID == "" {
		return errNoUpload
	}
	if row.Size >= 0 && row.Size != size {
		return fault.New(fault.BadUserInput, "The upload was begun for a value of %d bytes.", row.Size).At(ParamSize)
	}
	j, mine := v.joins.begin(joinKey{token.ID(), *c.Session, size})
	if j == nil {
		return errBusy()
	}
	if mine {
		go func() {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), joinTimeout)
			defer cancel()
			v.joins.finish(j, v.join(work, c, token, row, size))
		}()
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		f := fault.Wrap(ctx.Err(), fault.Unavailable, "The parts are being joined: complete the upload again.")
		f.RetryAfter = joinRetry
		return f
	}
}

// join lists, checks and joins the parts, then makes the token readable.
func (v *Vault) join(ctx context.Context, c *caller.Caller, token ids.Token, row *models.Upload, size int64) error {
	s, err := v.openSecret(ctx, row, token)
	if err != nil {
		return err
	}
	m, want := multipart(row, s), s.mode.ObjectSize(size)
	parts, err := v.opts.Objects.ListParts(ctx, m)
	if err == nil {
		if err := v.checkParts(parts, s.mode, want); err != nil {
			return err
		}
		err = v.opts.Objects.CompleteMultipart(ctx, m, parts)
	}
	switch {
	case errors.Is(err, objects.ErrNoUpload), errors.Is(err, objects.ErrObjectExists):
		err = v.joinedBefore(ctx, m, want)
	case errors.Is(err, objects.ErrParts):
		err = fault.Wrap(err, fault.BadUserInput, "A part has changed meanwhile, or the store refuses its size: compare with uploadStatus, and complete again.").At(ParamTokens)
	case err != nil:
		err = storeUnavailable(err)
	}
	if err != nil {
		return err
	}
	if v.opts.Sessions.Ended(*c.Session) {
		return errNoUpload
	}
	now, ms := v.now()
	end := grantEnd(now, v.opts.Limits.DefaultGrant, row.ExpiresAt)
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: ms, Complete: &models.Completion{
		TokenID: row.TokenID, Session: *c.Session, Size: size, UploadUntil: now.Add(completeSlack).UnixMilli(),
		Grant: models.Grant{SessionID: *c.Session, TokenID: row.TokenID, ReadUntil: end, StoreUntil: end, ExpiresAt: end},
	}})
	if err != nil {
		return unavailable(err)
	}
	if !done.Completed {
		return v.completedBefore(ctx, c, token, size)
	}
	v.opts.Observer.GrantsCreated("READ", 1)
	v.opts.Observer.GrantsCreated("STORE", 1)
	return nil
}

// joinedBefore is for a store that has no upload any more: an earlier call has joined it, and its answer was lost or the gateway ended
// before its own write. The object then has the size.
func (v *Vault) joinedBefore(ctx context.Context, m objects.Multipart, want int64) error {
	size, err := v.opts.Objects.Size(ctx, m)
	switch {
	case errors.Is(err, objects.ErrNoObject):
		return errNoUpload
	case err != nil:
		return unavailable(err)
	case size != want:
		return fault.New(fault.BadUserInput, "The parts were joined to a value of another size.").At(ParamSize)
	}
	return nil
}

// completedBefore returns nil if another call, perhaps of another replica, has completed the upload with this size. Otherwise the
// upload has ended meanwhile.
func (v *Vault) completedBefore(ctx context.Context, c *caller.Caller, token ids.Token, size int64) error {
	row, err := v.upload(ctx, c, token)
	if err == nil && (row.CompletedAt == 0 || row.Size != size) {
		err = errNoUpload
	}
	return err
}

// storeUnavailable is unavailable for an error of the store, which may be full.
func storeUnavailable(err error) error {
	f := fault.Wrap(err, fault.Unavailable, "The gateway can't do this at the moment: try again.")
	if errors.Is(err, objects.ErrNoSpace) {
		f.RetryAfter = fullRetry
	}
	return f
}

// errBusy is for a call that finds too many others which list or join parts.
func errBusy() error {
	f := fault.New(fault.Unavailable, "Too many uploads are being completed: try again in a moment.")
	f.RetryAfter = time.Second
	return f
}

// joinKey identifies completions that do the same.
type joinKey struct {
	token   ids.Digest
	session ids.SessionHash
	size    int64
}

// join is a completion in progress; err is set before done is closed.
type join struct {
	key  joinKey
	done chan struct{}
	err  error
}

// joins has the completions in progress, and bounds the calls that list or join parts.
type joins struct {
	mu        sync.Mutex
	all       int
	bySession map[ids.SessionHash]int
	byKey     map[joinKey]*join
}

// enter takes a place, and reports whether there was one.
func (j *joins) enter(s ids.SessionHash) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.take(s)
}

func (j *joins) take(s ids.SessionHash) bool {
	if j.all >= maxJoins || j.bySession[s] >= maxSessionJoins {
		return false
	}
	if j.bySession == nil {
		j.bySession, j.byKey = map[ids.SessionHash]int{}, map[joinKey]*join{}
	}
	j.all++
	j.bySession[s]++
	return true
}

func (j *joins) leave(s ids.SessionHash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.give(s)
}

func (j *joins) give(s ids.SessionHash) {
	j.all--
	if j.bySession[s]--; j.bySession[s] == 0 {
		delete(j.bySession, s)
	}
}

// begin returns the completion in progress for the key, or a new one, which is the caller's; nil: there is no place.
func (j *joins) begin(key joinKey) (one *join, mine bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if one = j.byKey[key]; one != nil {
		return one, false
	}
	if !j.take(key.session) {
		return nil, false
	}
	one = &join{key: key, done: make(chan struct{})}
	j.byKey[key] = one
	return one, true
}

func (j *joins) finish(one *join, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one.err = err
	close(one.done)
	delete(j.byKey, one.key)
	j.give(one.key.session)
}
