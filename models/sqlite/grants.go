package sqlite

import (
	"bytes"
	"context"
	"database/sql"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// By hand: BenchmarkTokenGrants. The subquery is NULL for a session without rows, so the join is skipped.
const (
	tokenGrantsFrom  = `SELECT i.place, t.expires_at, g.read_until, g.store_until, NULL FROM `
	tokenGrantsWhere = ` CROSS JOIN tokens t ON t.id = i.id
LEFT JOIN grants g ON g.session_id = (SELECT session_id FROM grants WHERE session_id = ? LIMIT 1) AND g.token_id = i.id
WHERE t.tenant = ? AND (t.sealed IS NOT NULL OR t.master_key <> 0) AND (t.expires_at IS NULL OR t.expires_at > ?)
UNION ALL SELECT NULL, NULL, l.read_until, l.store_until, l.tokens FROM grant_lists l
WHERE l.session_id = ? AND l.bucket IN (SELECT value FROM json_each(?)) AND l.expires_at > ?`
)

// TokenGrants implements models.Rows. It reads the session's lists once, whatever the number of tokens.
func (db *DB) TokenGrants(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]models.TokenGrant, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	from, args, sorted := idSource(tokens)
	args = append(args, session, tenant, now, session, bucketList(tokens), now)
	rows, err := db.query(ctx, tokenGrantsFrom+from+tokenGrantsWhere, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make([]models.TokenGrant, 0, sorted.len())
	var lists [16][]grantList // by the first hexadecimal digit of their tokens
	var place, expires, read, store sql.NullInt64
	var list sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&place, &expires, &read, &store, &list); err != nil {
			return nil, err
		}
		if place.Valid {
			found = append(found, models.TokenGrant{
				TokenID: sorted.at(int(place.Int64)), TokenExpiresAt: moment(expires), ReadUntil: read.Int64, StoreUntil: store.Int64,
			})
			continue
		}
		if len(list) == 0 || len(list)%digestSize != 0 {
			return nil, errNoDigests
		}
		l := grantList{readUntil: read.Int64, storeUntil: store.Int64, tokens: bytes.Clone(list)}
		lists[list[0]>>4] = append(lists[list[0]>>4], l)
	}
	for i := range found {
		extend(&found[i], lists[found[i].TokenID[0]>>4])
	}
	return found, rows.Err()
}

// moment returns nil for NULL.
func moment(n sql.NullInt64) *int64 {
	if !n.Valid {
		return nil
	}
	return new(n.Int64)
}

// extend raises the grant's ends to the latest of the lists that contain its token.
func extend(g *models.TokenGrant, lists []grantList) {
	for i := range lists {
		l := &lists[i]
		if (l.readUntil > g.ReadUntil || l.storeUntil > g.StoreUntil) && l.tokens.has(g.TokenID) {
			g.ReadUntil, g.StoreUntil = max(g.ReadUntil, l.readUntil), max(g.StoreUntil, l.storeUntil)
		}
	}
}
