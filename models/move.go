package models

import (
	"context"

	"gorm.io/gorm"
)

// MoveGrants gives a session's grants to another session of the tenant, which keeps what it has: of a grant that both
// have, the later end stays. It returns how many were in force, counting each kind; the first session has none left.
func (db *DB) MoveGrants(ctx context.Context, tenant string, from, to Digest, now int64) (int, error) {
	moved := 0
	err := db.queue.grow(ctx, func(tx *gorm.DB) error {
		if from == to {
			return nil
		}
		f := GrantFilter{Session: &from}
		lists, err := f.lists(tx, suspects{})
		if err != nil {
			return err
		}
		_, listed, err := f.countListed(tx, tenant, lists, now)
		if err != nil {
			return err
		}
		rows := 0
		err = tx.Raw(`SELECT COALESCE(SUM((read_until > ?) + (store_until > ?)), 0) FROM grants WHERE session_id = ?`, now, now, from).Scan(&rows).Error
		if err != nil {
			return err
		}
		moved = listed + rows
		if err := moveLists(tx, lists, to, now); err != nil {
			return err
		}
		if err := execute(tx, moveRowsSQL, to, from); err != nil {
			return err
		}
		return execute(tx, `DELETE FROM grants WHERE session_id = ?`, from)
	})
	if err != nil { // the caller may have left, while the writer goes on
		return 0, err
	}
	return moved, nil
}

const moveRowsSQL = `INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at)
SELECT ?, token_id, read_until, store_until, expires_at FROM grants WHERE session_id = ?` + extendGrantSQL

// moveLists makes the same lists for the other session, as if they were its own and new.
func moveLists(tx *gorm.DB, lists []grantList, to Digest, now int64) error {
	var gone []int64
	var again []grantList
	for _, l := range lists {
		gone = append(gone, l.id)
		if l.expiresAt() > now {
			again = append(again, grantList{session: to, readUntil: l.readUntil, storeUntil: l.storeUntil, tokens: l.tokens})
		}
	}
	if err := replaceLists(tx, gone, nil); err != nil {
		return err
	}
	return insertRows(tx, nil, nil, again)
}
