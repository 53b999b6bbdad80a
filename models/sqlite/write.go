package sqlite

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// Write implements models.Rows. Batches of concurrent calls share a transaction.
func (db *DB) Write(ctx context.Context, b models.Batch) (models.Result, error) {
	if err := b.Check(); err != nil {
		return models.Result{}, err
	}
	if len(b.Events) > 0 {
		return models.Result{}, models.ErrNoEvents
	}
	if !b.Adds() && !b.Ends() {
		return models.Result{}, ctx.Err()
	}
	r := &request{ctx: ctx, batch: &b, grants: b.Grants}
	if len(b.Tokens) == 0 {
		r.lists, r.grants = takeLists(b.Grants)
	}
	if b.Revoke != nil && b.Revoke.Session == nil {
		var err error
		if r.candidates, err = db.findLists(ctx, b.Revoke.Tokens); err != nil {
			return models.Result{}, err
		}
	}
	if db.endsBeforeGrants(&b) && !db.reserve.hasSpareRoom() {
		return db.endFirst(ctx, r)
	}
	o := db.queue.submit(db.queue.queue, r)
	if isFull(o.err) && !b.Adds() {
		return db.writeInParts(ctx, r, o.err)
	}
	return o.Result, o.err
}

// apply carries out a batch in a transaction.
func (c *committer) apply(tx *gorm.DB, r *request) (done models.Result, err error) {
	b := r.batch
	if err = insertRows(tx, b.Tokens, r.grants, r.lists); err != nil {
		return done, err
	}
	if err = applyUpload(tx, b, &done); err != nil {
		return done, err
	}
	if b.Move != nil {
		if done.Moved, err = moveGrants(tx, b.Move, b.Now); err != nil {
			return done, err
		}
	}
	if len(b.Used) > 0 {
		if done.FirstUse, err = useStates(tx, b.Used); err != nil {
			return done, err
		}
	}
	for _, e := range b.Ended {
		if err = upsertEnded(tx, e); err != nil {
			return done, err
		}
	}
	if err = c.applyEnds(tx, r, &done); err != nil {
		return done, err
	}
	if len(b.Purge) > 0 {
		if err = purge(tx, b.Purge, b.Now); err != nil {
			return done, err
		}
	}
	if len(b.Forget) > 0 {
		err = forgetUploads(tx, b.Forget, b.Now)
	}
	return done, err
}

// applyEnds carries out the revocation, the destruction and the abortion of a batch.
func (c *committer) applyEnds(tx *gorm.DB, r *request, done *models.Result) (err error) {
	b := r.batch
	if b.Revoke != nil {
		f := revocation{*b.Revoke, b.Now}
		if done.Revoked, err = f.revoke(tx, r.candidates); err != nil {
			return err
		}
		if f.endsUploads() {
			if done.Ended, _, err = c.endUploads(tx, f.revokedUploads(), b.Now); err != nil {
				return err
			}
		}
	}
	if b.Destroy != nil {
		ended, destroyed, err := c.destroy(tx, tokensOfTenant(b.Destroy), b.Now, true)
		if err != nil {
			return err
		}
		done.Ended, done.Destroyed = append(done.Ended, ended...), destroyed
	}
	if a := b.Abort; a != nil {
		mine := clause.Expr{SQL: "tenant = ? AND session_id = ? AND token_id = ? AND until > ?", Vars: []any{a.Tenant, a.Session, a.TokenID, b.Now}}
		ended, destroyed, err := c.endUploads(tx, mine, b.Now)
		if err != nil {
			return err
		}
		done.Ended, done.Destroyed = append(done.Ended, ended...), append(done.Destroyed, destroyed...)
	}
	return nil
}

// applyAll carries out the batches of a group in a transaction. Neighbours that only insert are merged.
func (c *committer) applyAll(tx *gorm.DB, group []*request, results []models.Result) (err error) {
	for i := 0; i < len(group); {
		end := i
		var merged request
		merged.batch = &models.Batch{}
		for ; end < len(group) && group[end].inserts(); end++ {
			merged.batch.Tokens = append(merged.batch.Tokens, group[end].batch.Tokens...)
			merged.grants = append(merged.grants, group[end].grants...)
			merged.lists = append(merged.lists, group[end].lists...)
		}
		if end > i {
			_, err = c.apply(tx, &merged)
		} else {
			results[i], err = c.apply(tx, group[i])
			end++
		}
		if err != nil {
			return err
		}
		i = end
	}
	return nil
}

// endsBeforeGrants reports whether the batch's Ended may be committed before its grants are revoked.
func (db *DB) endsBeforeGrants(b *models.Batch) bool {
	return len(b.Ended) > 0 && b.Revoke != nil && b.Destroy == nil && b.Abort == nil && len(b.Purge) == 0 && len(b.Forget) == 0 && !b.Adds()
}

// endFirst commits Ended by itself, then revokes the grants. The end holds once Ended is durable, even if some grants can't
// be revoked for lack of room: the row of Ended expires later than they do.
func (db *DB) endFirst(ctx context.Context, r *request) (models.Result, error) {
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		for _, e := range r.batch.Ended {
			if err := endBeforeGrants(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return models.Result{}, err
	}
	revoked, _ := db.revoke(ctx, revocation{*r.batch.Revoke, r.batch.Now}, r.candidates)
	return models.Result{Revoked: revoked}, nil
}

// writeInParts carries out a batch that is too large for one transaction on a full disk; full is that transaction's error.
func (db *DB) writeInParts(ctx context.Context, r *request, full error) (done models.Result, err error) {
	b := r.batch
	switch {
	case db.endsBeforeGrants(b):
		return db.endFirst(ctx, r)
	case b.Abort != nil, len(b.Forget) > 0:
		return done, full
	case b.Revoke != nil && len(b.Ended) == 0 && b.Destroy == nil && len(b.Purge) == 0:
		done.Revoked, err = db.revokeInParts(ctx, revocation{*b.Revoke, b.Now}, r.candidates)
	case b.Destroy != nil && len(b.Ended) == 0 && b.Revoke == nil && len(b.Purge) == 0:
		done.Destroyed, err = db.destroyInParts(ctx, b.Destroy, b.Now)
	default:
		return done, full
	}
	if err != nil {
		return models.Result{}, err
	}
	return done, nil
}

// destroyInParts destroys keys in as many transactions as are needed.
func (db *DB) destroyInParts(ctx context.Context, d *models.Destruction, now int64) (destroyed []models.Token, err error) {
	err = inParts(d.Tokens, len(d.Tokens), func(part []ids.Digest) error {
		some, err := db.destroyPart(ctx, tokensOfTenant(&models.Destruction{Tenant: d.Tenant, Tokens: part}), now, len(part) == 1, db.queue.do)
		destroyed = append(destroyed, some...)
		return err
	})
	return destroyed, err
}
