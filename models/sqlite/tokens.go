package sqlite

import (
	"context"
	"database/sql"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

const tokenColumns = `t.id, t.object, t.sealed, t.created_at, t.expires_at`

// ReadableTokens implements models.Rows. It looks for the grant before the token, so that without a grant an existing
// token takes the same time as an unknown one.
//
// By hand: BenchmarkReadableTokens.
func (db *DB) ReadableTokens(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]models.Token, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	from, args, _ := idSource(tokens)
	args = append(args, session, now, session, now, tenant, now)
	return db.selectTokens(ctx, `SELECT `+tokenColumns+` FROM `+from+`
LEFT JOIN grants g ON g.session_id = ? AND g.token_id = i.id CROSS JOIN tokens t ON t.id = i.id
WHERE (g.read_until > ? OR EXISTS (SELECT 1 FROM grant_lists l
WHERE l.session_id = ? AND l.bucket = substr(hex(i.id), 1, 1) AND l.read_until > ? AND instr(l.tokens, i.id) > 0))
AND t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)`, args)
}

// Tokens implements models.Rows.
//
// By hand: BenchmarkTokens.
func (db *DB) Tokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]models.Token, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	in, list := idList(tokens)
	return db.selectTokens(ctx, `SELECT `+tokenColumns+` FROM tokens t WHERE t.id IN `+in+`
AND t.tenant = ? AND t.sealed IS NOT NULL AND (t.expires_at IS NULL OR t.expires_at > ?)`, []any{list, tenant, now})
}

func (db *DB) selectTokens(ctx context.Context, query string, args []any) ([]models.Token, error) {
	rows, err := db.query(ctx, query, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []models.Token
	for rows.Next() {
		var t models.Token
		var expires sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Object, &t.Sealed, &t.CreatedAt, &expires); err != nil {
			return nil, err
		}
		t.ExpiresAt = moment(expires)
		found = append(found, t)
	}
	return found, rows.Err()
}

// tokenFilter selects tokens to destroy, by a condition on the table.
type tokenFilter func(tx *gorm.DB) *gorm.DB

// stored is the condition for tokens whose keys are not destroyed. While an upload in parts is under way its row has the envelope.
const stored = "(sealed IS NOT NULL OR master_key <> 0)"

// tokensOfTenant selects the tokens of a destruction that belong to its tenant and have their keys.
func tokensOfTenant(d *models.Destruction) tokenFilter {
	return func(tx *gorm.DB) *gorm.DB {
		return tx.Where("tenant = ? AND "+stored, d.Tenant).Where(idIn("id", d.Tokens))
	}
}

// destroy destroys keys, ends the uploads of the tokens and, if grants is set, removes the grants on them.
func (c *committer) destroy(tx *gorm.DB, which tokenFilter, now int64, grants bool) (ended []models.Upload, destroyed []models.Token, err error) {
	err = which(tx.Model(&models.Token{})).Select("id", "object", "upload_until").Find(&destroyed).Error
	if err != nil || len(destroyed) == 0 {
		return nil, nil, err
	}
	c.destroyed.Store(true)
	tokens := make([]ids.Digest, len(destroyed))
	for i := range destroyed {
		tokens[i] = destroyed[i].ID
	}
	err = tx.Model(&models.Token{}).Where(idIn("id", tokens)).Updates(map[string]any{"sealed": nil, "master_key": 0, "purge_at": now}).Error
	if err != nil {
		return nil, nil, err
	}
	if ended, err = dropUploads(tx, tokens, now); err != nil || !grants {
		return ended, destroyed, err
	}
	return ended, destroyed, tx.Where(idIn("token_id", tokens)).Delete(&models.Grant{}).Error
}

// destroyPart has the writer run destroy. On a full disk, if the part is one token (alone), its grants stay.
func (db *DB) destroyPart(ctx context.Context, which tokenFilter, now int64, alone bool, by func(context.Context, func(*gorm.DB) error) error) ([]models.Token, error) {
	destroy := func(grants bool) (destroyed []models.Token, err error) {
		result := make(chan []models.Token, 2) // the writer may run it twice; the caller may have left
		err = by(ctx, func(tx *gorm.DB) error {
			_, destroyed, err := db.queue.destroy(tx, which, now, grants)
			if err == nil {
				result <- destroyed
			}
			return err
		})
		if err == nil {
			destroyed = latest(result)
		}
		return destroyed, err
	}
	destroyed, err := destroy(true)
	if isFull(err) && alone {
		return destroy(false)
	}
	return destroyed, err
}

// purge removes the rows of destroyed tokens. A row stays while an upload may still arrive, so that the sweeper deletes
// the uploaded object too.
func purge(tx *gorm.DB, tokens []ids.Digest, now int64) error {
	destroyed := tx.Where("sealed IS NULL AND master_key = 0").Where(idIn("id", tokens)).Session(&gorm.Session{})
	err := destroyed.Model(&models.Token{}).Where("upload_until > ?", now).Update("purge_at", gorm.Expr("upload_until")).Error
	if err != nil {
		return err
	}
	return destroyed.Where("upload_until <= ?", now).Delete(&models.Token{}).Error
}
