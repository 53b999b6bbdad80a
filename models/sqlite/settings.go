package sqlite

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// Setting implements models.Rows.
func (db *DB) Setting(ctx context.Context, name string, initial []byte) ([]byte, error) {
	kept := make(chan []byte, 2) // the writer may run it twice; the caller may have left
	err := db.queue.do(ctx, func(tx *gorm.DB) error {
		s := models.Setting{Name: name, Value: initial}
		err := tx.Where("name = ?", name).Take(&s).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = tx.Create(&s).Error
		}
		if err == nil {
			kept <- s.Value
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return latest(kept), nil
}
