package space_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/space"
)

// disks has the free space that a test sets.
type disks struct {
	free map[string]int64
	err  error
	told map[string]int64
}

func (d *disks) stat(dir string) (free, size int64, err error) { return d.free[dir], 64 << 20, d.err }
func (d *disks) SpaceFree(disk string, bytes int64)            { d.told[disk] = bytes }

func newMonitor(t *testing.T, minFree int64) (*space.Monitor, *disks, *bytes.Buffer) {
	t.Helper()
	d := &disks{free: map[string]int64{"/db": 50 << 20, "/values": 50 << 20}, told: map[string]int64{}}
	var log bytes.Buffer
	m, err := space.New(space.Options{
		Disks:   []space.Disk{{Name: "database", Dir: "/db"}, {Name: "objects", Dir: "/values", Values: true}},
		MinFree: minFree, Observer: d, Logger: slog.New(slog.NewTextHandler(&log, nil)), Stat: d.stat,
	})
	require.NoError(t, err)
	return m, d, &log
}

func TestAdmit(t *testing.T) {
	for name, c := range map[string]struct {
		minFree, db, values, bytes int64
		admitted                   bool
	}{
		"room":                             {db: 50 << 20, values: 50 << 20, admitted: true},
		"an eighth of a small disk":        {db: 8 << 20, values: 8 << 20, admitted: true},
		"less than an eighth":              {db: 8<<20 - 1, values: 50 << 20},
		"the values' disk is short":        {db: 50 << 20, values: 8<<20 - 1},
		"the setting is met":               {minFree: 1 << 20, db: 1 << 20, values: 1 << 20, admitted: true},
		"less than the setting":            {minFree: 60 << 20, db: 50 << 20, values: 50 << 20},
		"a value that fits":                {db: 8 << 20, values: 50 << 20, bytes: 42 << 20, admitted: true},
		"a value that takes too much room": {db: 50 << 20, values: 50 << 20, bytes: 42<<20 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, d, _ := newMonitor(t, c.minFree)
			d.free["/db"], d.free["/values"] = c.db, c.values
			err := m.Admit(c.bytes)
			if c.admitted {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, space.ErrShort)
			public := fault.Public(err)
			require.Equal(t, fault.Unavailable, public.Code)
			require.Equal(t, space.RetryAfter, public.RetryAfter)
			require.NotContains(t, public.Message, "bytes")
		})
	}
	t.Run("a disk that can't be read", func(t *testing.T) {
		m, d, _ := newMonitor(t, 0)
		d.err = errors.New("gone")
		require.Equal(t, fault.Unavailable, fault.Public(m.Admit(0)).Code)
	})
}

// TestLook: the metrics get every result, the log only changes.
func TestLook(t *testing.T) {
	m, d, log := newMonitor(t, 0)
	require.NoError(t, m.Look(t.Context()))
	require.Empty(t, log.String())
	d.free["/values"] = 7
	for range 3 {
		require.ErrorIs(t, m.Look(t.Context()), space.ErrShort)
	}
	require.EqualValues(t, 7, d.told["objects"])
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("nearly full")), log)
	d.free["/values"] = 50 << 20
	require.NoError(t, m.Look(t.Context()))
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("has room again")), log)
}

func TestStat(t *testing.T) {
	free, size, err := space.Stat(filepath.Join(t.TempDir(), "not", "made"))
	require.NoError(t, err)
	require.Positive(t, free)
	require.GreaterOrEqual(t, size, free)
	reserve, err := space.Reserve(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, reserve)
}
