package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// model returns the command line's model, from which the tests know every command.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("cloakroom"), kong.Vars{"version": versionLine()})
	require.NoError(t, err)
	return parser.Model
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"serve", "--version"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			got, out, stderr := start(t, args...)
			assert.Equal(t, "cloakroom "+gateway.Version+"\n", out)
			assert.Zero(t, got, stderr)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Run("lists every command", func(t *testing.T) {
		for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
			got, out, stderr := start(t, args...)
			assert.Zero(t, got, stderr)
			for _, leaf := range model(t).Leaves(true) {
				assert.Contains(t, out, "\n  "+leaf.Path(), args)
			}
		}
	})
	t.Run("explains each as --help does", func(t *testing.T) {
		for _, leaf := range model(t).Leaves(true) {
			path := strings.Fields(leaf.Path())
			if leaf.Name == "help" {
				continue
			}
			_, byFlag, _ := start(t, append(path, "--help")...)
			got, byCommand, stderr := start(t, append([]string{"help"}, path...)...)
			assert.Zero(t, got, stderr)
			assert.Equal(t, byFlag, byCommand)
			assert.Contains(t, byCommand, strings.Fields(leaf.Help)[0])
		}
	})
}

func TestAnUnknownCommandIsRefusedWithASuggestion(t *testing.T) {
	for _, c := range []struct{ line, says string }{
		{"serf", `did you mean "serve"`},
		{"help serf", `did you mean "serve"`},
		{"keys creat", `did you mean "create"`},
		{"keys", `expected "create"`},
		{"dev --lisen 127.0.0.1:0", `did you mean "--listen"`},
		{"lint --formt json", `did you mean "--format"`},
		{"completion tcsh", `"bash","zsh","fish"`},
		{"completion", "<shell>"},
		{"", "expected one of"},
	} {
		t.Run(c.line, func(t *testing.T) {
			got, out, stderr := start(t, strings.Fields(c.line)...)
			assert.Equal(t, 2, got)
			assert.Contains(t, stderr, c.says)
			assert.Empty(t, out)
		})
	}
}

func TestDevListensOnLoopbackOnly(t *testing.T) {
	for _, flag := range []string{"--listen", "--objects-listen", "--app-listen"} {
		for _, address := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.1:8080", "gateway.example:8080"} {
			t.Run(flag+"="+address, func(t *testing.T) {
				data := filepath.Join(t.TempDir(), "data")
				got, _, stderr := start(t, "dev", "--data", data, flag, address)
				assert.Equal(t, 2, got)
				assert.Contains(t, stderr, flag+"="+address)
				assert.Contains(t, stderr, "write "+flag+"=127.0.0.1:8080")
				assert.NoFileExists(t, data)
			})
		}
	}
	got, _, stderr := start(t, "dev", "--listen", "8080")
	assert.Equal(t, 2, got)
	assert.Contains(t, stderr, "--listen=8080: no address; write host:port")
}

// docs/commands.md is written by hand; this test compares it with the table of commands.
func TestTheDocumentationListsEveryCommandAndFlag(t *testing.T) {
	page, err := os.ReadFile("docs/commands.md")
	require.NoError(t, err)
	sections := map[string]string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		sections[strings.Trim(heading, "`")] = text
	}
	for _, leaf := range model(t).Leaves(true) {
		name := "cloakroom " + leaf.Path()
		text, ok := sections[name]
		delete(sections, name)
		if !assert.True(t, ok, "no section `%s`", name) {
			continue
		}
		rows := strings.Count(text, "\n| `-") // flags
		for _, flag := range leaf.Flags {
			if flag.Name == "help" {
				continue
			}
			assert.Contains(t, text, "| `--"+flag.Name+"` |", leaf.Path())
			if flag.HasDefault {
				assert.Contains(t, text, "| `--"+flag.Name+"` | `"+flag.Default+"` |", leaf.Path())
			}
			rows--
		}
		assert.Zero(t, rows, "%s: the page has an unknown flag", leaf.Path())
	}
	delete(sections, "Exit codes")
	assert.Empty(t, reflect.ValueOf(sections).MapKeys(), "sections of no command")
}

// drivers make a shell complete LINE with SCRIPT, and print each offer on a line.
var drivers = map[string]string{
	// bash calls the function with the line's words; = is a word, and a line that ends with a blank begins a new word. If
	// the function offers nothing, -o default offers files.
	"bash": `source "$SCRIPT"; read -ra COMP_WORDS <<<"${LINE//=/ = }"; [[ $LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _cloakroom
((${#COMPREPLY[@]})) || [[ $(complete -p cloakroom) != *' -o default '* ]] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
printf '%s\n' "${COMPREPLY[@]}"`,
	// zsh completes only in a terminal, so it gets one. Every completion ends in compadd; with -O, -A and -D it only
	// asks which words match.
	"zsh": `zmodload zsh/zpty; export ZDOTDIR=$HOME OUT=$HOME/offered
print -r -- '
autoload -Uz compinit && compinit -u -d "$ZDOTDIR/dump" # what compinit learns is kept for the next line
source "$SCRIPT"
compadd() {
    local -a words=()
    [[ ${argv[(r)-[a-zA-Z]#[OAD]]} == -* ]] || { builtin compadd -A words "$@"; print -lr -- $words >> "$OUT" }
    builtin compadd "$@"
}
offer() { BUFFER=$LINE CURSOR=$#LINE; zle complete-word; exit }
zle -N zle-line-init offer
' > $HOME/.zshrc
zpty shell zsh -d -i; while zpty -r shell text; do :; done; cat "$OUT"; rm "$OUT"`,
	"fish": `source "$SCRIPT"; complete -C "$LINE" | string split --fields 1 \t; true`,
}

// complete returns a shell's sorted offers for a line, with the script that the program prints. There are two files
// that begin with c.
func complete(t *testing.T, home, shell, line string) []string {
	t.Helper()
	got, script, stderr := start(t, "completion", shell)
	require.Zero(t, got, stderr)
	file, work := filepath.Join(t.TempDir(), "_cloakroom"), t.TempDir()
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	for _, name := range []string{"cloak.yml", "coat.graphqls"} {
		require.NoError(t, os.WriteFile(filepath.Join(work, name), nil, 0o600))
	}
	cmd := exec.CommandContext(t.Context(), shell, "-c", drivers[shell])
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "SCRIPT="+file, "LINE="+line, "HOME="+home, "XDG_CONFIG_HOME="+home, "TERM=dumb")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	offered := strings.Fields(string(out))
	slices.Sort(offered)
	return slices.Compact(offered)
}

// The real shells complete, with the scripts that the program prints.
func TestCompletion(t *testing.T) {
	var commands []string
	for _, child := range model(t).Children {
		commands = append(commands, child.Name)
	}
	slices.Sort(commands)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		home := t.TempDir()
		for line, want := range map[string][]string{
			"cloakroom ":                      commands,
			"cloakroom ser":                   {"serve"},
			"cloakroom help ke":               {"keys"},
			"cloakroom keys ":                 {"create"},
			"cloakroom dev --objects":         {"--objects-listen"},
			"cloakroom --help dev --da":       {"--data"},
			"cloakroom dev --log-level ":      {"debug", "error", "info", "warn"},
			"cloakroom dev --log-level=d":     {"debug"},
			"cloakroom lint --format s":       {"sarif"},
			"cloakroom completion z":          {"zsh"},
			"cloakroom serve --config c":      {"cloak.yml", "coat.graphqls"},
			"cloakroom lint c":                {"cloak.yml", "coat.graphqls"},
			"cloakroom lint --format json cl": {"cloak.yml"},
		} {
			t.Run(shell+" "+line, func(t *testing.T) {
				offered := complete(t, home, shell, line)
				for i, word := range offered { // fish repeats the flag
					offered[i] = strings.TrimPrefix(word, "--log-level=")
				}
				assert.Equal(t, want, offered)
			})
		}
	}
	t.Run("every command is in every script", func(t *testing.T) {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			_, script, _ := start(t, "completion", shell)
			for _, leaf := range model(t).Leaves(true) {
				assert.Contains(t, script, leaf.Name, shell)
				for _, flag := range leaf.Flags {
					assert.Contains(t, script, flag.Name, shell)
				}
			}
		}
	})
}
