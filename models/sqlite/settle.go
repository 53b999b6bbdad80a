package sqlite

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// Settle implements models.Rows. Pages are overwritten in the database at once (secure_delete), but the log that SQLite
// writes ahead keeps the older ones until it is used again. While a reader holds the log, nothing is done, and the next
// call tries again. So it is while the disk is full: the log would give up its room, which others could take.
func (db *DB) Settle(ctx context.Context) error {
	if !db.reserve.spare() || !db.queue.destroyed.Swap(false) {
		return nil
	}
	busy := make(chan int, 1) // the caller may leave, while the writer goes on
	err := db.queue.alone(ctx, func(w *gorm.DB) error {
		var held, frames, done int
		if err := w.Raw("PRAGMA wal_checkpoint(TRUNCATE)").Row().Scan(&held, &frames, &done); err != nil {
			return err
		}
		busy <- held
		if err := db.reserve.ensure(w, 0); !errors.Is(err, models.ErrFull) {
			return err
		}
		return nil
	})
	if err != nil || <-busy != 0 {
		db.queue.destroyed.Store(true)
	}
	return err
}
