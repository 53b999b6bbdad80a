package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// filled returns a database with n tokens. The session s has grants on all of them as rows, the session listed has them as
// lists.
func filled(b *testing.B, n int) (db *database, tokens []ids.Digest) {
	db = openSQLite(b)
	rows, names := manyTokens("t", n)
	require.NoError(b, db.InsertTokens(b.Context(), rows, grantsOn("s", noon+100, noon+100, names...)))
	require.NoError(b, db.SaveGrants(b.Context(), grantsOn("listed", noon+100, 0, names...)))
	return db, digests(names...)
}

// BenchmarkInsertTokens writes what tokenize writes: a token with two grants, by concurrent callers.
func BenchmarkInsertTokens(b *testing.B) {
	db := openSQLite(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name := fmt.Sprint(n.Add(1))
			if err := db.InsertTokens(context.Background(), []models.Token{row(name, "clinic")}, []models.Grant{grant(name, name, noon+100, noon+100)}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkInsertBatches writes what tokenizeBatch writes: 100 tokens with two grants each, by concurrent callers.
func BenchmarkInsertBatches(b *testing.B) {
	const batch = 100
	db := openSQLite(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			first := n.Add(batch)
			tokens, grants := make([]models.Token, batch), make([]models.Grant, batch)
			for i := range batch {
				name := fmt.Sprint(first + int64(i))
				tokens[i], grants[i] = row(name, "clinic"), grant(fmt.Sprint(first), name, noon+100, noon+100)
			}
			if err := db.InsertTokens(context.Background(), tokens, grants); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchmarkReads runs a read of 1, 10 and 1,000 tokens by a session with rows, and one with lists.
func benchmarkReads(b *testing.B, read func(db *database, session ids.SessionHash, tokens []ids.Digest) (int, error)) {
	db, all := filled(b, 1000)
	for _, session := range []string{"s", "listed"} {
		for _, n := range []int{1, 10, 1000} {
			b.Run(fmt.Sprint(session, "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if found, err := read(db, hash(session), all[:n]); err != nil || found != n {
						b.Fatal(found, err)
					}
				}
			})
		}
	}
}

func BenchmarkReadableTokens(b *testing.B) {
	benchmarkReads(b, func(db *database, session ids.SessionHash, tokens []ids.Digest) (int, error) {
		rows, err := db.ReadableTokens(context.Background(), "clinic", session, tokens, noon)
		return len(rows), err
	})
}

func BenchmarkTokens(b *testing.B) {
	benchmarkReads(b, func(db *database, _ ids.SessionHash, tokens []ids.Digest) (int, error) {
		rows, err := db.Tokens(context.Background(), "clinic", tokens, noon)
		return len(rows), err
	})
}

func BenchmarkTokenGrants(b *testing.B) {
	benchmarkReads(b, func(db *database, session ids.SessionHash, tokens []ids.Digest) (int, error) {
		rows, err := db.TokenGrants(context.Background(), "clinic", session, tokens, noon)
		return len(rows), err
	})
}

// BenchmarkSaveGrants writes what @token writes: n grants of a session that end together and extend earlier ones.
func BenchmarkSaveGrants(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, _ := filled(b, n)
			_, names := manyTokens("t", n)
			end := noon + 200
			b.ReportAllocs()
			for b.Loop() {
				end++
				if err := db.SaveGrants(context.Background(), grantsOn("fresh", end, 0, names...)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRevokeGrants revokes n grants on tokens, of every session, and creates them again.
func BenchmarkRevokeGrants(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, tokens := filled(b, n)
			_, names := manyTokens("t", n)
			b.ReportAllocs()
			for b.Loop() {
				if err := db.SaveGrants(context.Background(), grantsOn("fresh", noon+100, 0, names...)); err != nil {
					b.Fatal(err)
				}
				if _, err := db.RevokeGrants(context.Background(), "clinic", models.Revocation{Tokens: tokens}, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEnds ends sessions with a grant each, by concurrent callers.
func BenchmarkEnds(b *testing.B) {
	db := openSQLite(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := db.EndSession(context.Background(), "clinic", ended(fmt.Sprint(n.Add(1)), noon, noon+100)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
