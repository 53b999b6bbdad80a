package sqlite

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// By hand: BenchmarkInsertTokens, BenchmarkInsertBatches, BenchmarkSaveGrants.
//
// Each statement inserts one row, with bound values. A statement that inserts several rows and calls a function, such as
// json_each with unhex, may fail half-way, so SQLite first copies each page that it changes (its statement journal, in
// memory). A group of batches changes thousands of pages.
const (
	insertTokenSQL = `INSERT INTO tokens (id, tenant, object, sealed, created_at, expires_at, upload_until, purge_at, master_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

	upsertGrantSQL = `INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at)
VALUES (?, ?, ?, ?, ?)` + extendGrantSQL

	// A grant that exists is extended, never shortened.
	extendGrantSQL = `
ON CONFLICT (session_id, token_id) DO UPDATE SET
read_until = CASE WHEN excluded.read_until > grants.read_until THEN excluded.read_until ELSE grants.read_until END,
store_until = CASE WHEN excluded.store_until > grants.store_until THEN excluded.store_until ELSE grants.store_until END,
expires_at = CASE WHEN excluded.expires_at > grants.expires_at THEN excluded.expires_at ELSE grants.expires_at END`

	idListSQL = `(SELECT unhex(value) FROM json_each(?))`
)

// insertRows adds tokens and lists, and adds or extends grants. After an error some of them may be written: the caller
// rolls the transaction back.
func insertRows(tx *gorm.DB, tokens []models.Token, grants []models.Grant, lists []grantList) error {
	for i := range tokens {
		t := &tokens[i]
		err := execute(tx, insertTokenSQL, t.ID[:], t.Tenant, t.Object, t.Sealed, t.CreatedAt, t.ExpiresAt, t.UploadUntil, t.PurgeAt, int64(t.MasterKey))
		if err != nil {
			return err
		}
	}
	if len(lists) > 0 {
		rows, err := saveLists(tx, lists)
		if err != nil {
			return err
		}
		grants = append(rows, grants...)
	}
	return upsertGrants(tx, grants)
}

func upsertGrants(tx *gorm.DB, grants []models.Grant) error {
	for _, g := range mergeGrants(grants) {
		if err := execute(tx, upsertGrantSQL, g.SessionID[:], g.TokenID[:], g.ReadUntil, g.StoreUntil, g.ExpiresAt); err != nil {
			return err
		}
	}
	return nil
}

// jsonArray makes a JSON list of members that each have a comma in front.
func jsonArray(members []byte) string {
	if len(members) == 0 {
		return "[]"
	}
	members[0] = '['
	return string(append(members, ']'))
}

func appendHex(b, raw []byte) []byte {
	return append(hex.AppendEncode(append(b, '"'), raw), '"')
}

// idList returns the text that follows IN, and its argument.
func idList[D ids.Digest | ids.SessionHash](all []D) (text string, arg any) {
	if len(all) == 1 {
		return "(?)", all[0]
	}
	b := make([]byte, 0, 68*len(all))
	for _, d := range all {
		raw := [32]byte(d)
		b = appendHex(append(b, ','), raw[:])
	}
	return idListSQL, jsonArray(b)
}

// idIn is the condition that a column is one of the digests.
func idIn(column string, list []ids.Digest) clause.Expr {
	text, arg := idList(list)
	return clause.Expr{SQL: column + " IN " + text, Vars: []any{arg}}
}

// idSource returns the text that follows FROM, its arguments, and the digests sorted and without duplicates. The text is a
// table i of the digests and their places in this order. The digests are one blob, cut by substr: JSON takes twice as long.
func idSource(all []ids.Digest) (text string, args []any, sorted tokenSet) {
	if len(all) == 1 {
		return `(SELECT ? AS id, 0 AS place) i`, []any{all[0]}, all[0][:]
	}
	sorted = newTokenSet(slices.Clone(all)) // in the order of the tables' keys
	places := jsonArray(bytes.Repeat([]byte(",0"), sorted.len()))
	return `(SELECT substr(?, 32 * key + 1, 32) AS id, key AS place FROM json_each(?)) i`, []any{[]byte(sorted), places}, sorted
}

// mergeGrants returns one row for each session and token, with the latest ends, in the order of the keys, so that
// neighbours in the B-trees are written one after the other.
func mergeGrants(grants []models.Grant) []models.Grant {
	sorted := slices.Clone(grants)
	slices.SortFunc(sorted, func(a, b models.Grant) int {
		return cmp.Or(bytes.Compare(a.SessionID[:], b.SessionID[:]), bytes.Compare(a.TokenID[:], b.TokenID[:]))
	})
	merged := sorted[:0]
	for _, g := range sorted {
		last := len(merged) - 1
		if last < 0 || merged[last].SessionID != g.SessionID || merged[last].TokenID != g.TokenID {
			merged = append(merged, g)
			continue
		}
		m := &merged[last]
		m.ReadUntil = max(m.ReadUntil, g.ReadUntil)
		m.StoreUntil = max(m.StoreUntil, g.StoreUntil)
		m.ExpiresAt = max(m.ExpiresAt, g.ExpiresAt)
	}
	return merged
}
