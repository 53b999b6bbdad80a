package sqlite

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/models"
)

// upsertEnded inserts a row, or raises each moment of the row that has the ID to the later one. The newer ended_at makes
// every replica read the row again.
func upsertEnded(tx *gorm.DB, e models.Ended) error {
	later := map[string]any{}
	for _, column := range []string{"issued_before", "ended_at", "expires_at"} {
		later[column] = gorm.Expr("CASE WHEN excluded." + column + " > ended." + column + " THEN excluded." + column + " ELSE ended." + column + " END")
	}
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(later)}).Create(&e).Error
}

// endBeforeGrants writes a row that expires later than every grant of the session.
func endBeforeGrants(tx *gorm.DB, e models.Ended) error {
	for _, table := range []string{"grants", "grant_lists"} {
		var last int64
		if err := tx.Table(table).Select("COALESCE(MAX(expires_at), 0)").Where("session_id = ?", e.ID).Scan(&last).Error; err != nil {
			return err
		}
		e.ExpiresAt = max(e.ExpiresAt, last+1)
	}
	return upsertEnded(tx, e)
}

// endedPage is the most rows that one statement of EndedSince returns, so that no reader holds the database long.
const endedPage = 5000

// EndedSince implements models.Rows, one statement for each page.
func (db *DB) EndedSince(ctx context.Context, since, now int64, each func(models.Ended)) error {
	last := models.Ended{EndedAt: since} // the zero ID comes before all others
	for {
		page, err := db.endedPage(ctx, last, now)
		if err != nil {
			return err
		}
		for _, e := range page {
			each(e)
		}
		if len(page) < endedPage {
			return nil
		}
		last = page[len(page)-1]
	}
}

func (db *DB) endedPage(ctx context.Context, after models.Ended, now int64) (page []models.Ended, err error) {
	err = db.read.WithContext(ctx).Where("(ended_at, id) > (?, ?) AND expires_at > ?", after.EndedAt, after.ID, now).
		Order("ended_at, id").Limit(endedPage).Find(&page).Error
	return page, err
}
