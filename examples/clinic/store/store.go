// Package store is the clinic's own database: SQLite and plain SQL. It holds tokens, and no value.
//
// Every query about patients has a user, and one rule (visible) decides which patients the user may see.
package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrNotFound is returned for a row that does not exist, and for a row that the user may not see: callers
// can't distinguish the two.
var ErrNotFound = errors.New("not found")

// ErrNotAllowed is returned if the user's role does not allow the change.
var ErrNotAllowed = errors.New("not allowed")

//go:embed schema.sql
var tables string

// Store is the database. Safe for concurrent use.
type Store struct{ db *sql.DB }

// Open opens the file, and makes it (mode 0600) with its tables if there is none.
func Open(ctx context.Context, path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it readable by other users
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("the clinic's database: %w", err)
	}
	options := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(ON)", "secure_delete(ON)"},
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("the clinic's database: %w", err)
	}
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, fmt.Errorf("the clinic's database %s: %w", path, errors.Join(err, db.Close()))
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// inTx runs f in a transaction: all of it is durable when it returns nil, and none of it otherwise.
func (s *Store) inTx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// collect scans every row.
func collect[T any](rows *sql.Rows, err error, scan func(*T) []any) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(scan(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
