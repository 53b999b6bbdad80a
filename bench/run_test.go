package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain runs the child processes of TestParts: a child is this program with a subcommand.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			exit(child(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// TestParts runs each part of the benchmark for one short round. The figures mean nothing; a part that no longer fits the
// gateway fails. The part "store" opens 8,000 connections: "make full" runs it.
func TestParts(t *testing.T) {
	for _, part := range []string{"throughput", "token", "session", "start"} {
		t.Run(part, func(t *testing.T) {
			o := options{rounds: 1, slice: 50 * time.Millisecond, conns: 2, sessions: 4, tokens: 2, starts: 1, dir: t.TempDir(), only: part}
			require.NoError(t, run(t.Context(), o))
		})
	}
}
