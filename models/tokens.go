package models

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// InsertTokens stores tokens, and the grants that come with them, in one transaction that concurrent
// calls share. They are durable when it returns nil.
func (db *DB) InsertTokens(ctx context.Context, tokens []Token, grants []Grant) error {
	return db.queue.insert(ctx, tokens, grants, nil)
}

const tokenColumns = `t.id, t.object, t.sealed, t.created_at, t.expires_at`

// ReadableTokens returns those of a tenant's tokens that the session may READ at the moment now, in no
// order: one statement. It looks for the grant before the token, so that no time is spent on one token that
// is not on another. Only ID, Object, Sealed, CreatedAt and ExpiresAt are set.
func (db *DB) ReadableTokens(ctx context.Context, tenant string, session Digest, ids []Digest, now int64) ([]Token, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	from, args, _ := idSource(ids)
	args = append(args, session, now, session, now, tenant, now)
	return db.selectTokens(ctx, `SELECT `+tokenColumns+` FROM `+from+`
LEFT JOIN grants g ON g.session_id = ? AND g.token_id = i.id CROSS JOIN tokens t ON t.id = i.id
WHERE (g.read_until > ? OR EXISTS (SELECT 1 FROM grant_lists l
WHERE l.session_id = ? AND l.bucket = substr(hex(i.id), 1, 1) AND l.read_until > ? AND instr(l.tokens, i.id) > 0))
AND t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)`, args)
}

// Tokens returns those of a tenant's tokens that exist at the moment now, in no order: one statement.
// Only ID, Object, Sealed, CreatedAt and ExpiresAt are set.
func (db *DB) Tokens(ctx context.Context, tenant string, ids []Digest, now int64) ([]Token, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in, list := idList(ids)
	return db.selectTokens(ctx, `SELECT `+tokenColumns+` FROM tokens t WHERE t.id IN `+in+`
AND t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)`, []any{list, tenant, now})
}

func (db *DB) selectTokens(ctx context.Context, query string, args []any) ([]Token, error) {
	rows, err := db.query(ctx, query, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Token
	for rows.Next() {
		var t Token
		var expires sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Object, &t.Sealed, &t.CreatedAt, &expires); err != nil {
			return nil, err
		}
		t.ExpiresAt = moment(expires)
		found = append(found, t)
	}
	return found, rows.Err()
}

// DestroyTokens destroys the sealed keys of those tokens that are the tenant's, with every grant on
// them, in one transaction, and returns their IDs and objects. The rows stay, for the sweeper to see to
// their objects, until PurgeTokens. On a full disk a long list may be more than one transaction can hold: it is done in
// parts then, and where an error is returned some of the tokens may be destroyed. Where the grants on one token are too
// many, they stay until they expire: without its key they open nothing.
func (db *DB) DestroyTokens(ctx context.Context, tenant string, ids []Digest, now int64) ([]Token, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in, list := idList(ids)
	where, args := `t.tenant = ? AND t.sealed IS NOT NULL AND t.id IN `+in, []any{tenant, list}
	gone, err := db.destroy(ctx, now, where, args, true)
	if !isFull(err) {
		return gone, err
	}
	if len(ids) == 1 {
		return db.destroy(ctx, now, where, args, false)
	}
	half := len(ids) / 2
	if gone, err = db.DestroyTokens(ctx, tenant, ids[:half], now); err != nil {
		return nil, err
	}
	rest, err := db.DestroyTokens(ctx, tenant, ids[half:], now)
	if err != nil {
		return nil, err
	}
	return append(gone, rest...), nil
}

// DueTokens returns up to limit tokens, of all tenants, whose objects are to be deleted at the moment
// now: expired ones, whose keys it destroys first, and those of earlier deletions. On a full disk it returns fewer, as
// DestroyTokens does less at once.
func (db *DB) DueTokens(ctx context.Context, now int64, limit int) ([]Token, error) {
	const where = `t.id IN (SELECT id FROM tokens WHERE purge_at <= ? ORDER BY purge_at LIMIT ?)`
	gone, err := db.destroy(ctx, now, where, []any{now, limit}, true)
	switch {
	case !isFull(err):
		return gone, err
	case limit > 1:
		return db.DueTokens(ctx, now, max(1, limit/16)) // each that fails writes as much as the reserve holds
	}
	return db.destroy(ctx, now, where, []any{now, limit}, false)
}

// destroy destroys keys, and removes the grants on the tokens if it is to.
func (db *DB) destroy(ctx context.Context, now int64, where string, args []any, grants bool) ([]Token, error) {
	var gone []Token
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		gone = nil
		err := tx.Raw(`SELECT t.id, t.object, t.upload_until FROM tokens t WHERE `+where, args...).Scan(&gone).Error
		if err != nil || len(gone) == 0 {
			return err
		}
		db.destroyed.Store(true)
		in, list := idList(idsOf(gone))
		if err := execute(tx, `UPDATE tokens SET sealed = NULL, purge_at = ? WHERE id IN `+in, now, list); err != nil || !grants {
			return err
		}
		return execute(tx, `DELETE FROM grants WHERE token_id IN `+in, list)
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// Settle leaves no copy of destroyed keys in the log that SQLite writes ahead: pages are overwritten in the
// database at once (secure_delete), but the log keeps the older ones until it is used again. While a reader
// holds the log, nothing is done, and the next call tries again. So it is while the disk is full: the log would give
// up its room, which others could take.
func (db *DB) Settle(ctx context.Context) error {
	if !db.reserve.spare() || !db.destroyed.Swap(false) {
		return nil
	}
	var busy, frames, done int
	err := db.queue.alone(ctx, func(w *gorm.DB) error {
		if err := w.Raw("PRAGMA wal_checkpoint(TRUNCATE)").Row().Scan(&busy, &frames, &done); err != nil {
			return err
		}
		if err := db.reserve.ensure(w, 0); !errors.Is(err, ErrFull) {
			return err
		}
		return nil
	})
	if err != nil || busy != 0 {
		db.destroyed.Store(true)
	}
	return err
}

// PurgeTokens notes that the objects of these destroyed tokens have been deleted. A row whose upload may
// still arrive is kept until it can't, so that the sweeper deletes that object too; the others are removed.
func (db *DB) PurgeTokens(ctx context.Context, tokens []Token, now int64) error {
	if len(tokens) == 0 {
		return nil
	}
	return db.queue.do(ctx, func(tx *gorm.DB) error {
		in, list := idList(idsOf(tokens))
		err := execute(tx, `UPDATE tokens SET purge_at = upload_until WHERE sealed IS NULL AND upload_until > ? AND id IN `+in, now, list)
		if err != nil {
			return err
		}
		return execute(tx, `DELETE FROM tokens WHERE sealed IS NULL AND upload_until <= ? AND id IN `+in, now, list)
	})
}

func idsOf(tokens []Token) []Digest {
	ids := make([]Digest, len(tokens))
	for i := range tokens {
		ids[i] = tokens[i].ID
	}
	return ids
}
