package sqlite

import (
	"context"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// Sizes of the parts of work that is too large for one transaction on a full disk, where the log's reserve is its limit.
// A part that is too large is halved, down to one.
const (
	listPart = 64
	rowPart  = 1024
	readPart = 10_000 // grants that one statement reads
)

// inParts calls work with one part of a list after the other, and with smaller parts if there is no room.
func inParts[T any](list []T, size int, work func([]T) error) error {
	for len(list) > 0 {
		n := min(size, len(list))
		err := work(list[:n])
		switch {
		case isFull(err) && n > 1:
			size = n / 2
		case err != nil:
			return err
		default:
			list = list[n:]
		}
	}
	return nil
}

// revokeInParts revokes grants in as many transactions as are needed: first grants in lists, then grants in rows, then
// grants created since. It counts first, because a part can't know which grants other parts have counted. With an error
// it returns that number, or 0 if it could not count.
func (db *DB) revokeInParts(ctx context.Context, f revocation, found candidates) (int, error) {
	read := db.read.WithContext(ctx)
	lists, err := f.lists(read, found)
	if err != nil {
		return 0, err
	}
	n, err := f.count(read, lists)
	if err != nil {
		return 0, err
	}
	ids := make([]int64, len(lists))
	for i := range lists {
		ids[i] = lists[i].id
		found.seen = max(found.seen, ids[i])
	}
	err = inParts(ids, listPart, func(part []int64) error {
		return db.queue.do(ctx, func(tx *gorm.DB) error {
			lists, err := selectLists(tx, `SELECT `+listColumns+` FROM grant_lists WHERE id IN (SELECT value FROM json_each(?))`, numberList(part))
			if err == nil {
				_, err = f.revokeLists(tx, lists)
			}
			return err
		})
	})
	if err == nil {
		err = db.revokeRows(ctx, f)
	}
	if err != nil {
		return n, err
	}
	since, err := db.revokeAtOnce(ctx, f, candidates{seen: found.seen})
	return n + since, err
}

// count returns how many of the matching grants are in force, by lists or by rows.
func (f *revocation) count(tx *gorm.DB, lists []grantList) (int, error) {
	_, n, err := f.countListed(tx, lists)
	if err != nil {
		return 0, err
	}
	where, args := f.where()
	for _, column := range f.columns() {
		var rows int64
		if err := tx.Model(&models.Grant{}).Where(column+" > ?", f.now).Where(where, args...).Count(&rows).Error; err != nil {
			return 0, err
		}
		n += int(rows)
	}
	return n, nil
}

// revokeRows revokes the grants that are rows, in parts.
func (db *DB) revokeRows(ctx context.Context, f revocation) error {
	for {
		rows, err := db.matching(ctx, f)
		if err != nil || len(rows) == 0 {
			return err
		}
		err = inParts(rows, rowPart, func(part []pair) error {
			return db.queue.do(ctx, func(tx *gorm.DB) error { return f.revokePairs(tx, part) })
		})
		if err != nil {
			return err
		}
	}
}

// matching returns up to readPart grants that revokePairs changes or removes, so that none is returned again.
func (db *DB) matching(ctx context.Context, f revocation) (found []pair, err error) {
	where, args := f.where()
	due := `read_until <= ? AND store_until <= ?`
	moments := []any{f.now, f.now}
	for _, column := range f.columns() {
		due += ` OR ` + column + ` > ?`
		moments = append(moments, f.now)
	}
	var rows []models.Grant
	err = db.read.WithContext(ctx).Select("session_id", "token_id").Where("("+due+")", moments...).Where(where, args...).Limit(readPart).Find(&rows).Error
	for i := range rows {
		found = append(found, pair{rows[i].SessionID, rows[i].TokenID})
	}
	return found, err
}

func (f *revocation) revokePairs(tx *gorm.DB, pairs []pair) error {
	_, err := f.clear(tx, `(session_id, token_id) IN (SELECT unhex(value->>0), unhex(value->>1) FROM json_each(?))`, pairList(pairs))
	return err
}
