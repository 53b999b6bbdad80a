package models

import (
	"math/bits"
	"strings"

	"gorm.io/gorm"
)

// maxRows bounds the rows of one statement. Statements hold a power of two of them, so that few
// distinct texts exist, and each is prepared once.
const maxRows = 256

const (
	insertTokensSQL = `INSERT INTO tokens (id, tenant, object, sealed, created_at, expires_at, upload_until, purge_at) VALUES `
	upsertGrantsSQL = `INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at) VALUES `

	// A grant that exists is extended, never shortened.
	extendGrantSQL = ` ON CONFLICT (session_id, token_id) DO UPDATE SET
 read_until = CASE WHEN excluded.read_until > grants.read_until THEN excluded.read_until ELSE grants.read_until END,
 store_until = CASE WHEN excluded.store_until > grants.store_until THEN excluded.store_until ELSE grants.store_until END,
 expires_at = CASE WHEN excluded.expires_at > grants.expires_at THEN excluded.expires_at ELSE grants.expires_at END`
)

func insertRows(tx *gorm.DB, tokens []Token, grants []Grant) error {
	err := inChunks(tokens, func(chunk []Token) error {
		args := make([]any, 0, 8*len(chunk))
		for i := range chunk {
			t := &chunk[i]
			args = append(args, t.ID, t.Tenant, t.Object, t.Sealed, t.CreatedAt, t.ExpiresAt, t.UploadUntil, t.PurgeAt)
		}
		return tx.Exec(insertTokensSQL+rowsOf(8, len(chunk)), args...).Error
	})
	if err != nil {
		return err
	}
	return inChunks(mergeGrants(grants), func(chunk []Grant) error {
		args := make([]any, 0, 5*len(chunk))
		for i := range chunk {
			g := &chunk[i]
			args = append(args, g.SessionID, g.TokenID, g.ReadUntil, g.StoreUntil, g.ExpiresAt)
		}
		return tx.Exec(upsertGrantsSQL+rowsOf(5, len(chunk))+extendGrantSQL, args...).Error
	})
}

// mergeGrants leaves one row for each session and token: no engine lets a statement upsert a row twice.
func mergeGrants(grants []Grant) []Grant {
	type key struct{ session, token Digest }
	seen := make(map[key]int, len(grants))
	merged := make([]Grant, 0, len(grants))
	for _, g := range grants {
		k := key{g.SessionID, g.TokenID}
		i, ok := seen[k]
		if !ok {
			seen[k] = len(merged)
			merged = append(merged, g)
			continue
		}
		m := &merged[i]
		m.ReadUntil = max(m.ReadUntil, g.ReadUntil)
		m.StoreUntil = max(m.StoreUntil, g.StoreUntil)
		m.ExpiresAt = max(m.ExpiresAt, g.ExpiresAt)
	}
	return merged
}

// inChunks calls f with consecutive parts of rows, each a power of two long.
func inChunks[T any](rows []T, f func([]T) error) error {
	for len(rows) > 0 {
		n := min(maxRows, 1<<(bits.Len(uint(len(rows)))-1))
		if err := f(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// rowsOf returns the placeholders of n rows: (?,?),(?,?).
func rowsOf(columns, n int) string {
	row := "(" + strings.Repeat("?,", columns-1) + "?)"
	return strings.Repeat(row+",", n-1) + row
}

// inList returns the placeholders and arguments of an IN list. It is padded to a power of two by
// repeating the last member, which changes nothing but the number of distinct statements.
func inList(ids []Digest) (placeholders string, args []any) {
	n := 1 << bits.Len(uint(len(ids)-1))
	args = make([]any, n)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return "(" + strings.Repeat("?,", n-1) + "?)", args
}
