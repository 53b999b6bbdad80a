package sqlite

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// By hand: BenchmarkInsertTokens, BenchmarkSaveGrants.
//
// Lists reach the engine as one JSON parameter, so that each statement has one text, stays prepared, and
// binds one value: SQLite bounds the parameters of a statement, and its driver looks for each among all.
const (
	insertTokensSQL = `INSERT INTO tokens (id, tenant, object, sealed, created_at, expires_at, upload_until, purge_at, master_key)
SELECT unhex(value->>0), value->>1, value->>2, unhex(value->>3), value->>4, value->>5, value->>6, value->>7, value->>8
FROM json_each(?)`

	// A grant that exists is extended, never shortened.
	upsertGrantsSQL = `INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at)
SELECT unhex(value->>0), unhex(value->>1), value->>2, value->>3, value->>4 FROM json_each(?) WHERE true` + extendGrantSQL

	extendGrantSQL = `
ON CONFLICT (session_id, token_id) DO UPDATE SET
read_until = CASE WHEN excluded.read_until > grants.read_until THEN excluded.read_until ELSE grants.read_until END,
store_until = CASE WHEN excluded.store_until > grants.store_until THEN excluded.store_until ELSE grants.store_until END,
expires_at = CASE WHEN excluded.expires_at > grants.expires_at THEN excluded.expires_at ELSE grants.expires_at END`

	idListSQL = `(SELECT unhex(value) FROM json_each(?))`
)

// insertRows is one statement for each table, however many rows there are.
func insertRows(tx *gorm.DB, tokens []models.Token, grants []models.Grant, lists []grantList) error {
	if len(tokens) > 0 {
		if err := execute(tx, insertTokensSQL, tokenRows(tokens)); err != nil {
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
	if len(grants) > 0 {
		return execute(tx, upsertGrantsSQL, grantRows(mergeGrants(grants)))
	}
	return nil
}

// tokenRows returns a JSON list of rows, in the order of insertTokensSQL.
func tokenRows(tokens []models.Token) string {
	b := make([]byte, 0, 640*len(tokens))
	for i := range tokens {
		t := &tokens[i]
		b = appendHex(append(b, ",["...), t.ID[:])
		b = appendText(append(b, ','), t.Tenant)
		b = appendText(append(b, ','), t.Object)
		b = appendHex(append(b, ','), t.Sealed)
		b = strconv.AppendInt(append(b, ','), t.CreatedAt, 10)
		b = appendMoment(append(b, ','), t.ExpiresAt)
		b = strconv.AppendInt(append(b, ','), t.UploadUntil, 10)
		b = appendMoment(append(b, ','), t.PurgeAt)
		b = append(strconv.AppendUint(append(b, ','), uint64(t.MasterKey), 10), ']')
	}
	return list(b)
}

// grantRows returns a JSON list of rows, in the order of upsertGrantsSQL.
func grantRows(grants []models.Grant) string {
	b := make([]byte, 0, 192*len(grants))
	for i := range grants {
		g := &grants[i]
		b = appendHex(append(b, ",["...), g.SessionID[:])
		b = appendHex(append(b, ','), g.TokenID[:])
		b = strconv.AppendInt(append(b, ','), g.ReadUntil, 10)
		b = strconv.AppendInt(append(b, ','), g.StoreUntil, 10)
		b = append(strconv.AppendInt(append(b, ','), g.ExpiresAt, 10), ']')
	}
	return list(b)
}

// list makes a JSON list of members that each have a comma in front.
func list(members []byte) string {
	if len(members) == 0 {
		return "[]"
	}
	members[0] = '['
	return string(append(members, ']'))
}

func appendHex(b, raw []byte) []byte {
	if raw == nil {
		return append(b, "null"...)
	}
	return append(hex.AppendEncode(append(b, '"'), raw), '"')
}

func appendText(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always can be
	return append(b, quoted...)
}

func appendMoment(b []byte, ms *int64) []byte {
	if ms == nil {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, *ms, 10)
}

// idList returns what follows IN, and its argument.
func idList[D ids.Digest | ids.SessionHash](all []D) (text string, arg any) {
	if len(all) == 1 {
		return "(?)", all[0]
	}
	b := make([]byte, 0, 68*len(all))
	for _, d := range all {
		raw := [32]byte(d)
		b = appendHex(append(b, ','), raw[:])
	}
	return idListSQL, list(b)
}

// idIn is the condition that a column is one of the digests.
func idIn(column string, list []ids.Digest) clause.Expr {
	text, arg := idList(list)
	return clause.Expr{SQL: column + " IN " + text, Vars: []any{arg}}
}

// idSource returns what follows FROM: a table i of each digest once with its place among them, which are sorted; its
// arguments; and the digests. They are one blob, cut by substr: a list in JSON is read in twice the time.
func idSource(all []ids.Digest) (text string, args []any, sorted tokenSet) {
	if len(all) == 1 {
		return `(SELECT ? AS id, 0 AS place) i`, []any{all[0]}, all[0][:]
	}
	sorted = newTokenSet(slices.Clone(all)) // in the order of the tables' keys
	places := list(bytes.Repeat([]byte(",0"), sorted.len()))
	return `(SELECT substr(?, 32 * key + 1, 32) AS id, key AS place FROM json_each(?)) i`, []any{[]byte(sorted), places}, sorted
}

// mergeGrants leaves one row for each session and token, for no engine lets a statement upsert a row twice,
// and puts them in the order of the keys, so that neighbours in the trees are written one after the other.
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
