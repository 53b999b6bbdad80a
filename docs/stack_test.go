package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/internal/dev"
)

// stack is the development stack, on free ports.
type stack struct {
	gateway, objects, app string // base URLs
	client                *http.Client
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func startStack(t *testing.T) *stack {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	printed, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		err := dev.Run(ctx, dev.Options{
			Data: t.TempDir(), Listen: "127.0.0.1:0", ObjectsListen: "127.0.0.1:0", AppListen: "127.0.0.1:0",
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Out: write,
		})
		ended <- errors.Join(err, write.Close())
	}()
	go func() {
		var text bytes.Buffer
		_, _ = io.Copy(io.MultiWriter(&text, &onceComplete{printed: printed, text: &text}), read)
	}()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	select {
	case text := <-printed:
		urls := address.FindAllString(text, -1)
		s := &stack{client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, gateway: urls[0]}
		for _, line := range strings.Split(text, "\n") {
			switch url := address.FindString(line); {
			case strings.HasPrefix(line, "  objects"):
				s.objects = url
			case strings.HasPrefix(line, "  example app"):
				s.app = url
			}
		}
		require.NotEmpty(t, s.objects)
		require.NotEmpty(t, s.app)
		return s
	case err := <-ended:
		ended <- err
		require.FailNow(t, "the development stack ended", "%v", err)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the development stack does not start")
	}
	return nil
}

// onceComplete sends the output of the start when its last line has been printed.
type onceComplete struct {
	once    sync.Once
	printed chan<- string
	text    *bytes.Buffer
}

func (o *onceComplete) Write(p []byte) (int, error) {
	if strings.Contains(o.text.String(), "Ctrl-C") {
		o.once.Do(func() { o.printed <- o.text.String() })
	}
	return len(p), nil
}

// local replaces the addresses that readers type by the stack's.
func (s *stack) local(text string) string {
	for port, url := range map[string]string{"8080": s.gateway, "8081": s.objects, "8082": s.app} {
		host := strings.TrimPrefix(url, "http://")
		text = strings.NewReplacer("127.0.0.1:"+port, host, "localhost:"+port, host).Replace(text)
	}
	return text
}

// bin is the folder of the program, which is built for the first block that runs it.
var bin string

var program = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, "cloakroom"), ".")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
})

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "cloakroom-docs-"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(bin) }()
		return m.Run()
	}())
}

func checkOutputs(dir string, blocks []block) error {
	var problems []error
	for i, b := range blocks {
		if b.kind != "text output" {
			continue
		}
		out, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i-1)))
		if err != nil {
			return err
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(b.text)), "…", "(?s:.*)")
		if ok, err := regexp.Match(`\A`+pattern+`\z`, bytes.TrimSpace(out)); err != nil || !ok {
			problems = append(problems, fmt.Errorf("%s: text output: the block before printed:\n%s", b.at(), out))
		}
	}
	return errors.Join(problems...)
}

// runOperations sends a page's graphql test blocks as one session of the example application.
func (s *stack) runOperations(ctx context.Context, blocks []block) error {
	jwt := ""
	known := map[string]any{}
	for i, b := range blocks {
		if b.kind != "graphql test" {
			continue
		}
		if jwt == "" {
			session, err := s.post(ctx, s.app+"/.cloakroom/session", "", nil)
			if err != nil {
				return err
			}
			jwt, _ = session["token"].(string)
		}
		given := ""
		if i+1 < len(blocks) && blocks[i+1].kind == "json variables" {
			given = blocks[i+1].text
		}
		variables, err := variablesOf(b.text, given, known)
		if err != nil {
			return fmt.Errorf("%s: %w", b.at(), err)
		}
		answer, err := s.post(ctx, s.gateway+"/graphql", jwt, map[string]any{"query": b.text, "variables": variables})
		if err != nil {
			return fmt.Errorf("%s: %w", b.at(), err)
		}
		if answer["errors"] != nil {
			return fmt.Errorf("%s: graphql test: %v", b.at(), answer["errors"])
		}
		remember(known, answer["data"])
	}
	return nil
}

func variablesOf(text, given string, known map[string]any) (map[string]any, error) {
	variables := map[string]any{}
	if given != "" {
		if err := json.Unmarshal([]byte(given), &variables); err != nil {
			return nil, fmt.Errorf("json variables: %w", err)
		}
	}
	document, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		return nil, err
	}
	for _, operation := range document.Operations {
		for _, v := range operation.VariableDefinitions {
			if _, ok := variables[v.Variable]; !ok && known[v.Variable] != nil {
				variables[v.Variable] = known[v.Variable]
			}
		}
	}
	return variables, nil
}

// remember stores the strings of an answer by their fields' names.
func remember(known map[string]any, answer any) {
	switch answer := answer.(type) {
	case map[string]any:
		for name, v := range answer {
			if text, ok := v.(string); ok {
				known[name] = text
			}
			remember(known, v)
		}
	case []any:
		for _, v := range answer {
			remember(known, v)
		}
	}
}

func (s *stack) post(ctx context.Context, url, jwt string, body any) (map[string]any, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	return answer, json.NewDecoder(res.Body).Decode(&answer)
}
