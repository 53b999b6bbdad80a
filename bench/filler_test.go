package main

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFiller: the rows that benchmarks read have all columns of real rows, except nullable ones.
func TestFiller(t *testing.T) {
	const n = 200
	path := filepath.Join(t.TempDir(), "rows.db")
	require.NoError(t, fillDatabase(t.Context(), path, n))
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	for _, table := range []string{"tokens", "grants"} {
		columns, err := db.Query(`SELECT name FROM pragma_table_info(?) WHERE "notnull"`, table)
		require.NoError(t, err)
		defer columns.Close()
		var names []string
		for columns.Next() {
			var name string
			require.NoError(t, columns.Scan(&name))
			names = append(names, name)
		}
		require.NoError(t, columns.Err())
		require.NotEmpty(t, names)
		for _, name := range names {
			var filled int
			require.NoError(t, db.QueryRow("SELECT count(*) FROM "+table+` WHERE "`+name+`" NOT IN (0, '')`).Scan(&filled))
			require.Equal(t, n, filled, "%s.%s", table, name)
		}
	}
}
