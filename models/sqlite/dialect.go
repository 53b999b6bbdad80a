package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	"modernc.org/sqlite" // the driver "sqlite": pure Go, see docs/adr/0003
)

// sqliteDialect connects GORM to modernc.org/sqlite, because GORM's own dialect for SQLite needs a C
// compiler. Migrations make the tables, so nothing here derives tables from structs.
type sqliteDialect struct{ pool *sql.DB }

// sqliteDSN returns the name of a database file with the settings of its connections: durable commits
// (synchronous FULL in WAL mode), deleted content overwritten, transactions that take the write
// lock at their start so that none fails half-way.
func sqliteDSN(path string, pragmas ...string) string {
	q := url.Values{
		"_txlock":       {"immediate"},
		"_journal_mode": {"WAL"}, // set after the pragmas, because it fixes the page size
	}
	for _, p := range append([]string{
		"busy_timeout(10000)", "page_size(8192)", "synchronous(FULL)", "foreign_keys(ON)",
		"secure_delete(ON)", "temp_store(MEMORY)", "trusted_schema(OFF)",
	}, pragmas...) {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// persistentLog makes connections that keep the log file, with its allocated room, when the last of them closes.
type persistentLog struct {
	dsn    string
	driver driver.Driver
}

// Connect implements driver.Connector.
func (p persistentLog) Connect(context.Context) (driver.Conn, error) {
	c, err := p.driver.Open(p.dsn)
	if err != nil {
		return nil, err
	}
	files, ok := c.(sqlite.FileControl)
	if !ok {
		return nil, errors.Join(errors.New("sqlite: the driver can't keep the log"), c.Close())
	}
	if _, err := files.FileControlPersistWAL("main", 1); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Driver implements driver.Connector.
func (p persistentLog) Driver() driver.Driver { return p.driver }

func (sqliteDialect) Name() string { return "sqlite" }

func (d sqliteDialect) Initialize(db *gorm.DB) error {
	db.ConnPool = d.pool
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE"},
	})
	return nil
}

func (sqliteDialect) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

func (sqliteDialect) QuoteTo(w clause.Writer, name string) {
	_, _ = w.WriteString(`"` + strings.ReplaceAll(strings.ReplaceAll(name, `"`, `""`), ".", `"."`) + `"`)
}

func (sqliteDialect) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

func (sqliteDialect) Explain(query string, _ ...any) string {
	return logger.ExplainSQL(query, nil, `"`)
}

// DataTypeOf and Migrator belong to GORM's AutoMigrate, which is not used.
func (sqliteDialect) DataTypeOf(f *schema.Field) string { return fmt.Sprint(f.DataType) }
func (sqliteDialect) Migrator(*gorm.DB) gorm.Migrator   { return nil }
