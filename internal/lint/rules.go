package lint

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultRules is the rules file that is used if none is given.
//
//go:embed rules.yaml
var DefaultRules []byte

// Levels of findings, as SARIF names them. A note alone does not fail a run.
const (
	LevelError   = "error"
	LevelWarning = "warning"
	LevelNote    = "note"
)

// Rules say what looks sensitive.
type Rules struct {
	Classes   map[string]Class `yaml:"classes"`
	Sensitive []Rule           `yaml:"sensitive"`
	Harmless  []string         `yaml:"harmless"` // words that end a harmless name
	Types     []string         `yaml:"types"`    // types whose fields are not reported
	Dates     []string         `yaml:"dates"`    // types whose fields only rules about dates report
	Common    []string         `yaml:"common"`   // names that mean different things in different places
	Places    []string         `yaml:"places"`   // words of names that are about a place or a business
	People    []string         `yaml:"people"`   // words of names that are about a person in spite of Places

	Actions []string `yaml:"actions"` // first words of the names of mutations that return no such value

	harmless, places, people []phrase
}

// Class has the settings that rules share.
type Class struct {
	Level    string `yaml:"level"`
	Advice   string `yaml:"advice"`
	Personal bool   `yaml:"personal"` // the values of a place or a business are public
	Input    struct {
		Level  string `yaml:"level"`
		Advice string `yaml:"advice"`
	} `yaml:"input"` // for arguments and input fields, if different
}

// Rule is one kind of sensitive value. A name matches if it contains a phrase of Names, is one of Exact, or ends with one of
// Ends, and contains no phrase of Unless.
type Rule struct {
	ID           string   `yaml:"id"`
	Class        string   `yaml:"class"`
	What         string   `yaml:"what"`
	Level        string   `yaml:"level"`  // "": the class's
	Advice       string   `yaml:"advice"` // "": the class's
	Names        []string `yaml:"names"`
	Exact        []string `yaml:"exact"`
	Ends         []string `yaml:"ends"`
	Unless       []string `yaml:"unless"`
	Owners       []string `yaml:"owners"`        // only in types whose names end with these; empty: in all
	ExceptOwners []string `yaml:"except_owners"` // not in types that have these in their name
	ExceptTypes  []string `yaml:"except_types"`  // not of fields of these types
	Descriptions []string `yaml:"descriptions"`
	Dates        bool     `yaml:"dates"` // a date is a value of this kind too

	names, exact, ends, unless, owners, exceptOwners, descriptions []phrase
}

// ParseRules reads a rules file. Unknown keys are errors, because a misspelt key would switch rules off.
func ParseRules(file []byte) (*Rules, error) {
	r := &Rules{}
	d := yaml.NewDecoder(bytes.NewReader(file))
	d.KnownFields(true)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(r.Sensitive) == 0 {
		return nil, errors.New("rules: sensitive: there are none")
	}
	seen := map[string]bool{}
	for i := range r.Sensitive {
		rule := &r.Sensitive[i]
		if rule.ID == "" || rule.What == "" || seen[rule.ID] {
			return nil, fmt.Errorf("rules: sensitive: %q: each needs an id of its own, and what", rule.ID)
		}
		seen[rule.ID] = true
		if _, known := r.Classes[rule.Class]; rule.Class != "" && !known {
			return nil, fmt.Errorf("rules: sensitive: %q: classes has no %q", rule.ID, rule.Class)
		}
		class := r.Classes[rule.Class]
		for _, level := range []string{rule.Level, class.Level, class.Input.Level} {
			if !slices.Contains([]string{"", LevelError, LevelWarning, LevelNote}, level) {
				return nil, fmt.Errorf("rules: %q: the level %q is none of error, warning, note", rule.ID, level)
			}
		}
		rule.prepare()
	}
	r.harmless, r.places, r.people = phrases(r.Harmless), phrases(r.Places), phrases(r.People)
	return r, nil
}

func (r *Rule) prepare() {
	r.names, r.exact, r.ends, r.unless = phrases(r.Names), phrases(r.Exact), phrases(r.Ends), phrases(r.Unless)
	r.owners, r.exceptOwners, r.descriptions = phrases(r.Owners), phrases(r.ExceptOwners), phrases(r.Descriptions)
}

// level returns the level and the advice for a value of a rule's kind that is no token.
func (r *Rules) level(rule *Rule, input bool) (level, advice string) {
	class := r.Classes[rule.Class]
	level, advice = firstOf(rule.Level, class.Level, LevelWarning), firstOf(rule.Advice, class.Advice, "store it by a token and annotate it with @token")
	if input {
		level, advice = firstOf(class.Input.Level, level), firstOf(class.Input.Advice, advice)
	}
	return level, advice
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// match returns the rule that a field matches by its name, by the name of its type or, failing both, by its description.
func (r *Rules) match(owner, name, typ, description string) (rule *Rule, by string) {
	owner, name = words(owner), words(name)
	public := r.ofPlace(owner, name)
	applies := func(rule *Rule) bool { return rule.in(owner, typ) && (!public || !r.Classes[rule.Class].Personal) }
	for i := range r.Sensitive {
		rule := &r.Sensitive[i]
		if end := rule.matchEnd(name); end > 0 && applies(rule) && !r.isHarmless(name, end) {
			return rule, byName
		}
	}
	if r.isHarmless(name, 0) {
		return nil, ""
	}
	if kind := words(typ); !slices.Contains(builtInScalars, typ) && !slices.Contains(r.Dates, typ) && !r.isHarmless(kind, 0) {
		for i := range r.Sensitive {
			if rule := &r.Sensitive[i]; rule.names != nil && !rule.excepts(name) && rule.matchEnd(kind) > 0 && applies(rule) {
				return rule, byType
			}
		}
	}
	sentence := words(firstSentence(description))
	for i := range r.Sensitive {
		rule := &r.Sensitive[i]
		if applies(rule) && !rule.excepts(name) && slices.ContainsFunc(rule.descriptions, func(p phrase) bool { return mentions(sentence, p) }) {
			return rule, byDescription
		}
	}
	return nil, ""
}

// The part of a field that a rule has matched.
const (
	byName        = "name"
	byType        = "type"
	byDescription = "description"
)

var builtInScalars = []string{"String", "ID", "Int", "Float", "Boolean"}

// ofPlace reports whether a field is about a place or a business, and not about a person in it.
func (r *Rules) ofPlace(owner, name string) bool {
	has := func(list []phrase) bool {
		return slices.ContainsFunc(list, func(p phrase) bool { return p.end(owner) > 0 || p.end(name) > 0 })
	}
	return has(r.places) && !has(r.people)
}

// matchEnd returns the end of the rule's phrase in a name; 0 if the name has none.
func (r *Rule) matchEnd(name string) (end int) {
	if r.excepts(name) {
		return 0
	}
	for _, p := range r.names {
		end = max(end, p.end(name))
	}
	if slices.ContainsFunc(r.exact, func(p phrase) bool { return p.is(name) }) || slices.ContainsFunc(r.ends, func(p phrase) bool { return p.ends(name) }) {
		end = len(name)
	}
	return end
}

func (r *Rule) excepts(name string) bool {
	return slices.ContainsFunc(r.unless, func(p phrase) bool { return p.end(name) > 0 })
}

// in reports whether a rule holds in a type with this name, for fields of this type.
func (r *Rule) in(owner, typ string) bool {
	if slices.Contains(r.ExceptTypes, typ) || slices.ContainsFunc(r.exceptOwners, func(p phrase) bool { return p.end(owner) > 0 }) {
		return false
	}
	return len(r.owners) == 0 || slices.ContainsFunc(r.owners, func(p phrase) bool { return p.ends(bare(owner)) })
}

// isHarmless reports whether a name ends with a harmless word after the phrase that a rule has found: passwordUpdatedAt, but
// not nationalId, whose last word is part of the phrase.
func (r *Rules) isHarmless(name string, found int) bool {
	return found < len(name) && slices.ContainsFunc(r.harmless, func(p phrase) bool { return p.ends(name) })
}

// mentions reports whether a sentence contains a phrase and does not negate it.
func mentions(sentence string, p phrase) bool {
	end := p.end(sentence)
	if end == 0 {
		return false
	}
	before := strings.Fields(sentence[:max(0, end-len(p.spaced))])
	for _, word := range before[max(0, len(before)-3):] {
		if slices.Contains([]string{"no", "not", "non", "never", "without", "instead", "masked", "redacted", "last", "whether", "if"}, word) {
			return false
		}
	}
	return true
}

func firstSentence(text string) string {
	sentence, _, _ := strings.Cut(strings.ReplaceAll(text, "\n", " "), ". ")
	return sentence
}
