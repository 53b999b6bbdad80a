package sqlite

import (
	"database/sql"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// Grants on many tokens that begin and end together are stored as lists of tokens: a thousand grants are sixteen
// neighbouring rows. As separate rows each would change another page of an index (docs/adr/0013). A list is never changed:
// another list extends it. A grant's end is the latest of all lists that contain the token.
const (
	minList  = 64 // fewest grants of one call and one session, with the same ends, that become a list
	maxLists = 64 // of one session and bucket, so that the time of a read stays bounded; further lists become rows
)

// grantList is one row of the table grant_lists.
type grantList struct {
	id         int64
	session    ids.SessionHash
	readUntil  int64
	storeUntil int64
	tokens     tokenSet // of one bucket
}

func (l *grantList) expiresAt() int64 { return max(l.readUntil, l.storeUntil) }

func (l *grantList) bucket() string { return bucketOf(l.tokens[0]) }

// rows returns the list's grants as rows.
func (l *grantList) rows() []models.Grant {
	rows := make([]models.Grant, l.tokens.len())
	for i := range rows {
		rows[i] = models.Grant{SessionID: l.session, TokenID: l.tokens.at(i), ReadUntil: l.readUntil, StoreUntil: l.storeUntil, ExpiresAt: l.expiresAt()}
	}
	return rows
}

// takeLists makes lists of grants that end together, if there are at least minList, and returns the others unchanged.
func takeLists(grants []models.Grant) (lists []grantList, others []models.Grant) {
	if len(grants) < minList {
		return nil, grants
	}
	together := map[models.Grant][]ids.Digest{} // by session and ends
	for _, g := range grants {
		id := g.TokenID
		g.TokenID = ids.Digest{}
		together[g] = append(together[g], id)
	}
	for g, ids := range together {
		if len(ids) < minList {
			for _, g.TokenID = range ids {
				others = append(others, g)
			}
			continue
		}
		for _, tokens := range newTokenSet(ids).buckets() {
			lists = append(lists, grantList{session: g.SessionID, readUntil: g.ReadUntil, storeUntil: g.StoreUntil, tokens: tokens})
		}
	}
	return lists, others
}

// saveLists stores lists, and removes stored lists that they cover. If a session has too many lists already, it returns
// the grants of the new list as rows.
func saveLists(tx *gorm.DB, lists []grantList) (rows []models.Grant, err error) {
	var sessions []ids.SessionHash
	for i := range lists {
		if i == 0 || lists[i].session != lists[i-1].session {
			sessions = append(sessions, lists[i].session)
		}
	}
	in, arg := idList(sessions)
	have, err := selectLists(tx, `SELECT `+listColumns+` FROM grant_lists WHERE session_id IN `+in, arg)
	if err != nil {
		return nil, err
	}
	type place struct {
		session ids.SessionHash
		bucket  string
	}
	places := make(map[place][]grantList, len(lists))
	for _, l := range have {
		p := place{l.session, l.bucket()}
		places[p] = append(places[p], l)
	}
	var covered []int64
	var added []grantList
	for _, l := range lists {
		p := place{l.session, l.bucket()}
		places[p] = slices.DeleteFunc(places[p], func(old grantList) bool {
			replaced := old.id != 0 && old.readUntil <= l.readUntil && old.storeUntil <= l.storeUntil && old.tokens.within(l.tokens)
			if replaced {
				covered = append(covered, old.id)
			}
			return replaced
		})
		if len(places[p]) >= maxLists {
			rows = append(rows, l.rows()...)
			continue
		}
		places[p], added = append(places[p], l), append(added, l)
	}
	return rows, replaceLists(tx, covered, added)
}

// By hand, here and for all reads of lists: BenchmarkSaveGrants, BenchmarkRevokeGrants.
const (
	listColumns = `id, session_id, read_until, store_until, tokens`

	// The tokens of all lists are one blob, cut by substr.
	insertListsSQL = `INSERT INTO grant_lists (session_id, bucket, read_until, store_until, expires_at, tokens)
SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, substr(?, value->>5, value->>6) FROM json_each(?)`

	deleteListsSQL = `DELETE FROM grant_lists WHERE id IN (SELECT value FROM json_each(?))`
)

// replaceLists removes lists with one statement, and inserts lists with another.
func replaceLists(tx *gorm.DB, removed []int64, added []grantList) error {
	if len(removed) > 0 {
		if err := execute(tx, deleteListsSQL, numberList(removed)); err != nil {
			return err
		}
	}
	if len(added) == 0 {
		return nil
	}
	tokens := make([]byte, 0, len(added)*len(added[0].tokens))
	b := make([]byte, 0, 160*len(added))
	for i := range added {
		l := &added[i]
		b = appendHex(append(b, ",["...), l.session[:])
		b = append(append(append(b, `,"`...), l.bucket()...), '"')
		for _, n := range []int64{l.readUntil, l.storeUntil, l.expiresAt(), int64(len(tokens)) + 1, int64(len(l.tokens))} {
			b = strconv.AppendInt(append(b, ','), n, 10)
		}
		b = append(b, ']')
		tokens = append(tokens, l.tokens...)
	}
	return execute(tx, insertListsSQL, tokens, jsonArray(b))
}

// selectLists runs a query that returns listColumns.
func selectLists(tx *gorm.DB, text string, args ...any) ([]grantList, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, text, args...)
	if err != nil {
		return nil, err
	}
	return scanLists(rows)
}

func scanLists(rows *sql.Rows) (lists []grantList, err error) {
	defer rows.Close()
	for rows.Next() {
		var l grantList
		if err := rows.Scan(&l.id, &l.session, &l.readUntil, &l.storeUntil, (*[]byte)(&l.tokens)); err != nil {
			return nil, err
		}
		if l.tokens.len() == 0 {
			return nil, errNoDigests
		}
		lists = append(lists, l)
	}
	return lists, rows.Err()
}

func numberList(numbers []int64) string {
	b := make([]byte, 0, 20*len(numbers))
	for _, n := range numbers {
		b = strconv.AppendInt(append(b, ','), n, 10)
	}
	return jsonArray(b)
}
