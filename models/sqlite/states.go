package sqlite

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/models"
)

// useStates stores that the states of sign-ins are used, and returns for each whether this was the first use. Of any
// number of concurrent calls, in any number of processes, exactly one gets true.
func useStates(tx *gorm.DB, used []models.UsedState) (first []bool, err error) {
	first = make([]bool, len(used))
	for i, s := range used {
		r := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&s)
		if r.Error != nil {
			return nil, r.Error
		}
		first[i] = r.RowsAffected == 1
	}
	return first, nil
}

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
