package models

import (
	"context"
	"maps"
	"slices"

	"gorm.io/gorm"
)

// No index leads from a token to the lists that hold it. Revocation by tokens of every session reads all lists of
// their buckets outside the writer's turn, and leaves to the writer those that it found and those that were made since:
// ids ascend in the order of commits, and what is made of a list has a new one.

// lookBatch is how many lists one statement reads, so that no reader holds up the log for long.
const lookBatch = 1000

// suspects are lists that may hold tokens which are looked for.
type suspects struct {
	ids  []int64
	seen int64 // no list up to this id is left out
}

// look finds the lists, of every session, that hold one of the tokens.
func (db *DB) look(ctx context.Context, tokens []Digest) (s suspects, err error) {
	wanted := newMembers(tokens)
	for {
		rows, err := db.query(ctx, `SELECT `+listColumns+` FROM grant_lists
WHERE id > ? AND bucket IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?`, []any{s.seen, bucketList(tokens), lookBatch})
		if err != nil {
			return s, err
		}
		lists, err := scanLists(rows)
		if err != nil {
			return s, err
		}
		for i := range lists {
			if those, _ := lists[i].tokens.split(wanted.has); len(those) > 0 {
				s.ids = append(s.ids, lists[i].id)
			}
			s.seen = lists[i].id
		}
		if len(lists) < lookBatch {
			return s, nil
		}
	}
}

// lists returns those that may be concerned.
func (f *GrantFilter) lists(tx *gorm.DB, s suspects) ([]grantList, error) {
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

// revokeLists takes the matching grants out of lists, and returns how many were in force and are not in force by a
// row too: those are counted where rows are.
func (f *GrantFilter) revokeLists(tx *gorm.DB, tenant string, lists []grantList, now int64) (revoked int, err error) {
	lists = slices.DeleteFunc(lists, func(l grantList) bool { return !f.concerns(l.readUntil, l.storeUntil, now) })
	own, revoked, err := f.countListed(tx, tenant, lists, now)
	if err != nil {
		return 0, err
	}
	return revoked, f.rewrite(tx, lists, own, now)
}

// concerns reports whether a grant of one of the kinds is in force.
func (f *GrantFilter) concerns(readUntil, storeUntil, now int64) bool {
	return f.Kinds != Store && readUntil > now || f.Kinds != Read && storeUntil > now
}

// countListed returns the matching grants of lists whose tokens exist and are the tenant's, with what rows of their
// own say, and how many are in force by a list alone.
func (f *GrantFilter) countListed(tx *gorm.DB, tenant string, lists []grantList, now int64) (own map[pair]TokenGrant, n int, err error) {
	matches := func(Digest) bool { return true }
	if f.Tokens != nil {
		matches = newMembers(f.Tokens).has
	}
	listed := map[pair]TokenGrant{}
	for i := range lists {
		l := &lists[i]
		those, _ := l.tokens.split(matches)
		for j := range those.len() {
			p := pair{l.session, those.at(j)}
			g := listed[p]
			listed[p] = TokenGrant{ReadUntil: max(g.ReadUntil, l.readUntil), StoreUntil: max(g.StoreUntil, l.storeUntil)}
		}
	}
	if len(listed) == 0 {
		return nil, 0, nil
	}
	if own, err = ownRows(tx, tenant, listed); err != nil {
		return nil, 0, err
	}
	for p, row := range own {
		if f.Kinds != Store && listed[p].ReadUntil > now && row.ReadUntil <= now {
			n++
		}
		if f.Kinds != Read && listed[p].StoreUntil > now && row.StoreUntil <= now {
			n++
		}
	}
	return own, n, nil
}

// pair is a session and a token.
type pair [2]Digest

// pairList returns a JSON list of pairs in hexadecimal.
func pairList(pairs []pair) string {
	b := make([]byte, 0, 140*len(pairs))
	for i := range pairs {
		b = appendHex(append(b, ",["...), pairs[i][0][:])
		b = append(appendHex(append(b, ','), pairs[i][1][:]), ']')
	}
	return list(b)
}

// ownRows returns, of those grants whose tokens exist and are the tenant's, what rows of their own say.
func ownRows(tx *gorm.DB, tenant string, listed map[pair]TokenGrant) (map[pair]TokenGrant, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, `SELECT i.session_id, t.id, COALESCE(g.read_until, 0), COALESCE(g.store_until, 0)
FROM (SELECT unhex(value->>0) AS session_id, unhex(value->>1) AS token_id FROM json_each(?)) i CROSS JOIN tokens t ON t.id = i.token_id
LEFT JOIN grants g ON g.session_id = i.session_id AND g.token_id = i.token_id WHERE t.tenant = ? AND t.sealed IS NOT NULL`, pairList(slices.Collect(maps.Keys(listed))), tenant)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	own := make(map[pair]TokenGrant, len(listed))
	for rows.Next() {
		var p pair
		var g TokenGrant
		if err := rows.Scan(&p[0], &p[1], &g.ReadUntil, &g.StoreUntil); err != nil {
			return nil, err
		}
		own[p] = g
	}
	return own, rows.Err()
}

// rewrite puts in the place of each list what is left of it. Tokens that keep their other kind become a list, or rows
// where they are few.
func (f *GrantFilter) rewrite(tx *gorm.DB, lists []grantList, own map[pair]TokenGrant, now int64) error {
	var gone []int64
	var fresh []grantList
	var rows []Grant
	for _, l := range lists {
		those, others := l.tokens, tokenSet(nil)
		if f.Tokens != nil {
			those, others = l.tokens.split(func(id Digest) bool {
				_, ok := own[pair{l.session, id}]
				return ok
			})
		}
		if len(those) == 0 {
			continue
		}
		gone = append(gone, l.id)
		if len(others) > 0 {
			rest := l
			rest.tokens = others
			fresh = append(fresh, rest)
		}
		keeps := l
		keeps.tokens = those
		if f.Kinds != Store {
			keeps.readUntil = 0
		}
		if f.Kinds != Read {
			keeps.storeUntil = 0
		}
		switch {
		case keeps.expiresAt() <= now:
		case len(others) == 0 || those.len() >= minList:
			fresh = append(fresh, keeps)
		default:
			rows = append(rows, keeps.rows()...)
		}
	}
	if err := replaceLists(tx, gone, fresh); err != nil || len(rows) == 0 {
		return err
	}
	return execute(tx, upsertGrantsSQL, grantRows(mergeGrants(rows)))
}
