package main

import (
	"fmt"
	"os"

	"github.com/cloakroomhq/cloakroom/internal/lint"
)

type lintCommand struct {
	Schema     []string `arg:"" optional:"" help:"Schema files, patterns, or folders of them."`
	Gqlgen     string   `placeholder:"FILE" help:"gqlgen.yml of a backend in Go: report what it lacks for @token, and look at the schema that it names."`
	Format     string   `default:"text" enum:"text,json,sarif" help:"Form of the report: text, json or sarif."`
	Rules      string   `type:"existingfile" help:"Rules file to use in place of the built-in one."`
	PrintRules bool     `help:"Print the built-in rules file."`
}

// exit is an error that ends the program with its code; without text nothing is printed.
type exit struct {
	code int
	text string
}

func (e *exit) Error() string { return e.text }

// Run reports problems of a schema. The exit code is 0 for none worse than a note, 1 for some, and 2 if the schema can't be
// read.
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
	bindings, err := c.bindings()
	if err != nil {
		return nil, err
	}
	if len(c.Schema) == 0 {
		return nil, fmt.Errorf("name a schema file, a pattern or a folder")
	}
	file := lint.DefaultRules
	if c.Rules != "" {
		if file, err = os.ReadFile(c.Rules); err != nil {
			return nil, err
		}
	}
	rules, err := lint.ParseRules(file)
	if err != nil {
		return nil, err
	}
	report, err := lint.Check(c.Schema, rules)
	if err == nil {
		report.Findings = append(bindings, report.Findings...)
	}
	return report, err
}
