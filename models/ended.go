package models

import (
	"context"

	"gorm.io/gorm"
)

// Ended is one row of the table ended: credentials that bear the ID are refused, if they were issued
// before a moment.
type Ended struct {
	ID           Digest `gorm:"primaryKey"` // of a session, a sign-in or a subject
	IssuedBefore int64
	EndedAt      int64
	ExpiresAt    int64
}

// What has ended stays so: of two rows for one ID, the wider holds. The newer moment makes every replica
// read the row again.
const upsertEndedSQL = `INSERT INTO ended (id, issued_before, ended_at, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
issued_before = CASE WHEN excluded.issued_before > ended.issued_before THEN excluded.issued_before ELSE ended.issued_before END,
ended_at = CASE WHEN excluded.ended_at > ended.ended_at THEN excluded.ended_at ELSE ended.ended_at END,
expires_at = CASE WHEN excluded.expires_at > ended.expires_at THEN excluded.expires_at ELSE ended.expires_at END`

func upsertEnded(tx *gorm.DB, e Ended) error {
	return execute(tx, upsertEndedSQL, e.ID, e.IssuedBefore, e.EndedAt, e.ExpiresAt)
}

// End notes what has ended. The note is durable when it returns nil; when ctx ends first it may be or not.
func (db *DB) End(ctx context.Context, e Ended) error {
	return db.queue.do(ctx, func(tx *gorm.DB) error { return upsertEnded(tx, e) })
}

// EndSession notes that a tenant's session, e.ID, has ended, and revokes its grants, in one transaction.
// It returns how many grants were in force at the moment e.EndedAt. When ctx ends first both may have
// happened, or neither. On a full disk the note comes first, by itself: the session has ended once it is durable, and
// nil is returned whatever becomes of the grants. Those for which there is no room stay, and the note outlives them.
func (db *DB) EndSession(ctx context.Context, tenant string, e Ended) (int, error) {
	f := GrantFilter{Session: &e.ID}
	if db.reserve.spare() {
		revoked := 0
		err := db.queue.do(ctx, func(tx *gorm.DB) (err error) {
			if err = upsertEnded(tx, e); err != nil {
				return err
			}
			revoked, err = revokeGrants(tx, tenant, f, suspects{}, e.EndedAt)
			return err
		})
		switch {
		case err == nil:
			return revoked, nil
		case !isFull(err): // the caller may have left, while the writer goes on counting
			return 0, err
		}
	}
	err := db.queue.do(ctx, func(tx *gorm.DB) error { return endBeforeGrants(tx, e) })
	if err != nil {
		return 0, err
	}
	revoked, _ := db.revoke(ctx, tenant, f, suspects{}, e.EndedAt)
	return revoked, nil
}

const lastGrantSQL = `SELECT MAX((SELECT COALESCE(MAX(expires_at), 0) FROM grants WHERE session_id = ?),
(SELECT COALESCE(MAX(expires_at), 0) FROM grant_lists WHERE session_id = ?))`

// endBeforeGrants writes a note that lives longer than every grant that the session has.
func endBeforeGrants(tx *gorm.DB, e Ended) error {
	var last int64
	if err := tx.Raw(lastGrantSQL, e.ID, e.ID).Scan(&last).Error; err != nil {
		return err
	}
	e.ExpiresAt = max(e.ExpiresAt, last+1)
	return upsertEnded(tx, e)
}

// endedPage bounds what one statement of EndedSince returns, so that no reader holds the database long.
const endedPage = 5000

// EndedSince calls each for every row with EndedAt at or after the moment since that has not expired at the
// moment now, in the order of EndedAt.
func (db *DB) EndedSince(ctx context.Context, since, now int64, each func(Ended)) error {
	last := Ended{EndedAt: since} // the zero ID comes before all others
	for {
		page, err := db.endedPage(ctx, last, now)
		if err != nil {
			return err
		}
		for _, e := range page {
			each(e)
		}
		if len(page) < endedPage {
			return nil
		}
		last = page[len(page)-1]
	}
}

func (db *DB) endedPage(ctx context.Context, after Ended, now int64) ([]Ended, error) {
	rows, err := db.query(ctx, `SELECT id, issued_before, ended_at, expires_at FROM ended
WHERE (ended_at, id) > (?, ?) AND expires_at > ? ORDER BY ended_at, id LIMIT ?`, []any{after.EndedAt, after.ID, now, endedPage})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []Ended
	for rows.Next() {
		var e Ended
		if err := rows.Scan(&e.ID, &e.IssuedBefore, &e.EndedAt, &e.ExpiresAt); err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, rows.Err()
}

// SweepEnded removes up to limit rows that have expired at the moment now, and returns how many.
func (db *DB) SweepEnded(ctx context.Context, now int64, limit int) (int, error) {
	swept := int64(0)
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		var due []Digest
		err := tx.Raw(`SELECT id FROM ended WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`, now, limit).Scan(&due).Error
		if err != nil || len(due) == 0 {
			return err
		}
		in, list := idList(due)
		r := tx.Exec(`DELETE FROM ended WHERE expires_at <= ? AND id IN `+in, now, list)
		swept = r.RowsAffected
		return r.Error
	})
	if err != nil {
		return 0, err
	}
	return int(swept), nil
}
