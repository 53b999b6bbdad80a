package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/cloakroomhq/cloakroom/models/sqlite"
)

const (
	rowsPerInsert     = 50
	rowsPerCommit     = 200_000
	grantsPerSession  = 10
	sealedSize        = 123 // bytes of an envelope with a data key and {"contentType":"text/plain"}
	permutationFactor = 7_368_787
	fillerKey         = 0x7a3c91e5 // id of the master key that rows name
)

// fillDatabase makes the product's tables in a new file and writes n tokens and n grants on them, with random
// columns as long as real ones. Ids ascend, evenly over their range, and indexes are made last, so that every page
// is written once.
func fillDatabase(ctx context.Context, path string, n int) (err error) {
	made, err := sqlite.Open(ctx, sqlite.Options{Path: path})
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	// After a crash, the benchmark makes the database again.
	for _, p := range []string{"journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-262144"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return err
		}
	}
	indexes, err := dropIndexes(ctx, db)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	if err := insertAll(ctx, db, "tokens (id, tenant, object, sealed, created_at, expires_at, upload_until, purge_at, master_key)", 9, n, tokenRows(n, now)); err != nil {
		return err
	}
	progress("wrote %d tokens", n)
	if err := insertAll(ctx, db, "grants (session_id, token_id, read_until, store_until, expires_at)", 5, n, grantRows(n, now)); err != nil {
		return err
	}
	progress("wrote %d grants; making the indexes again", n)
	for _, definition := range indexes {
		if _, err := db.ExecContext(ctx, definition); err != nil {
			return err
		}
	}
	return nil
}

// dropIndexes drops all indexes that a migration has made by name, and returns the statements that make them again.
func dropIndexes(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('tokens', 'grants')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names, definitions []string
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		names, definitions = append(names, name), append(definitions, definition)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := db.ExecContext(ctx, `DROP INDEX "`+name+`"`); err != nil {
			return nil, err
		}
	}
	return definitions, nil
}

// insertAll inserts n rows; fill appends the columns of the next one.
func insertAll(ctx context.Context, db *sql.DB, into string, columns, n int, fill func(i int, args []any) []any) error {
	for done := 0; done < n; {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		many, err := tx.PrepareContext(ctx, insertText(into, columns, rowsPerInsert))
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		one, err := tx.PrepareContext(ctx, insertText(into, columns, 1))
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		args := make([]any, 0, columns*rowsPerInsert)
		for end := min(n, done+rowsPerCommit); done < end; {
			statement, rows := one, 1
			if end-done >= rowsPerInsert {
				statement, rows = many, rowsPerInsert
			}
			for args = args[:0]; rows > 0; rows-- {
				args = fill(done, args)
				done++
			}
			if _, err := statement.ExecContext(ctx, args...); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func insertText(into string, columns, rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	return "INSERT INTO " + into + " VALUES " + strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
}

// tokenRows returns a function that appends the columns of token i, which was uploaded some days ago.
func tokenRows(n int, now int64) func(int, []any) []any {
	return func(i int, args []any) []any {
		id := spreadID('t', i, n)
		sealed := make([]byte, sealedSize)
		for at := 0; at < len(sealed); at += 8 {
			copy(sealed[at:], binary.BigEndian.AppendUint64(nil, rand.Uint64()))
		}
		name := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
		created := now - rand.Int64N(30*24*time.Hour.Milliseconds())
		return append(args, id, tenant, "v/"+name[:2]+"/"+name[2:], sealed, created, nil, created+900_000, nil, fillerKey)
	}
}

// grantRows returns a function that appends the columns of grant i: each session holds ten, for existing tokens,
// which end in later hours, so that none is swept.
func grantRows(n int, now int64) func(int, []any) []any {
	var tokens [][]byte
	return func(i int, args []any) []any {
		if i%grantsPerSession == 0 {
			tokens = tokens[:0]
			for j := i; j < i+grantsPerSession; j++ {
				tokens = append(tokens, spreadID('t', j*permutationFactor%n, n))
			}
			slices.SortFunc(tokens, slices.Compare)
		}
		until := now + (2 * time.Hour).Milliseconds() + rand.Int64N((20 * time.Hour).Milliseconds())
		return append(args, spreadID('s', i/grantsPerSession, n/grantsPerSession+1), tokens[i%grantsPerSession], until, until, until)
	}
}

// spreadID returns the member i of n ascending, random-looking and repeatable digests.
func spreadID(kind byte, i, n int) []byte {
	step := math.MaxUint64 / uint64(n)
	random := rand.New(rand.NewPCG(uint64(kind), uint64(i)))
	id := binary.BigEndian.AppendUint64(make([]byte, 0, 32), uint64(i)*step+random.Uint64N(step))
	for len(id) < 32 {
		id = binary.BigEndian.AppendUint64(id, random.Uint64())
	}
	return id
}
