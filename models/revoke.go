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
// counting each kind. When ctx ends first they may be revoked or not.
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
	where, args := f.where(tenant)
	revoked := int64(0)
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		lists, err := f.lists(tx, found)
		if err != nil {
			return err
		}
		listed, err := f.revokeLists(tx, tenant, lists, now)
		if err != nil {
			return err
		}
		revoked = int64(listed)
		for _, column := range f.columns() {
			r := tx.Exec(`UPDATE grants SET `+column+` = 0 WHERE `+column+` > ? AND `+where, append([]any{now}, args...)...)
			if r.Error != nil {
				return r.Error
			}
			revoked += r.RowsAffected
		}
		return tx.Exec(`DELETE FROM grants WHERE read_until <= ? AND store_until <= ? AND `+where,
			append([]any{now, now}, args...)...).Error
	})
	if err != nil { // the caller may have left, while the writer goes on counting
		return 0, err
	}
	return int(revoked), nil
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
