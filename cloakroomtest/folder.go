package cloakroomtest

import (
	"os"
	"testing"

	"github.com/cloakroomhq/cloakroom/internal/space"
)

// memory is a folder of files in memory on Linux, and roomInMemory how many bytes must be free there: containers have
// 64 MiB by default, which some databases fill.
const (
	memory       = "/dev/shm"
	roomInMemory = 1 << 30
)

// databaseFolder returns a folder for the test's database and keys, which is removed with the test. It is in memory if there is
// space and TMPDIR is not set to another folder, because a start waits for some ten writes to reach the disk. Values stay in the
// test's temporary folder, since they can be large.
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
