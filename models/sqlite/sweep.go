package sqlite

import (
	"context"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// sweepPart is the number of rows that one part of a sweep changes. A request waits for one part at most.
const sweepPart = 100

// DueTokens implements models.Rows. It reads the due tokens with a reader, then destroys their keys in parts.
func (db *DB) DueTokens(ctx context.Context, now int64, limit int) (destroyed []models.Token, err error) {
	var due []ids.Digest
	err = db.read.WithContext(ctx).Model(&models.Token{}).Where("purge_at <= ?", now).Order("purge_at").Limit(limit).Pluck("id", &due).Error
	if err != nil {
		return nil, err
	}
	err = inParts(due, sweepPart, func(part []ids.Digest) error {
		stillDue := func(tx *gorm.DB) *gorm.DB { return tx.Where("purge_at <= ?", now).Where(idIn("id", part)) }
		some, err := db.destroyPart(ctx, stillDue, now, len(part) == 1, db.queue.part)
		destroyed = append(destroyed, some...)
		return err
	})
	return destroyed, err
}

// SweepGrants implements models.Rows. A list of grants counts as one row.
func (db *DB) SweepGrants(ctx context.Context, now int64, limit int) (int, error) {
	n, err := db.sweep(ctx, limit, func(tx *gorm.DB, limit int) *gorm.DB {
		due := tx.Model(&models.Grant{}).Select("session_id", "token_id").Where("expires_at <= ?", now).Order("expires_at").Limit(limit)
		return tx.Where("(session_id, token_id) IN (?)", due).Delete(&models.Grant{})
	})
	if err != nil || n == limit {
		return n, err
	}
	lists, err := db.sweep(ctx, limit-n, func(tx *gorm.DB, limit int) *gorm.DB {
		due := tx.Table("grant_lists").Select("id").Where("expires_at <= ?", now).Order("expires_at").Limit(limit)
		return tx.Table("grant_lists").Where("id IN (?)", due).Delete(nil)
	})
	return n + lists, err
}

// SweepEnded implements models.Rows.
func (db *DB) SweepEnded(ctx context.Context, now int64, limit int) (int, error) {
	return db.sweep(ctx, limit, func(tx *gorm.DB, limit int) *gorm.DB {
		due := tx.Model(&models.Ended{}).Select("id").Where("expires_at <= ?", now).Order("expires_at").Limit(limit)
		return tx.Where("id IN (?)", due).Delete(&models.Ended{})
	})
}

// SweepStates implements models.Rows.
func (db *DB) SweepStates(ctx context.Context, now int64, limit int) (int, error) {
	return db.sweep(ctx, limit, func(tx *gorm.DB, limit int) *gorm.DB {
		due := tx.Model(&models.UsedState{}).Select("digest").Where("expires_at <= ?", now).Order("expires_at").Limit(limit)
		return tx.Where("digest IN (?)", due).Delete(&models.UsedState{})
	})
}

// sweep removes up to limit rows in parts, each in its own transaction. If a part does not fit on a full disk, it is
// halved.
func (db *DB) sweep(ctx context.Context, limit int, remove func(tx *gorm.DB, limit int) *gorm.DB) (swept int, err error) {
	size := sweepPart
	for swept < limit {
		part := min(size, limit-swept)
		removed := make(chan int, 2) // the writer may run it twice; the caller may have left
		err = db.queue.part(ctx, func(tx *gorm.DB) error {
			r := remove(tx, part)
			if r.Error == nil {
				removed <- int(r.RowsAffected)
			}
			return r.Error
		})
		if isFull(err) && part > 1 {
			size = part / 2
			continue
		}
		if err != nil {
			return swept, err
		}
		n := latest(removed)
		swept += n
		if n < part {
			break
		}
	}
	return swept, nil
}

// latest returns the value that the last run of the work has sent. The work has succeeded.
func latest[T any](results chan T) T {
	v := <-results
	for {
		select {
		case v = <-results:
		default:
			return v
		}
	}
}
