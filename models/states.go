package models

import (
	"context"

	"gorm.io/gorm"
)

// ConsumeState notes that a sign-in's state has been used, and reports whether this was the first time:
// of any number of concurrent calls, in any number of processes, exactly one is told so. The note is
// durable when it returns; expiresAt is when it may be swept, Unix milliseconds. When ctx ends first the
// state may be used up or not.
func (db *DB) ConsumeState(ctx context.Context, digest Digest, expiresAt int64) (first bool, err error) {
	inserted := int64(0)
	err = db.queue.grow(ctx, func(tx *gorm.DB) error {
		r := tx.Exec(`INSERT INTO sign_in_states (digest, expires_at) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING`, digest, expiresAt)
		inserted = r.RowsAffected
		return r.Error
	})
	if err != nil {
		return false, err
	}
	return inserted == 1, nil
}

// SweepStates removes up to limit notes that have expired at the moment now, and returns how many.
func (db *DB) SweepStates(ctx context.Context, now int64, limit int) (int, error) {
	swept := int64(0)
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		r := tx.Exec(`DELETE FROM sign_in_states WHERE digest IN (SELECT digest FROM sign_in_states WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, now, limit)
		swept = r.RowsAffected
		return r.Error
	})
	if err != nil {
		return 0, err
	}
	return int(swept), nil
}
