package models

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// GrantFilter says which grants; each field that is set narrows it.
type GrantFilter struct {
	Session *Digest  // nil: of every session
	Tokens  []Digest // nil: on every token
	Kinds   Kind     // 0: of both kinds
}

// ErrNoFilter is returned where a filter would select every tenant's grants.
var ErrNoFilter = errors.New("models: a filter of grants needs a session or tokens")

// RevokeGrants ends the matching grants on the tenant's tokens and returns how many were in force,
// counting each kind. When ctx ends first they may be revoked or not. On a full disk many grants may be more than one
// transaction can hold: it is done in parts then, and where an error is returned some of them may be revoked.
func (db *DB) RevokeGrants(ctx context.Context, tenant string, f GrantFilter, now int64) (int, error) {
	if f.Session == nil && f.Tokens == nil {
		return 0, ErrNoFilter
	}
	if f.Tokens != nil && len(f.Tokens) == 0 {
		return 0, nil
	}
	var found suspects
	if f.Session == nil {
		var err error
		if found, err = db.look(ctx, f.Tokens); err != nil {
			return 0, err
		}
	}
	revoked, err := db.revoke(ctx, tenant, f, found, now)
	if err != nil {
		return 0, err
	}
	return revoked, nil
}

// revoke does it at once, or in parts. With an error it may return how many were in force before.
func (db *DB) revoke(ctx context.Context, tenant string, f GrantFilter, found suspects, now int64) (int, error) {
	revoked, err := db.revokeAtOnce(ctx, tenant, f, found, now)
	if isFull(err) {
		return db.revokeInParts(ctx, tenant, f, found, now)
	}
	return revoked, err
}

func (db *DB) revokeAtOnce(ctx context.Context, tenant string, f GrantFilter, found suspects, now int64) (int, error) {
	revoked := 0
	err := db.queue.do(ctx, func(tx *gorm.DB) (err error) {
		revoked, err = revokeGrants(tx, tenant, f, found, now)
		return err
	})
	if err != nil { // the caller may have left, while the writer goes on counting
		return 0, err
	}
	return revoked, nil
}

// revokeGrants looks into the lists that were found and, of sessions that the filter names, into all.
func revokeGrants(tx *gorm.DB, tenant string, f GrantFilter, found suspects, now int64) (int, error) {
	lists, err := f.lists(tx, found)
	if err != nil {
		return 0, err
	}
	revoked, err := f.revokeLists(tx, tenant, lists, now)
	if err != nil {
		return 0, err
	}
	where, args := f.where(tenant)
	for _, column := range f.columns() {
		r := tx.Exec(`UPDATE grants SET `+column+` = 0 WHERE `+column+` > ? AND `+where, append([]any{now}, args...)...)
		if r.Error != nil {
			return 0, r.Error
		}
		revoked += int(r.RowsAffected)
	}
	err = tx.Exec(`DELETE FROM grants WHERE read_until <= ? AND store_until <= ? AND `+where,
		append([]any{now, now}, args...)...).Error
	return revoked, err
}

func (f *GrantFilter) columns() []string {
	switch f.Kinds {
	case Read:
		return []string{"read_until"}
	case Store:
		return []string{"store_until"}
	default:
		return []string{"read_until", "store_until"}
	}
}

// where needs no tenant for a session, whose digest contains it.
func (f *GrantFilter) where(tenant string) (string, []any) {
	if f.Tokens == nil {
		return `session_id = ?`, []any{*f.Session}
	}
	in, list := idList(f.Tokens)
	where := `token_id IN (SELECT id FROM tokens WHERE tenant = ? AND id IN ` + in + `)`
	args := []any{tenant, list}
	if f.Session != nil {
		where += ` AND session_id = ?`
		args = append(args, *f.Session)
	}
	return where, args
}
