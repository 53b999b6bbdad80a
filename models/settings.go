package models

import (
	"context"

	"gorm.io/gorm"
)

// Setting returns the value kept under name; where there is none it keeps and returns the initial one.
func (db *DB) Setting(ctx context.Context, name string, initial []byte) ([]byte, error) {
	var values [][]byte
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		err := tx.Raw(`SELECT value FROM settings WHERE name = ?`, name).Scan(&values).Error
		if err != nil || len(values) > 0 {
			return err
		}
		values = [][]byte{initial}
		return tx.Exec(`INSERT INTO settings (name, value) VALUES (?, ?)`, name, initial).Error
	})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}
