package lint

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

var extensions = []string{".graphqls", ".graphql", ".gql"}

// read returns the files of paths, patterns and folders, each once, sorted.
func read(patterns []string) ([]*ast.Source, error) {
	var names []string
	for _, p := range patterns {
		found, err := expand(p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: there is no such schema", p)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	var sources []*ast.Source
	for _, name := range slices.Compact(names) {
		b, err := os.ReadFile(name) // #nosec G304 -- reading what the user names is the command's purpose
		if err != nil {
			return nil, err
		}
		sources = append(sources, &ast.Source{Name: filepath.ToSlash(name), Input: string(b)})
	}
	return sources, nil
}

func expand(pattern string) (names []string, err error) {
	info, err := os.Stat(pattern)
	if err != nil {
		return filepath.Glob(pattern)
	}
	if !info.IsDir() {
		return []string{filepath.Clean(pattern)}, nil
	}
	err = filepath.WalkDir(pattern, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains(extensions, filepath.Ext(path)) {
			names = append(names, path)
		}
		return err
	})
	return names, err
}

const ignoreMark = "cloakroom:ignore"

// ignore is one comment that suppresses findings.
type ignore struct {
	source       *ast.Source
	line, column int    // of the comment
	target       int    // the line whose findings it suppresses
	reason       string // required
	used         bool
}

// ignores returns the suppressing comments of a file. A comment after something on its line is about that line; a comment
// alone on its line is about the next definition, which follows its description.
func ignores(source *ast.Source) (found []*ignore, err error) {
	l := lexer.New(source)
	var waiting []*ignore
	last := 0
	for {
		token, err := l.ReadToken()
		if err != nil {
			return nil, err
		}
		switch token.Kind {
		case lexer.EOF:
			return found, nil
		case lexer.Comment:
			text := strings.TrimSpace(strings.TrimLeft(token.Value, "#"))
			reason, ok := strings.CutPrefix(text, ignoreMark)
			if !ok {
				continue
			}
			i := &ignore{source: source, line: token.Pos.Line, column: token.Pos.Column, reason: strings.TrimSpace(reason)}
			found = append(found, i)
			if last == token.Pos.Line {
				i.target = last
			} else {
				waiting = append(waiting, i)
			}
			continue
		case lexer.String, lexer.BlockString:
			last = token.Pos.Line
			continue // a description: the definition comes next
		}
		last = token.Pos.Line
		for _, i := range waiting {
			i.target = last
		}
		waiting = nil
	}
}
