package sqlite

import (
	"context"
	"maps"
	"slices"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// There is no index from a token to the lists that contain it. A revocation by tokens, for every session, first reads all
// lists of the tokens' buckets with a reader. The writer then reads only the lists that were found and those that were
// created since: ids ascend in the order of commits, and a list that replaces another has a new id.

// listBatch is the number of lists that one statement reads, so that no reader holds the log for long.
const listBatch = 1000

// candidates are lists that may contain the tokens of a revocation.
type candidates struct {
	ids  []int64
	seen int64 // all lists up to this id were read
}

// findLists finds the lists, of every session, that contain one of the tokens.
func (db *DB) findLists(ctx context.Context, tokens []ids.Digest) (s candidates, err error) {
	wanted := newMembers(tokens)
	for {
		rows, err := db.query(ctx, `SELECT `+listColumns+` FROM grant_lists
WHERE id > ? AND bucket IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?`, []any{s.seen, bucketList(tokens), listBatch})
		if err != nil {
			return s, err
		}
		lists, err := scanLists(rows)
		if err != nil {
			return s, err
		}
		for i := range lists {
			if matching, _ := lists[i].tokens.split(wanted.has); len(matching) > 0 {
				s.ids = append(s.ids, lists[i].id)
			}
			s.seen = lists[i].id
		}
		if len(lists) < listBatch {
			return s, nil
		}
	}
}

// lists returns the lists that the revocation may change.
func (f *revocation) lists(tx *gorm.DB, s candidates) ([]grantList, error) {
	const all = `SELECT ` + listColumns + ` FROM grant_lists WHERE `
	switch {
	case f.Tokens == nil:
		return selectLists(tx, all+`session_id = ?`, *f.Session)
	case f.Session != nil:
		return selectLists(tx, all+`session_id = ? AND bucket IN (SELECT value FROM json_each(?))`, *f.Session, bucketList(f.Tokens))
	default:
		return selectLists(tx, all+`id IN (SELECT value FROM json_each(?)) UNION ALL `+all+`id > ? AND bucket IN (SELECT value FROM json_each(?))`,
			numberList(s.ids), s.seen, bucketList(f.Tokens))
	}
}

// revokeLists removes the matching grants from lists, and returns how many were in force by a list alone. Grants that
// are in force by a row too are counted with the rows.
func (f *revocation) revokeLists(tx *gorm.DB, lists []grantList) (revoked int, err error) {
	lists = slices.DeleteFunc(lists, func(l grantList) bool { return !f.concerns(l.readUntil, l.storeUntil) })
	rows, revoked, err := f.countListed(tx, lists)
	if err != nil {
		return 0, err
	}
	return revoked, f.rewrite(tx, lists, rows)
}

// concerns reports whether a grant of one of the kinds is in force.
func (f *revocation) concerns(readUntil, storeUntil int64) bool {
	return f.Kinds != ids.Store && readUntil > f.now || f.Kinds != ids.Read && storeUntil > f.now
}

// countListed returns the matching grants of lists whose tokens exist and belong to the tenant, with their ends in the
// table grants, and how many are in force by a list alone.
func (f *revocation) countListed(tx *gorm.DB, lists []grantList) (rows map[pair]models.TokenGrant, n int, err error) {
	matches := func(ids.Digest) bool { return true }
	if f.Tokens != nil {
		matches = newMembers(f.Tokens).has
	}
	listed := map[pair]models.TokenGrant{}
	for i := range lists {
		l := &lists[i]
		matching, _ := l.tokens.split(matches)
		for j := range matching.len() {
			p := pair{l.session, matching.at(j)}
			g := listed[p]
			listed[p] = models.TokenGrant{ReadUntil: max(g.ReadUntil, l.readUntil), StoreUntil: max(g.StoreUntil, l.storeUntil)}
		}
	}
	if len(listed) == 0 {
		return nil, 0, nil
	}
	if rows, err = grantsOf(tx, f.Tenant, listed); err != nil {
		return nil, 0, err
	}
	for p, row := range rows {
		if f.Kinds != ids.Store && listed[p].ReadUntil > f.now && row.ReadUntil <= f.now {
			n++
		}
		if f.Kinds != ids.Read && listed[p].StoreUntil > f.now && row.StoreUntil <= f.now {
			n++
		}
	}
	return rows, n, nil
}

// pair is a session and a token.
type pair struct {
	session ids.SessionHash
	token   ids.Digest
}

// pairList returns a JSON list of pairs in hexadecimal.
func pairList(pairs []pair) string {
	b := make([]byte, 0, 140*len(pairs))
	for i := range pairs {
		b = appendHex(append(b, ",["...), pairs[i].session[:])
		b = append(appendHex(append(b, ','), pairs[i].token[:]), ']')
	}
	return jsonArray(b)
}

// grantsOf returns the listed grants whose tokens exist and belong to the tenant, with their ends in the table grants.
//
// By hand: BenchmarkRevokeGrants.
func grantsOf(tx *gorm.DB, tenant string, listed map[pair]models.TokenGrant) (map[pair]models.TokenGrant, error) {
	found, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, `SELECT i.session_id, t.id, COALESCE(g.read_until, 0), COALESCE(g.store_until, 0)
FROM (SELECT unhex(value->>0) AS session_id, unhex(value->>1) AS token_id FROM json_each(?)) i CROSS JOIN tokens t ON t.id = i.token_id
LEFT JOIN grants g ON g.session_id = i.session_id AND g.token_id = i.token_id WHERE t.tenant = ? AND (t.sealed IS NOT NULL OR t.master_key <> 0)`, pairList(slices.Collect(maps.Keys(listed))), tenant)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	rows := make(map[pair]models.TokenGrant, len(listed))
	for found.Next() {
		var p pair
		var g models.TokenGrant
		if err := found.Scan(&p.session, &p.token, &g.ReadUntil, &g.StoreUntil); err != nil {
			return nil, err
		}
		rows[p] = g
	}
	return rows, found.Err()
}

// rewrite replaces each list by what is left of it. Tokens that keep their other kind become a list, or rows if they are
// few.
func (f *revocation) rewrite(tx *gorm.DB, lists []grantList, rows map[pair]models.TokenGrant) error {
	var removed []int64
	var added []grantList
	var asRows []models.Grant
	for _, l := range lists {
		matching, others := l.tokens, tokenSet(nil)
		if f.Tokens != nil {
			matching, others = l.tokens.split(func(id ids.Digest) bool {
				_, ok := rows[pair{l.session, id}]
				return ok
			})
		}
		if len(matching) == 0 {
			continue
		}
		removed = append(removed, l.id)
		if len(others) > 0 {
			rest := l
			rest.tokens = others
			added = append(added, rest)
		}
		keeps := l
		keeps.tokens = matching
		if f.Kinds != ids.Store {
			keeps.readUntil = 0
		}
		if f.Kinds != ids.Read {
			keeps.storeUntil = 0
		}
		switch {
		case keeps.expiresAt() <= f.now:
		case len(others) == 0 || matching.len() >= minList:
			added = append(added, keeps)
		default:
			asRows = append(asRows, keeps.rows()...)
		}
	}
	if err := replaceLists(tx, removed, added); err != nil || len(asRows) == 0 {
		return err
	}
	return upsertGrants(tx, asRows)
}
