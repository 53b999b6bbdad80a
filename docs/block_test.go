package docs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// markers are the allowed languages with a marker; README.md says what the test does for each.
var markers = map[string]bool{
	"sh test": true, "text output": true, "graphql test": true, "graphql schema": true, "json variables": true,
	"yaml config": true, "yaml settings": true, "go compile": true, "sh server": true,
}

// block is one fenced block of a page.
type block struct {
	page string
	line int    // of the fence
	kind string // language and marker
	text string
}

// file returns the name of the file that the block is, as in "go file main.go".
func (b block) file() (name string, ok bool) {
	words := strings.Fields(b.kind)
	if len(words) != 3 || words[1] != "file" || !filepath.IsLocal(words[2]) {
		return "", false
	}
	return words[2], true
}

func (b block) at() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// readBlocks returns a page's blocks, and an error for each unknown marker and for each marker that needs another block before
// it.
func readBlocks(page string) ([]block, error) {
	source, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var blocks []block
	var fence, indent string
	for i, line := range strings.Split(string(source), "\n") {
		text := strings.TrimLeft(line, " ")
		run := text[:len(text)-len(strings.TrimLeft(text, text[:min(1, len(text))]))]
		opens := len(run) >= 3 && (run[0] == '`' || run[0] == '~')
		switch {
		case fence == "" && opens:
			fence, indent = run, line[:len(line)-len(text)]
			kind := strings.Join(strings.Fields(text[len(run):]), " ")
			blocks = append(blocks, block{page: page, line: i + 1, kind: kind})
		case fence != "" && opens && run[0] == fence[0] && len(run) >= len(fence) && strings.TrimSpace(text) == run:
			fence = ""
		case fence != "":
			b := &blocks[len(blocks)-1]
			b.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	if fence != "" {
		return nil, fmt.Errorf("%s: the block is not closed", blocks[len(blocks)-1].at())
	}
	return blocks, checkMarkers(blocks)
}

func checkMarkers(blocks []block) error {
	var problems []error
	for i, b := range blocks {
		before := ""
		_, isFile := b.file()
		if i > 0 {
			before = blocks[i-1].kind
		}
		switch {
		case strings.Contains(b.kind, " ") && !markers[b.kind] && !isFile:
			problems = append(problems, fmt.Errorf("%s: unknown marker %q: docs/README.md has those that exist", b.at(), b.kind))
		case b.kind == "text output" && before != "sh test":
			problems = append(problems, fmt.Errorf("%s: output of nothing: no sh test block stands before it", b.at()))
		case b.kind == "json variables" && before != "graphql test":
			problems = append(problems, fmt.Errorf("%s: variables of nothing: no graphql test block stands before it", b.at()))
		}
	}
	return errors.Join(problems...)
}

func TestReadBlocks(t *testing.T) {
	read := func(source string) ([]block, error) {
		page := t.TempDir() + "/page.md"
		require.NoError(t, os.WriteFile(page, []byte(source), 0o600))
		return readBlocks(page)
	}
	blocks, err := read("text\n```sh test\na\n\n  b\n```\n- item\n  ~~~~go compile\n  c\n  ~~~\n  ~~~~\n```\nplain\n```\n")
	require.NoError(t, err)
	require.Len(t, blocks, 3)
	require.Equal(t, "a\n\n  b\n", blocks[0].text)
	require.Equal(t, 2, blocks[0].line)
	require.Equal(t, "go compile", blocks[1].kind)
	require.Equal(t, "c\n~~~\n", blocks[1].text)
	require.Empty(t, blocks[2].kind)

	for source, want := range map[string]string{
		"```sh tset\na\n```\n":               `page.md:1: unknown marker "sh tset"`,
		"\n```go test\na\n```\n":             `page.md:2: unknown marker "go test"`,
		"```sh test now\na\n```\n":           `unknown marker "sh test now"`,
		"```go file ../main.go\na\n```\n":    `unknown marker "go file ../main.go"`,
		"```go file\na\n```\n":               `unknown marker "go file"`,
		"```text output\na\n```\n":           "output of nothing",
		"```json variables\n{}\n```\n":       "variables of nothing",
		"```sh test\na\n":                    "not closed",
		"```graphql\na\n```\n```yaml x\n```": `unknown marker "yaml x"`,
	} {
		t.Run(source, func(t *testing.T) {
			_, err := read(source)
			require.ErrorContains(t, err, want, source)
		})
	}
}
