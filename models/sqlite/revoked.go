package sqlite

import (
	"context"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// noteRevoked writes the rows that tell of what a batch has ended. On a disk that is nearly full they name no tokens, so that
// they are small: the reserve is for the revocations themselves.
func (c *committer) noteRevoked(tx *gorm.DB, b *models.Batch, done *models.Result) error {
	rows := b.Revoked(done)
	if len(rows) == 0 {
		return nil
	}
	brief := !c.reserve.hasSpareRoom()
	for i := range rows {
		if brief {
			rows[i].Tokens = nil
		}
		if err := tx.Create(&rows[i]).Error; err != nil {
			return err
		}
	}
	return nil
}

// noteParts writes the rows of a batch that was committed in parts, with or without success, after the parts: whoever is told looks
// at once what is still readable. A row that finds no room is left out, because the revocation counts.
func (db *DB) noteParts(ctx context.Context, b *models.Batch, done *models.Result, failed error) {
	told := *done
	if failed != nil && b.Revoke != nil {
		told.Revoked = max(1, told.Revoked) // some may have been
	}
	for _, r := range b.Revoked(&told) {
		r.Tokens = nil
		_ = db.queue.do(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
			row := r // it may run twice
			return tx.Create(&row).Error
		})
	}
}

// revokedPage is the most rows that one statement of RevokedSince returns; a row may have 10,000 tokens.
const revokedPage = 50

// RevokedSince implements models.Rows, one statement for each page.
func (db *DB) RevokedSince(ctx context.Context, after int64, each func(models.Revoked)) error {
	for {
		var page []models.Revoked
		if err := db.read.WithContext(ctx).Where("seq > ?", after).Order("seq").Limit(revokedPage).Find(&page).Error; err != nil {
			return err
		}
		for _, r := range page {
			each(r)
			after = r.Seq
		}
		if len(page) < revokedPage {
			return nil
		}
	}
}

// SweepRevoked implements models.Rows.
func (db *DB) SweepRevoked(ctx context.Context, before int64, limit int) (int, error) {
	return db.sweep(ctx, limit, func(tx *gorm.DB, limit int) *gorm.DB {
		due := tx.Model(&models.Revoked{}).Select("seq").Where("revoked_at <= ?", before).Order("revoked_at").Limit(limit)
		return tx.Where("seq IN (?)", due).Delete(&models.Revoked{})
	})
}
