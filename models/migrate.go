package models

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version, one transaction per step.
func migrate(ctx context.Context, dialect goose.Dialect, folder string, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("models: reading migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("models: reading the schema's version: %w", err)
	}
	if have > want {
		return fmt.Errorf("models: the database has schema version %d, newer than this program's %d: "+
			"start a newer cloakroom", have, want)
	}
	if have == want {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("models: migrating: %w", err)
	}
	return nil
}
