package sqlite

import (
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
