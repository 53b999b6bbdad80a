package lint

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// DefaultRules is the rules file that is used where none is named.
//
//go:embed rules.yaml
var DefaultRules []byte

// Rules say what looks sensitive.
type Rules struct {
	Sensitive []Rule   `yaml:"sensitive"`
	Harmless  []string `yaml:"harmless"` // words that end a harmless name
	Types     []string `yaml:"types"`    // types of which nothing is reported
	Common    []string `yaml:"common"`   // names that mean different things in different places
}

// Rule is one kind of sensitive value.
type Rule struct {
	ID           string   `yaml:"id"`
	What         string   `yaml:"what"`
	Names        []string `yaml:"names"`
	Descriptions []string `yaml:"descriptions"`
}

// ParseRules reads a rules file. Keys that it does not know are errors: a misspelt one would switch rules off.
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
	for _, rule := range r.Sensitive {
		if rule.ID == "" || rule.What == "" || seen[rule.ID] {
			return nil, fmt.Errorf("rules: sensitive: %q: each needs an id of its own, and what", rule.ID)
		}
		seen[rule.ID] = true
	}
	return r, nil
}

// match returns the rule that a name or, failing that, a description falls under.
func (r *Rules) match(name, description string) (rule *Rule, byName bool) {
	w := words(name)
	for _, h := range r.Harmless {
		if strings.HasSuffix(" "+w, " "+words(h)) {
			return nil, false
		}
	}
	for i := range r.Sensitive {
		if slices.ContainsFunc(r.Sensitive[i].Names, within(w)) {
			return &r.Sensitive[i], true
		}
	}
	for i := range r.Sensitive {
		if slices.ContainsFunc(r.Sensitive[i].Descriptions, within(words(description))) {
			return &r.Sensitive[i], false
		}
	}
	return nil, false
}

// within reports whether a phrase stands in a text, at the borders of words.
func within(text string) func(phrase string) bool {
	return func(phrase string) bool {
		p := words(phrase)
		return p != "" && strings.Contains(" "+text+" ", " "+p+" ")
	}
}

// words returns the words of a name or text in lower case, one blank between them: socialSecurityNumber, SSN2.
func words(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, c := range runes {
		switch {
		case c == '\'':
			continue
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			b.WriteRune(' ')
			continue
		case unicode.IsUpper(c) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1])):
			b.WriteRune(' ')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
