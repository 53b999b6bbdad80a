package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/dev"
)

// Process is a stack in a child process, which can be killed.
type Process struct {
	*Stack
	command *exec.Cmd
	ended   chan struct{}
	failure error
}

// Launch builds the program, once, and runs its command dev.
func Launch(t testing.TB, options ...Option) *Process {
	t.Helper()
	o := dev.Options{Data: t.TempDir(), Listen: "127.0.0.1:0", ObjectsListen: "127.0.0.1:0", AppListen: "127.0.0.1:0"}
	for _, option := range options {
		option(&o)
	}
	require.Nil(t, o.Configure, "the command has no such option")
	p := &Process{Stack: newStack(t), ended: make(chan struct{})}
	p.Data = o.Data
	p.command = exec.Command(binary(t), "dev", "--data", o.Data, "--listen", o.Listen,
		"--objects-listen", o.ObjectsListen, "--app-listen", o.AppListen, "--log-level", "debug")
	p.command.Stdout, p.command.Stderr = p.Out, p.Logs
	require.NoError(t, p.command.Start())
	go func() {
		defer close(p.ended)
		p.failure = p.command.Wait()
	}()
	p.end = func() error { return p.failure }
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	p.await(t, p.ended)
	return p
}

// Kill ends the process like a power cut, without a shutdown.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	require.NoError(t, p.command.Process.Kill())
	<-p.ended
	p.HTTP.CloseIdleConnections()
}

// Interrupt is Ctrl-C.
func (p *Process) Interrupt(t testing.TB) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGINT))
}

// Exit waits for the process to end by itself, and returns its status.
func (p *Process) Exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		t.Fatalf("the process still runs after %s\n%s", within, p.Logs)
	}
	return p.command.ProcessState.ExitCode()
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cloakroom-e2e-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "cloakroom")
	command := exec.Command("go", "build", "-o", name, "github.com/cloakroomhq/cloakroom")
	command.Env = append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local")
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	built = dir
	return name, nil
})

var built string

func binary(t testing.TB) string {
	t.Helper()
	name, err := build()
	require.NoError(t, err)
	return name
}

// CleanUp removes the program that Launch built; TestMain calls it.
func CleanUp() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}
