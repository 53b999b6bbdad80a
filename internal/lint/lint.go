// Package lint reports what looks wrong about @token in a GraphQL schema: sensitive fields without it, a concept
// that is a token on the way in only or on the way out only, and uses that can't work.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/cloakroomhq/cloakroom/directives"
)

// Ids of findings that no rules file names.
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
	Coordinate string `json:"coordinate"`
	Message    string `json:"message"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
}

// Report is what was found in a schema.
type Report struct {
	Findings   []Finding `json:"findings"`
	Suppressed int       `json:"suppressed"`
}

// Check reads the schema in files, patterns and folders, and reports. An error means that the input can't be used.
func Check(patterns []string, rules *Rules) (*Report, error) {
	sources, err := read(patterns)
	if err != nil {
		return nil, err
	}
	l := &linter{rules: rules, places: map[string]*ast.Position{}}
	for _, s := range sources {
		found, err := ignores(s)
		if err != nil {
			return nil, err
		}
		l.ignores = append(l.ignores, found...)
	}
	if l.schema, err = l.load(sources); err != nil {
		return nil, err
	}
	l.slots()
	l.sensitive()
	l.sides()
	l.interfaces()
	l.unworkable()
	return l.report(), nil
}

type linter struct {
	rules   *Rules
	schema  *ast.Schema
	ignores []*ignore
	all     []*slot
	places  map[string]*ast.Position // by coordinate
	found   []Finding
}

// load reads the schema. Where it uses @token without a declaration that is a finding, and the declaration is
// supplied so that the rest can be looked at.
func (l *linter) load(sources []*ast.Source) (*ast.Schema, error) {
	doc, err := parser.ParseSchemas(append([]*ast.Source{validator.Prelude}, sources...)...)
	if err != nil {
		return nil, err
	}
	l.places["@token"] = &ast.Position{Src: sources[0], Line: 1, Column: 1}
	if d := doc.Directives.ForName("token"); d != nil {
		l.places["@token"] = d.Position
	} else {
		own, err := parser.ParseSchemas(&ast.Source{Name: "token.graphqls", Input: directives.Declaration, BuiltIn: true},
			&ast.Source{Name: "tokenid.graphqls", Input: directives.TokenIDDeclaration, BuiltIn: true})
		if err != nil {
			return nil, err
		}
		doc.Directives = append(doc.Directives, own.Directives...)
		for _, d := range own.Definitions {
			if doc.Definitions.ForName(d.Name) == nil {
				doc.Definitions = append(doc.Definitions, d)
			}
		}
		if used(doc) {
			l.add(ruleDeclaration, "@token", "is used and not declared: include Cloakroom's token.graphqls in the schema")
		}
	}
	schema, err := validator.ValidateSchemaDocument(doc)
	if err != nil {
		return nil, err
	}
	return schema, nil
}

// used reports whether @token stands anywhere in a document.
func used(doc *ast.SchemaDocument) bool {
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

// unworkable reports what the runtime would refuse to start with.
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
	f := Finding{Rule: rule, Coordinate: coordinate, Message: fmt.Sprintf(format, args...)}
	if p := l.places[coordinate]; p != nil && p.Src != nil {
		f.File, f.Line, f.Column = p.Src.Name, p.Line, p.Column
	}
	l.found = append(l.found, f)
}

// report leaves out what comments suppress, and says which comments are wrong.
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
		f := Finding{Coordinate: "#", File: i.source.Name, Line: i.line, Column: i.column}
		switch {
		case i.reason == "":
			f.Rule, f.Message = ruleReason, "cloakroom:ignore says no reason, and suppresses nothing: write why behind it"
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
