package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// labelled is a line of testdata/schemas: a coordinate, its type, and the class of what it holds ("-" for nothing sensitive).
type labelled struct{ label, owner, field, argument, typ string }

func (l labelled) coordinate() string {
	if l.argument != "" {
		return fmt.Sprintf("%s.%s(%s:)", l.owner, l.field, l.argument)
	}
	return l.owner + "." + l.field
}

var coordinate = regexp.MustCompile(`^(\w+)\.(\w+)(?:\((\w+):\))?$`)

func readLabels(t *testing.T, file string) (all []labelled) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, columns, 3, line)
		parts := coordinate.FindStringSubmatch(columns[1])
		require.NotNil(t, parts, line)
		require.Contains(t, []string{"-", "identity", "contact", "payment", "health", "credential"}, columns[0])
		all = append(all, labelled{columns[0], parts[1], parts[2], parts[3], columns[2]})
	}
	return all
}

// schemaOf writes a valid schema that has the coordinates.
func schemaOf(lines []labelled) string {
	types, fields, scalars := map[string][]string{}, map[string]string{}, map[string]bool{}
	arguments := map[string][]string{}
	for _, l := range lines {
		scalars[strings.Trim(l.typ, "[]!")] = true
		key := l.owner + "." + l.field
		if _, known := fields[key]; !known {
			types[l.owner] = append(types[l.owner], l.field)
			fields[key] = "Boolean"
		}
		if l.argument == "" {
			fields[key] = l.typ
		} else {
			arguments[key] = append(arguments[key], l.argument+": "+l.typ)
		}
	}
	var b strings.Builder
	for name := range scalars {
		if !strings.Contains(" String ID Int Float Boolean ", " "+name+" ") {
			fmt.Fprintf(&b, "scalar %s\n", name)
		}
	}
	for owner, names := range types {
		kind := "type"
		if strings.HasSuffix(owner, "Input") {
			kind = "input"
		}
		fmt.Fprintf(&b, "%s %s {\n", kind, owner)
		for _, name := range names {
			key := owner + "." + name
			if list := arguments[key]; len(list) > 0 {
				fmt.Fprintf(&b, "  %s(%s): %s\n", name, strings.Join(list, ", "), fields[key])
			} else {
				fmt.Fprintf(&b, "  %s: %s\n", name, fields[key])
			}
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// The rules find nine of ten sensitive fields of real schemas, and nine of ten findings are right. testdata/schemas/README.md
// says how the schemas were labelled, and from which of them the rules were written.
func TestPrecisionAndRecallOnPublicSchemas(t *testing.T) {
	files, err := filepath.Glob("testdata/schemas/*.tsv")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".tsv"), func(t *testing.T) {
			lines := readLabels(t, file)
			schema := filepath.Join(t.TempDir(), "schema.graphqls")
			require.NoError(t, os.WriteFile(schema, []byte(schemaOf(lines)), 0o600))
			report, err := Check([]string{schema}, defaults(t))
			require.NoError(t, err)
			class := map[string]string{}
			for _, f := range report.Findings {
				require.True(t, strings.HasPrefix(f.Rule, ruleSensitive+"/"), f.Rule)
				class[f.Coordinate] = f.Class
			}
			right, wrong, missed := 0, []string{}, []string{}
			for _, l := range lines {
				found, ok := class[l.coordinate()]
				switch {
				case ok && found == l.label:
					right++
				case ok:
					wrong = append(wrong, l.coordinate())
				}
				if l.label != "-" && found != l.label { // with another class, the advice is wrong
					missed = append(missed, l.coordinate())
				}
			}
			precision, recall := float64(right)/float64(len(class)), float64(right)/float64(right+len(missed))
			t.Logf("%d lines, %d sensitive, precision %.3f, recall %.3f", len(lines), right+len(missed), precision, recall)
			t.Logf("wrong: %v; missed: %v", wrong, missed)
			assert.Greater(t, precision, 0.9)
			assert.Greater(t, recall, 0.9)
		})
	}
}
