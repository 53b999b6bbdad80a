package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
)

// Inspection is the part of a database file's content that Inspect reads.
type Inspection struct {
	Have, Want int64             // versions of the schema: the file's, and this program's
	KeysetMark []byte            // nil if none is stored yet
	Purposes   map[string][]byte // the sealed keys of each purpose
}

// Inspect reads a database file without creating, migrating or changing it; a running gateway may have it open. If there
// is no file, the error wraps fs.ErrNotExist.
func Inspect(ctx context.Context, path string) (*Inspection, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"query_only(ON)", "busy_timeout(5000)", "trusted_schema(OFF)"}}
	pool, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: opening the database: %w", err)
	}
	defer func() { _ = pool.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("sqlite: reading migrations: %w", err)
	}
	sources := p.ListSources()
	found := &Inspection{Want: sources[len(sources)-1].Version}
	var tables int
	if err := pool.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name IN ('settings', 'goose_db_version')`).Scan(&tables); err != nil {
		return nil, fmt.Errorf("sqlite: reading the database: %w", err)
	}
	if tables < 2 {
		return found, nil // the file was created, and never migrated
	}
	if err := pool.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&found.Have); err != nil {
		return nil, fmt.Errorf("sqlite: reading the schema's version: %w", err)
	}
	err = pool.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = 'keyset-check'`).Scan(&found.KeysetMark)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("sqlite: reading the settings: %w", err)
	}
	found.Purposes, err = inspectPurposes(ctx, pool)
	return found, err
}

func inspectPurposes(ctx context.Context, pool *sql.DB) (map[string][]byte, error) {
	rows, err := pool.QueryContext(ctx, `SELECT substr(name, 14), value FROM settings WHERE name LIKE 'purpose-keys/%'`)
	if err != nil {
		return nil, fmt.Errorf("sqlite: reading the settings: %w", err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string][]byte{}
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("sqlite: reading the settings: %w", err)
		}
		found[name] = value
	}
	return found, rows.Err()
}
