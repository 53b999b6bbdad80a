package lint

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	versions = regexp.MustCompile(`IPv([46])`)
	births   = regexp.MustCompile(`DoB([A-Z]|$)`) // one word, although its capitals say two
)

// words returns the words of a name or text, in lower case and in the singular, one blank between them: socialSecurityNumber
// gives "social security number", userSSNs "user ssn", IPv4Address "ipv 4 address", address1 "address 1".
func words(s string) string {
	var b strings.Builder
	runes := []rune(births.ReplaceAllString(versions.ReplaceAllString(s, "Ipv$1"), "Dob$1"))
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return ' '
		}
		return runes[i]
	}
	for i, c := range runes {
		before, after := at(i-1), at(i+1)
		switch {
		case c == '\'' || c == '’':
			continue
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			b.WriteRune(' ')
			continue
		case unicode.IsDigit(c) && unicode.IsLetter(before),
			unicode.IsUpper(c) && (unicode.IsLower(before) || unicode.IsDigit(before)):
			b.WriteRune(' ')
		case unicode.IsUpper(c) && unicode.IsUpper(before) && unicode.IsLower(after) && (after != 's' || unicode.IsLower(at(i+2))):
			b.WriteRune(' ') // the last capital of an acronym begins the next word, except in a plural: SSNs
		}
		b.WriteRune(unicode.ToLower(c))
	}
	all := strings.Fields(b.String())
	for i := range all {
		all[i] = singular(all[i])
	}
	return strings.Join(all, " ")
}

// singular removes the ending of an English plural. Its result for other words does not matter: it changes the rules' words
// in the same way.
func singular(word string) string {
	switch {
	case len(word) < 3 || !strings.HasSuffix(word, "s") || strings.HasSuffix(word, "ss") || strings.HasSuffix(word, "us") || strings.HasSuffix(word, "is"):
		return word
	case strings.HasSuffix(word, "sses") || strings.HasSuffix(word, "xes"):
		return word[:len(word)-2]
	case len(word) > 4 && strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	}
	return word[:len(word)-1]
}

// phrase is what a rule looks for: words, or the same words written as one ("postal code", "postalcode").
type phrase struct{ spaced, joined string }

func phrases(texts []string) []phrase {
	all := make([]phrase, 0, len(texts))
	for _, text := range texts {
		if w := words(text); w != "" {
			all = append(all, phrase{w, strings.ReplaceAll(w, " ", "")})
		}
	}
	return all
}

// end returns the length of a text up to the end of the phrase in it, at the borders of words; 0 if the text lacks the
// phrase.
func (p phrase) end(text string) int {
	for _, form := range []string{p.spaced, p.joined} {
		if i := strings.LastIndex(" "+text+" ", " "+form+" "); i >= 0 {
			return i + len(form)
		}
	}
	return 0
}

func (p phrase) is(text string) bool { return text == p.spaced || text == p.joined }

func (p phrase) ends(text string) bool { return p.end(text) == len(text) && text != "" }
