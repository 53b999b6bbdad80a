package main

import (
	"fmt"
	"os"

	"github.com/cloakroomhq/cloakroom/internal/lint"
)

type lintCommand struct {
	Schema     []string `arg:"" optional:"" help:"Schema files, patterns, or folders of them."`
	Format     string   `default:"text" enum:"text,json,sarif" help:"Form of the report: text, json or sarif."`
	Rules      string   `type:"existingfile" help:"Rules file to use in place of the built-in one."`
	PrintRules bool     `help:"Print the built-in rules file."`
}

// exit is an error that ends the program with a code of its own; without text nothing is printed.
type exit struct {
	code int
	text string
}

func (e *exit) Error() string { return e.text }

// Run reports what looks wrong in a schema: code 0 says nothing does that is worse than a note, 1 something, 2 that it
// can't be read.
func (c *lintCommand) Run(p *process) error {
	if c.PrintRules {
		_, err := p.out.Write(lint.DefaultRules)
		return err
	}
	report, err := c.check()
	if err != nil {
		return &exit{2, fmt.Sprint("lint: ", err)}
	}
	if err := lint.Write(p.out, c.Format, report); err != nil {
		return &exit{2, err.Error()}
	}
	if report.Failed() {
		return &exit{code: 1}
	}
	return nil
}

func (c *lintCommand) check() (*lint.Report, error) {
	if len(c.Schema) == 0 {
		return nil, fmt.Errorf("name a schema file, a pattern or a folder")
	}
	file := lint.DefaultRules
	if c.Rules != "" {
		var err error
		if file, err = os.ReadFile(c.Rules); err != nil {
			return nil, err
		}
	}
	rules, err := lint.ParseRules(file)
	if err != nil {
		return nil, err
	}
	return lint.Check(c.Schema, rules)
}
