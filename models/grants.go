package models

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// SaveGrants creates grants, and extends those that exist; concurrent calls share a transaction. They
// are durable when it returns nil.
func (db *DB) SaveGrants(ctx context.Context, grants []Grant) error {
	if len(grants) == 0 {
		return nil
	}
	return db.queue.insert(ctx, nil, grants)
}

// TokenGrant is what a session may do with one token that exists; its moments may have passed, or be 0.
type TokenGrant struct {
	TokenID        Digest
	TokenExpiresAt *int64
	ReadUntil      int64
	StoreUntil     int64
}

// TokenGrants returns, for those of these tokens that exist and are the tenant's, the session's grants,
// in no order: one statement.
func (db *DB) TokenGrants(ctx context.Context, tenant string, session Digest, ids []Digest, now int64) ([]TokenGrant, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in, list := idList(ids)
	rows, err := db.query(ctx, `SELECT t.id, t.expires_at, COALESCE(g.read_until, 0), COALESCE(g.store_until, 0)
FROM tokens t LEFT JOIN grants g ON g.token_id = t.id AND g.session_id = ? WHERE t.id IN `+in+`
AND t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)`, []any{session, list, tenant, now})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []TokenGrant
	for rows.Next() {
		var g TokenGrant
		if err := rows.Scan(&g.TokenID, &g.TokenExpiresAt, &g.ReadUntil, &g.StoreUntil); err != nil {
			return nil, err
		}
		found = append(found, g)
	}
	return found, rows.Err()
}

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
	revoked := 0
	err := db.queue.do(ctx, func(tx *gorm.DB) (err error) {
		revoked, err = revokeGrants(tx, tenant, f, now)
		return err
	})
	if err != nil { // the caller may have left, while the writer goes on counting
		return 0, err
	}
	return revoked, nil
}

func revokeGrants(tx *gorm.DB, tenant string, f GrantFilter, now int64) (int, error) {
	where, args := f.where(tenant)
	revoked := int64(0)
	for _, column := range f.columns() {
		r := tx.Exec(`UPDATE grants SET `+column+` = 0 WHERE `+column+` > ? AND `+where, append([]any{now}, args...)...)
		if r.Error != nil {
			return 0, r.Error
		}
		revoked += r.RowsAffected
	}
	err := tx.Exec(`DELETE FROM grants WHERE read_until <= ? AND store_until <= ? AND `+where,
		append([]any{now, now}, args...)...).Error
	return int(revoked), err
}

func (f GrantFilter) columns() []string {
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
func (f GrantFilter) where(tenant string) (string, []any) {
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

// SweepGrants removes up to limit grants that have expired at the moment now, and returns how many.
func (db *DB) SweepGrants(ctx context.Context, now int64, limit int) (int, error) {
	swept := int64(0)
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		var due []Grant
		err := tx.Raw(`SELECT session_id, token_id FROM grants WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`, now, limit).
			Scan(&due).Error
		if err != nil {
			return err
		}
		for i := range due {
			r := tx.Exec(`DELETE FROM grants WHERE session_id = ? AND token_id = ? AND expires_at <= ?`,
				due[i].SessionID, due[i].TokenID, now)
			if r.Error != nil {
				return r.Error
			}
			swept += r.RowsAffected
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(swept), nil
}
