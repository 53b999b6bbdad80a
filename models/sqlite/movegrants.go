package sqlite

import (
	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// moveGrants moves a session's grants and uploads to another session, and returns how many were in force.
func moveGrants(tx *gorm.DB, m *models.Move, now int64) (moved int, err error) {
	if m.From == m.To {
		return 0, nil
	}
	f := revocation{models.Revocation{Tenant: m.Tenant, Session: &m.From}, now}
	lists, err := f.lists(tx, candidates{})
	if err != nil {
		return 0, err
	}
	_, listed, err := f.countListed(tx, lists)
	if err != nil {
		return 0, err
	}
	err = tx.Model(&models.Grant{}).Select("COALESCE(SUM(CASE WHEN read_until > ? THEN 1 ELSE 0 END + CASE WHEN store_until > ? THEN 1 ELSE 0 END), 0)", now, now).
		Where("session_id = ?", m.From).Scan(&moved).Error
	if err != nil {
		return 0, err
	}
	if err := moveLists(tx, lists, m.To, now); err != nil {
		return 0, err
	}
	if err := execute(tx, moveRowsSQL, m.To, m.From); err != nil {
		return 0, err
	}
	if err := moveUploads(tx, m); err != nil {
		return 0, err
	}
	return moved + listed, tx.Where("session_id = ?", m.From).Delete(&models.Grant{}).Error
}

// By hand: GORM has no INSERT of a SELECT.
const moveRowsSQL = `INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at)
SELECT ?, token_id, read_until, store_until, expires_at FROM grants WHERE session_id = ?` + extendGrantSQL

// moveLists replaces the lists by new lists of the other session with the same grants.
func moveLists(tx *gorm.DB, lists []grantList, to ids.SessionHash, now int64) error {
	var removed []int64
	var added []grantList
	for _, l := range lists {
		removed = append(removed, l.id)
		if l.expiresAt() > now {
			added = append(added, grantList{session: to, readUntil: l.readUntil, storeUntil: l.storeUntil, tokens: l.tokens})
		}
	}
	if err := replaceLists(tx, removed, nil); err != nil {
		return err
	}
	return insertRows(tx, nil, nil, added)
}
