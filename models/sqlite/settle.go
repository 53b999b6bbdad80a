package sqlite

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// Settle implements models.Rows. SQLite overwrites pages in the database at once (secure_delete), but the write-ahead log
// keeps older versions until it is written again. While a reader holds the log, Settle does nothing, and the next call
// tries again. It does nothing on a full disk either: truncating the log would free room that others could take.
func (db *DB) Settle(ctx context.Context) error {
	if !db.reserve.hasSpareRoom() || !db.queue.destroyed.Swap(false) {
		return nil
	}
	busy := make(chan int, 1) // the caller may leave while the writer goes on
	err := db.queue.withoutTransaction(ctx, func(w *gorm.DB) error {
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
