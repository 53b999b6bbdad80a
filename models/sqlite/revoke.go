package sqlite

import (
	"context"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// revocation is the revocation of a batch: it revokes grants that are in force at the moment now.
type revocation struct {
	models.Revocation
	now int64
}

// revoke revokes in one transaction, or in parts if that is too large for a full disk. With an error it may return how many
// grants were in force before.
func (db *DB) revoke(ctx context.Context, f revocation, found candidates) (int, error) {
	revoked, err := db.revokeAtOnce(ctx, f, found)
	if isFull(err) {
		return db.revokeInParts(ctx, f, found)
	}
	return revoked, err
}

func (db *DB) revokeAtOnce(ctx context.Context, f revocation, found candidates) (int, error) {
	o := db.queue.submit(db.queue.queue, &request{ctx: ctx, batch: &models.Batch{Now: f.now, Revoke: &f.Revocation}, candidates: found})
	return o.Revoked, o.err
}

// revoke changes the lists that were found or, if the filter names a session, that session's lists, and rows.
func (f *revocation) revoke(tx *gorm.DB, found candidates) (int, error) {
	if f.Tokens != nil && len(f.Tokens) == 0 {
		return 0, nil
	}
	lists, err := f.lists(tx, found)
	if err != nil {
		return 0, err
	}
	revoked, err := f.revokeLists(tx, lists)
	if err != nil {
		return 0, err
	}
	where, args := f.where()
	n, err := f.clear(tx, where, args...)
	return revoked + n, err
}

// clear revokes the grants whose rows match a condition, and returns how many were in force.
func (f *revocation) clear(tx *gorm.DB, where string, args ...any) (n int, err error) {
	for _, column := range f.columns() {
		r := tx.Model(&models.Grant{}).Where(column+" > ?", f.now).Where(where, args...).Update(column, 0)
		if r.Error != nil {
			return 0, r.Error
		}
		n += int(r.RowsAffected)
	}
	return n, tx.Where("read_until <= ? AND store_until <= ?", f.now, f.now).Where(where, args...).Delete(&models.Grant{}).Error
}

func (f *revocation) columns() []string {
	switch f.Kinds {
	case ids.Read:
		return []string{"read_until"}
	case ids.Store:
		return []string{"store_until"}
	default:
		return []string{"read_until", "store_until"}
	}
}

// where returns a condition on rows. A session alone needs no tenant: its hash contains the tenant.
func (f *revocation) where() (string, []any) {
	if f.Tokens == nil {
		return `session_id = ?`, []any{*f.Session}
	}
	in, list := idList(f.Tokens)
	where := `token_id IN (SELECT id FROM tokens WHERE tenant = ? AND id IN ` + in + `)`
	args := []any{f.Tenant, list}
	if f.Session != nil {
		where += ` AND session_id = ?`
		args = append(args, *f.Session)
	}
	return where, args
}
