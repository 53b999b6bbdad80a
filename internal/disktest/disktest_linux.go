// Package disktest provides small disks that tests can fill.
package disktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inside is set in the environment of a process that runs a test again in its own mount namespace.
const inside = "CLOAKROOM_DISKTEST"

// On runs f with a directory on a file system (tmpfs) of this many bytes. If the user may not mount one, On runs the test
// again in new user and mount namespaces, in which every user may. If that is not allowed either, the test fails.
func On(t *testing.T, bytes int64, f func(t *testing.T, dir string)) {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", bytes))
	if errors.Is(err, syscall.EPERM) && os.Getenv(inside) == "" {
		again(t)
		return
	}
	require.NoError(t, err, "the test must mount a file system: run as root, or allow user namespaces")
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	f(t, dir)
}

func again(t *testing.T) {
	t.Helper()
	var steps []string
	for step := range strings.SplitSeq(t.Name(), "/") {
		steps = append(steps, "^"+regexp.QuoteMeta(step)+"$")
	}
	c := exec.CommandContext(context.Background(), os.Args[0], "-test.run="+strings.Join(steps, "/"), "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), inside+"=1")
	one := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: one(os.Getuid()), GidMappings: one(os.Getgid()),
	}
	out, err := c.CombinedOutput()
	require.NoError(t, err, "the test must mount a file system: run as root, or allow user namespaces\n%s", out)
	require.True(t, bytes.Contains(out, []byte("--- PASS: "+t.Name())), "%s", out)
}

// Filler fills a disk, and takes all space that becomes free.
type Filler struct {
	file *os.File
	stop chan struct{}
	done sync.WaitGroup
}

// Fill fills the disk of a directory to its last block, and takes all space that becomes free until Free.
func Fill(t *testing.T, dir string) *Filler {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	f := &Filler{file: file, stop: make(chan struct{})}
	for size := 1 << 20; size >= 1<<9; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	f.done.Go(func() {
		block := make([]byte, 4096)
		tick := time.NewTicker(50 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-f.stop:
				return
			case <-tick.C:
				_, _ = file.Write(block)
			}
		}
	})
	t.Cleanup(f.Free)
	return f
}

// Free releases the space.
func (f *Filler) Free() {
	if f.file == nil {
		return
	}
	close(f.stop)
	f.done.Wait()
	_ = f.file.Close()
	_ = os.Remove(f.file.Name())
	f.file = nil
}
