package sqlite

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// sharePart is the part of a tenant's free uploads that one session may have.
const sharePart = 8

// underWay is the condition for uploads that are neither completed nor ended. Those past their Until are ended by the next sweep.
const underWay = "sealed IS NOT NULL"

// Upload implements models.Rows.
func (db *DB) Upload(ctx context.Context, tenant string, session ids.SessionHash, token ids.Digest, now int64) (*models.Upload, error) {
	var found []models.Upload
	err := db.read.WithContext(ctx).Where("token_id = ? AND tenant = ? AND session_id = ? AND until > ?", token, tenant, session, now).
		Where("(" + underWay + " OR completed_at <> 0)").Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// UploadsUnderWay implements models.Rows.
func (db *DB) UploadsUnderWay(ctx context.Context, tenant string, session ids.SessionHash, limit int) (ofSession, ofTenant int, err error) {
	return countUploads(db.read.WithContext(ctx), tenant, session, limit)
}

func countUploads(tx *gorm.DB, tenant string, session ids.SessionHash, limit int) (ofSession, ofTenant int, err error) {
	all := tx.Model(&models.Upload{}).Select("1").Where("tenant = ? AND "+underWay, tenant).Limit(limit).Session(&gorm.Session{})
	for _, c := range []struct {
		into *int
		some *gorm.DB
	}{{&ofSession, all.Where("session_id = ?", session)}, {&ofTenant, all}} {
		if err = tx.Table("(?) u", c.some).Select("COUNT(*)").Scan(c.into).Error; err != nil {
			return 0, 0, err
		}
	}
	return ofSession, ofTenant, nil
}

// uploadParts carries out the parts of a batch that are about one upload, except its abortion.
func applyUpload(tx *gorm.DB, b *models.Batch, done *models.Result) (err error) {
	if b.Begin != nil {
		if err = beginUpload(tx, b.Begin); err != nil {
			return err
		}
	}
	if b.Started != nil {
		r := tx.Model(&models.Upload{}).Where("token_id = ? AND "+underWay, b.Started.TokenID).Update("store_id", b.Started.StoreID)
		if err, done.Started = r.Error, r.RowsAffected == 1; err != nil {
			return err
		}
	}
	if b.Complete != nil {
		done.Completed, err = completeUpload(tx, b.Complete, b.Now)
	}
	return err
}

func beginUpload(tx *gorm.DB, u *models.UploadStart) error {
	session, tenant, err := countUploads(tx, u.Tenant, u.SessionID, u.MaxTenant)
	if err != nil {
		return err
	}
	if free := u.MaxTenant - tenant; free < 1 || session >= u.MaxSession || session >= max(1, free/sharePart) {
		return models.ErrUploads
	}
	return tx.Create(&u.Upload).Error
}

func completeUpload(tx *gorm.DB, c *models.Completion, now int64) (bool, error) {
	var found []models.Upload
	mine := tx.Where("token_id = ? AND session_id = ? AND until > ? AND "+underWay, c.TokenID, c.Session, now).Session(&gorm.Session{})
	if err := mine.Limit(1).Find(&found).Error; err != nil || len(found) == 0 {
		return false, err
	}
	token := tx.Model(&models.Token{}).Where("id = ? AND sealed IS NULL AND master_key <> 0 AND (expires_at IS NULL OR expires_at > ?)", c.TokenID, now).
		Updates(map[string]any{"sealed": found[0].Sealed, "upload_until": c.UploadUntil, "purge_at": gorm.Expr("expires_at")})
	if token.Error != nil || token.RowsAffected == 0 {
		return false, token.Error
	}
	err := mine.Model(&models.Upload{}).Updates(map[string]any{"sealed": nil, "size": c.Size, "completed_at": now}).Error
	if err != nil {
		return false, err
	}
	return true, upsertGrants(tx, []models.Grant{c.Grant})
}

// moveUploads gives a session's uploads to another session.
func moveUploads(tx *gorm.DB, m *models.Move) error {
	return tx.Model(&models.Upload{}).Where("session_id = ? AND tenant = ?", m.From, m.Tenant).Update("session_id", m.To).Error
}

// endUploads ends the uploads that match a condition and are under way, destroys their tokens, and returns both.
func (c *committer) endUploads(tx *gorm.DB, where clause.Expr, now int64) (ended []models.Upload, destroyed []models.Token, err error) {
	var tokens []ids.Digest
	if err = tx.Model(&models.Upload{}).Where(underWay).Where(where).Pluck("token_id", &tokens).Error; err != nil || len(tokens) == 0 {
		return nil, nil, err
	}
	unread := func(tx *gorm.DB) *gorm.DB { return tx.Where(stored).Where(idIn("id", tokens)) }
	return c.destroy(tx, unread, now, true)
}

// revokedUploads is the condition for the uploads that a revocation ends.
func (f *revocation) revokedUploads() clause.Expr {
	e := clause.Expr{SQL: "tenant = ?", Vars: []any{f.Tenant}}
	if f.Session != nil {
		e.SQL, e.Vars = e.SQL+" AND session_id = ?", append(e.Vars, *f.Session)
	}
	if f.Tokens != nil {
		in := idIn("token_id", f.Tokens)
		e.SQL, e.Vars = e.SQL+" AND "+in.SQL, append(e.Vars, in.Vars...)
	}
	return e
}

// endsUploads reports whether the revocation ends the uploads that it selects: one of both kinds does.
func (f *revocation) endsUploads() bool {
	const both = ids.Read | ids.Store
	return (f.Kinds == 0 || f.Kinds&both == both) && (f.Tokens == nil || len(f.Tokens) > 0)
}

// dropUploads makes the uploads of destroyed tokens due, destroys their envelopes, and returns those that the store has not
// completed.
func dropUploads(tx *gorm.DB, tokens []ids.Digest, now int64) (ended []models.Upload, err error) {
	of := tx.Where(idIn("token_id", tokens)).Session(&gorm.Session{})
	var all []models.Upload
	if err = of.Select("token_id", "object", "store_id", "completed_at").Find(&all).Error; err != nil || len(all) == 0 {
		return nil, err
	}
	for i := range all {
		if all[i].CompletedAt == 0 {
			ended = append(ended, all[i])
		}
	}
	over := map[string]any{"sealed": nil, "completed_at": 0, "until": gorm.Expr("MIN(until, ?)", now)}
	return ended, of.Model(&models.Upload{}).Updates(over).Error
}

// DueUploads implements models.Rows. Those that it returns are due behind all others from then on.
func (db *DB) DueUploads(ctx context.Context, now int64, limit int) (found []models.Upload, err error) {
	var due []models.Upload
	err = db.read.WithContext(ctx).Select("token_id", "object", "store_id").Where("until <= ?", now).Order("until").Limit(limit).Find(&due).Error
	if err != nil {
		return nil, err
	}
	err = inParts(due, sweepPart, func(part []models.Upload) error {
		tokens := make([]ids.Digest, len(part))
		for i := range part {
			tokens[i] = part[i].TokenID
		}
		err := db.queue.part(ctx, func(tx *gorm.DB) error {
			db.queue.destroyed.Store(true)
			return tx.Model(&models.Upload{}).Where("until <= ?", now).Where(idIn("token_id", tokens)).
				Updates(map[string]any{"sealed": nil, "completed_at": 0, "until": now}).Error
		})
		if err == nil {
			found = append(found, part...)
		}
		return err
	})
	return found, err
}

// forgetUploads removes the rows of uploads that are over.
func forgetUploads(tx *gorm.DB, tokens []ids.Digest, now int64) error {
	return tx.Where("sealed IS NULL AND completed_at = 0 AND until <= ?", now).Where(idIn("token_id", tokens)).Delete(&models.Upload{}).Error
}
