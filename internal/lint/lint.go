// Package lint reports what looks wrong about @token in a GraphQL schema: sensitive fields without it, a concept that is a
// token only on input or only on output, and uses that can't work.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/directives"
)

// Ids of findings that are not in the rules file.
const (
	ruleSensitive   = "sensitive" // sensitive/ID of the rule
	ruleUntyped     = "untokened"
	ruleSides       = "one-sided"
	ruleInterface   = "interface"
	ruleUse         = "unworkable"
	ruleDeclaration = "declaration"
	ruleReason      = "ignore-without-reason"
	ruleUnused      = "ignore-unused"
)

// Finding is one thing that looks wrong.
type Finding struct {
	Rule       string `json:"rule"`
	Class      string `json:"class,omitempty"` // of a sensitive value
	Level      string `json:"level"`
	Coordinate string `json:"coordinate"`
	Message    string `json:"message"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
}

// Report has the findings in a schema.
type Report struct {
	Findings   []Finding `json:"findings"`
	Suppressed int       `json:"suppressed"`
}

// Failed reports whether something is worse than a note.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level != LevelNote })
}

// Check reads the schema in files, patterns and folders, and reports. An error means that the input can't be used; it joins
// all errors of the input, each with its file, line and column.
func Check(patterns []string, rules *Rules) (*Report, error) {
	sources, err := read(patterns)
	if err != nil {
		return nil, err
	}
	l := &linter{rules: rules, places: map[string]*ast.Position{}}
	if err := l.check(sources); err != nil {
		return nil, err
	}
	return l.report(), nil
}

func (l *linter) check(sources []*ast.Source) (err error) {
	if l.schema, err = l.load(sources); err != nil {
		return err
	}
	l.slots()
	l.sensitive()
	l.sides()
	l.interfaces()
	l.unworkable()
	return nil
}

type linter struct {
	rules   *Rules
	schema  *ast.Schema
	ignores []*ignore
	all     []*slot
	places  map[string]*ast.Position // by coordinate
	found   []Finding
}

// usesToken reports whether @token is anywhere in a document.
func usesToken(doc *ast.SchemaDocument) bool {
	for _, def := range append(slices.Clone(doc.Definitions), doc.Extensions...) {
		for _, f := range def.Fields {
			if f.Directives.ForName("token") != nil {
				return true
			}
			for _, a := range f.Arguments {
				if a.Directives.ForName("token") != nil {
					return true
				}
			}
		}
	}
	return false
}

// unworkable reports uses with which the runtime would refuse to start.
func (l *linter) unworkable() {
	var walk func(error)
	walk = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
			return
		}
		var wrong *directives.SchemaError
		if !errors.As(err, &wrong) {
			return
		}
		rule := ruleUse
		if wrong.Coordinate == "@token" {
			rule = ruleDeclaration
		}
		l.add(rule, wrong.Coordinate, "%s", wrong.Message)
	}
	walk(directives.CheckSchema(l.schema))
}

func (l *linter) add(rule, coordinate, format string, args ...any) {
	l.place(Finding{Rule: rule, Level: LevelError, Coordinate: coordinate, Message: fmt.Sprintf(format, args...)})
}

// place adds a finding, with the position of its coordinate.
func (l *linter) place(f Finding) {
	if p := l.places[f.Coordinate]; p != nil && p.Src != nil {
		f.File, f.Line, f.Column = p.Src.Name, p.Line, p.Column
	}
	l.found = append(l.found, f)
}

// report omits findings that comments suppress, and reports comments that are wrong.
func (l *linter) report() *Report {
	r := &Report{Findings: []Finding{}}
	for _, f := range l.found {
		if l.suppressed(f) {
			r.Suppressed++
			continue
		}
		r.Findings = append(r.Findings, f)
	}
	for _, i := range l.ignores {
		f := Finding{Coordinate: "#", Level: LevelWarning, File: i.source.Name, Line: i.line, Column: i.column}
		switch {
		case i.reason == "":
			f.Rule, f.Message = ruleReason, "cloakroom:ignore has no reason, and suppresses nothing: write the reason after it"
		case !i.used:
			f.Rule, f.Message = ruleUnused, "cloakroom:ignore suppresses nothing: remove it"
		default:
			continue
		}
		r.Findings = append(r.Findings, f)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule))
	})
	return r
}

func (l *linter) suppressed(f Finding) (yes bool) {
	for _, i := range l.ignores {
		if i.reason != "" && i.source.Name == f.File && i.target == f.Line {
			i.used, yes = true, true
		}
	}
	return yes
}
