package docs_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell writes the script of a page's blocks: one shell; the output of each block goes to a separate file below $PAGE.
type shell struct {
	script strings.Builder
	local  func(string) string // replaces the addresses that readers type by those of the test
	dir    string
}

func (s *shell) add(i int, b block) error {
	text := s.local(b.text)
	name, isFile := b.file()
	switch {
	case isFile:
		if err := os.WriteFile(filepath.Join(s.dir, fmt.Sprintf("file.%d", i)), []byte(text), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&s.script, "echo %d > \"$PAGE/at\"\nmkdir -p \"$(dirname %q)\"\ncp \"$PAGE/file.%d\" %q\n", i, name, i, name)
	case b.kind == "sh server": // a separate process group; the server is ready once it prints something
		fmt.Fprintf(&s.script, "echo %d > \"$PAGE/at\"\nset -m\n{\n%s\n} > \"$PAGE/out.%d\" 2>&1 &\nset +m\nservers+=($!)\n", i, text, i)
		fmt.Fprintf(&s.script, "until test -s \"$PAGE/out.%d\"; do kill -0 $!; sleep 0.05; done\n", i)
	case b.kind == "sh test":
		fmt.Fprintf(&s.script, "echo %d > \"$PAGE/at\"\n{\n%s\n} > \"$PAGE/out.%d\"\n", i, strings.ReplaceAll(text, "go run . ", "cloakroom "), i)
	}
	return nil
}

const prologue = `servers=()
stop() { for server in "${servers[@]}"; do kill -- "-$server" || true; done; wait; }
trap stop EXIT
`

// runShell runs a page's sh test and sh server blocks, and writes its files.
func runShell(ctx context.Context, dir string, blocks []block, local func(string) string) error {
	s := shell{local: local, dir: dir}
	s.script.WriteString(prologue)
	for i, b := range blocks {
		if err := s.add(i, b); err != nil {
			return err
		}
	}
	script := s.script.String()
	if script == prologue {
		return nil
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = work
	environ, err := offline(ctx)
	if err != nil {
		return err
	}
	cmd.Env = append(environ, "HOME="+dir, "PAGE="+dir)
	if strings.Contains(script, "cloakroom ") {
		if err := program(); err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		var at int
		text, _ := os.ReadFile(filepath.Join(dir, "at"))
		_, _ = fmt.Sscan(string(text), &at)
		out, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", at)))
		return fmt.Errorf("%s: %s: %w: %s%s", blocks[at].at(), blocks[at].kind, err, out, &stderr)
	}
	return checkOutputs(dir, blocks)
}

// offline returns an environment in which go downloads nothing, and finds the modules that this module needs.
func offline(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		return nil, err
	}
	caches := strings.Fields(string(out))
	return append(os.Environ(), "GOMODCACHE="+caches[0], "GOCACHE="+caches[1],
		"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off"), nil
}

// freePorts returns a function for pages with their own servers. It replaces the page's ports by free ones and the clone beside
// the page's folder by this repository, and puts the stack's data into a folder of the test.
func freePorts(t *testing.T) func(string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var replacements []string
	ports := map[string]string{}
	for _, typed := range []string{"8080", "8081", "3000"} {
		ports[typed] = freePort(t)
		replacements = append(replacements, "localhost:"+typed, "localhost:"+ports[typed], "127.0.0.1:"+typed, "127.0.0.1:"+ports[typed])
	}
	data := t.TempDir()
	flags := fmt.Sprintf(" dev --data=%s --listen=127.0.0.1:%s --objects-listen=127.0.0.1:%s ", data, ports["8080"], ports["8081"])
	replacements = append(replacements, "../cloakroom", root, " run . dev ", " run ."+flags, ".cloakroom/settings.yaml", data+"/settings.yaml")
	return strings.NewReplacer(replacements...).Replace
}

// freePort returns a port below the range from which systems choose for port 0, so that no other program gets it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	var sockets net.ListenConfig
	for range 1000 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		l, err := sockets.Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}
