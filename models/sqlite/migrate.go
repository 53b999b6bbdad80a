package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrateAttempts is the number of attempts to open and migrate, over about three seconds.
const migrateAttempts = 10

var errNewer = errors.New("start a newer cloakroom")

// migrate brings the schema to the newest version, one transaction per step. Another process may be migrating the
// same new file: one of the two then fails, and succeeds when it tries again.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("sqlite: reading migrations: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err := upgrade(ctx, p)
		if err == nil || errors.Is(err, errNewer) || isFull(err) || attempt == migrateAttempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * 60 * time.Millisecond):
		}
	}
}

func upgrade(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("sqlite: reading the schema's version: %w", err)
	}
	if have > want {
		return fmt.Errorf("sqlite: the database has schema version %d, newer than this program's %d: %w", have, want, errNewer)
	}
	if have == want {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("sqlite: migrating: %w", err)
	}
	return nil
}
