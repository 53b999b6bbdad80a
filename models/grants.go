package models

import (
	"bytes"
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// SaveGrants creates grants, and extends those that exist; concurrent calls share a transaction. They
// are durable when it returns nil.
func (db *DB) SaveGrants(ctx context.Context, grants []Grant) error {
	if len(grants) == 0 {
		return nil
	}
	lists, others := takeLists(grants)
	return db.queue.insert(ctx, nil, others, lists)
}

// TokenGrant is what a session may do with one token that exists; its moments may have passed, or be 0.
type TokenGrant struct {
	TokenID        Digest
	TokenExpiresAt *int64
	ReadUntil      int64
	StoreUntil     int64
}

// Where a session has no rows at all, none is looked for: no key is equal to NULL.
const (
	tokenGrantsFrom  = `SELECT i.place, t.expires_at, g.read_until, g.store_until, NULL FROM `
	tokenGrantsWhere = ` CROSS JOIN tokens t ON t.id = i.id
LEFT JOIN grants g ON g.session_id = (SELECT session_id FROM grants WHERE session_id = ? LIMIT 1) AND g.token_id = i.id
WHERE t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)
UNION ALL SELECT NULL, NULL, l.read_until, l.store_until, l.tokens FROM grant_lists l
WHERE l.session_id = ? AND l.bucket IN (SELECT value FROM json_each(?)) AND l.expires_at > ?`
)

// TokenGrants returns, for those of these tokens that exist and are the tenant's, the session's grants,
// in no order: one statement, which reads the session's lists once, whatever the number of tokens.
func (db *DB) TokenGrants(ctx context.Context, tenant string, session Digest, ids []Digest, now int64) ([]TokenGrant, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	from, args, sorted := idSource(ids)
	args = append(args, session, tenant, now, session, bucketList(ids), now)
	rows, err := db.query(ctx, tokenGrantsFrom+from+tokenGrantsWhere, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make([]TokenGrant, 0, sorted.len())
	var lists [16][]grantList // by the first half of a byte
	var place, expires, read, store sql.NullInt64
	var tokens sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&place, &expires, &read, &store, &tokens); err != nil {
			return nil, err
		}
		if place.Valid {
			found = append(found, TokenGrant{sorted.at(int(place.Int64)), moment(expires), read.Int64, store.Int64})
			continue
		}
		if len(tokens) == 0 || len(tokens)%digestSize != 0 {
			return nil, errNoDigests
		}
		l := grantList{readUntil: read.Int64, storeUntil: store.Int64, tokens: bytes.Clone(tokens)}
		lists[tokens[0]>>4] = append(lists[tokens[0]>>4], l)
	}
	for i := range found {
		found[i].extend(lists[found[i].TokenID[0]>>4])
	}
	return found, rows.Err()
}

// moment returns nil for NULL.
func moment(n sql.NullInt64) *int64 {
	if !n.Valid {
		return nil
	}
	return new(n.Int64)
}

// extend raises the ends to those of the lists that hold the token.
func (g *TokenGrant) extend(lists []grantList) {
	for i := range lists {
		l := &lists[i]
		if (l.readUntil > g.ReadUntil || l.storeUntil > g.StoreUntil) && l.tokens.has(g.TokenID) {
			g.ReadUntil, g.StoreUntil = max(g.ReadUntil, l.readUntil), max(g.StoreUntil, l.storeUntil)
		}
	}
}

// SweepGrants removes up to limit rows and lists of grants that have expired at the moment now, and returns how many:
// on a full disk fewer, as many as a transaction can hold.
func (db *DB) SweepGrants(ctx context.Context, now int64, limit int) (int, error) {
	swept := int64(0)
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		swept = 0
		for _, text := range []string{
			`DELETE FROM grants WHERE (session_id, token_id) IN
(SELECT session_id, token_id FROM (SELECT session_id, token_id FROM grants WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) due)`,
			`DELETE FROM grant_lists WHERE id IN (SELECT id FROM (SELECT id FROM grant_lists WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) due)`,
		} {
			r := tx.Exec(text, now, int64(limit)-swept)
			if r.Error != nil {
				return r.Error
			}
			swept += r.RowsAffected
		}
		return nil
	})
	switch {
	case isFull(err) && limit > 1:
		return db.SweepGrants(ctx, now, limit/2)
	case err != nil:
		return 0, err
	}
	return int(swept), nil
}
