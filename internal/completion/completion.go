// Package completion writes the scripts by which bash, zsh and fish complete a program's command line. They are generated
// from kong's model of the commands, so that new commands and flags are completed too.
package completion

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are the shells that Write supports.
var Shells = []string{"bash", "zsh", "fish"}

// Write writes the script for a shell. It returns an error for any other shell, and the errors of w.
func Write(w io.Writer, shell string, app *kong.Application) error {
	writers := map[string]func(*strings.Builder, string, []command){"bash": bash, "zsh": zsh, "fish": fish}
	write, ok := writers[shell]
	if !ok {
		return fmt.Errorf("completion: %q is none of %s", shell, strings.Join(Shells, ", "))
	}
	var b strings.Builder
	write(&b, app.Name, commands(app.Node, nil))
	_, err := io.WriteString(w, b.String())
	return err
}

// command is one node of the command line; the program itself is the one without a path.
type command struct {
	path     []string // "keys", "create"
	children []word
	flags    []flag
	args     []string // words that its positional arguments may be
	files    bool     // its positional arguments name files
}

type word struct{ name, help string }

type flag struct {
	word
	short  string
	bare   bool     // takes no value
	values []string // the allowed values; none: a file or anything else
}

// commands returns a node and all below it, parents first.
func commands(n *kong.Node, path []string) []command {
	c := command{path: path}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			one := flag{word: word{f.Name, f.Help}, bare: f.IsBool(), values: values(f.Value)}
			if f.Short != 0 {
				one.short = string(f.Short)
			}
			c.flags = append(c.flags, one)
		}
	}
	for _, p := range n.Positional {
		c.args = append(c.args, values(p)...)
		if p.Name == "command" { // the argument of help
			c.args = append(c.args, names(root(n))...)
		}
		c.files = c.files || len(c.args) == 0
	}
	var below []command
	for _, child := range n.Children {
		if child.Hidden {
			continue
		}
		c.children = append(c.children, word{child.Name, child.Help})
		below = append(below, commands(child, append(path[:len(path):len(path)], child.Name))...)
	}
	return append([]command{c}, below...)
}

func root(n *kong.Node) *kong.Node {
	for n.Parent != nil {
		n = n.Parent
	}
	return n
}

// names returns the commands below a node.
func names(n *kong.Node) (all []string) {
	for _, child := range n.Children {
		if !child.Hidden {
			all = append(all, child.Name)
		}
	}
	return all
}

func values(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	var all []string
	for _, s := range strings.Split(v.Enum, ",") {
		all = append(all, strings.TrimSpace(s))
	}
	return all
}

// words returns the words that may follow a command, besides files.
func (c *command) words() (all []string) {
	for _, child := range c.children {
		all = append(all, child.name)
	}
	return append(all, c.args...)
}

// quote quotes any text as one word of a POSIX shell, and of fish.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
