package cloakroomtest

import (
	"os"
	"testing"

	"github.com/cloakroomhq/cloakroom/internal/space"
)

// memory is where Linux keeps files in memory, and roomInMemory how many bytes must be free there: containers have 64 MiB
// unless told otherwise, which some databases fill.
const (
	memory       = "/dev/shm"
	roomInMemory = 1 << 30
)

// databaseFolder returns a folder for the test's database and keys, which goes with the test: in memory where there is room and TMPDIR
// does not say otherwise, because a start waits for some ten writes to reach the disk. Values stay in the test's temporary
// folder: they can be large.
func databaseFolder(t testing.TB) string {
	t.Helper()
	if free, _, err := space.Stat(memory); err == nil && free >= roomInMemory && os.TempDir() == "/tmp" {
		if dir, err := os.MkdirTemp(memory, "cloakroomtest-"); err == nil { //nolint:usetesting // t.TempDir is on the disk
			t.Cleanup(func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Errorf("cloakroomtest: %v", err)
				}
			})
			return dir
		}
	}
	return t.TempDir()
}
