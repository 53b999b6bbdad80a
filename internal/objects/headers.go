package objects

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The policy of this file: a string from an end user becomes a header's value only if it can't
// add anything else to the header; otherwise it is replaced.

const (
	maxContentType = 255 // bytes
	maxFilename    = 200 // bytes of UTF-8; file systems stop at 255
)

// ContentType returns s if it is a media type (RFC 9110, section 8.3.1: type/subtype and
// parameters, at most one space after each semicolon), else DefaultContentType.
func ContentType(s string) string {
	if !mediaType(s) {
		return DefaultContentType
	}
	return s
}

func mediaType(s string) bool {
	if len(s) > maxContentType {
		return false
	}
	rest, ok := cutToken(s)
	if !ok || rest == "" || rest[0] != '/' {
		return false
	}
	if rest, ok = cutToken(rest[1:]); !ok {
		return false
	}
	for rest != "" {
		if rest[0] != ';' {
			return false
		}
		if rest, ok = cutToken(strings.TrimPrefix(rest[1:], " ")); !ok || rest == "" || rest[0] != '=' {
			return false
		}
		if rest, ok = cutValue(rest[1:]); !ok {
			return false
		}
	}
	return true
}

// cutToken removes one token (RFC 9110, section 5.6.2) from the front.
func cutToken(s string) (rest string, ok bool) {
	i := 0
	for i < len(s) && tokenByte(s[i]) {
		i++
	}
	return s[i:], i > 0
}

// cutValue removes a token or a quoted string without escapes from the front. It refuses runs of
// spaces, because SigV4 folds them in a header's value and browsers don't.
func cutValue(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return cutToken(s)
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[i+1:], true
		case c < 0x20 || c > 0x7e || c == '\\' || (c == ' ' && s[i-1] == ' '):
			return "", false
		}
	}
	return "", false
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// Attachment returns the Content-Disposition that saves a response under a file name (RFC 6266):
// a quoted ASCII name, and for other names also filename* (RFC 5987 encoding). It removes directories,
// control characters, and invisible characters, which can disguise an extension.
func Attachment(filename string) string {
	name := cleanFilename(filename)
	if name == "" {
		return "attachment"
	}
	ascii, changed := asciiName(name)
	b := make([]byte, 0, len(name)*4+40)
	b = append(b, `attachment; filename="`...)
	b = append(b, ascii...)
	b = append(b, '"')
	if changed {
		b = append(b, "; filename*=UTF-8''"...)
		b = appendEscaped(b, name)
	}
	return string(b)
}

// cleanFilename removes characters that are not printable or not allowed in file names, and cuts the
// name to maxFilename bytes.
func cleanFilename(s string) string {
	if plainName(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '_'
		case r == utf8.RuneError || !unicode.IsPrint(r): // format characters (bidi) are not printable
			return -1
		}
		return r
	}, s)
	s = strings.Trim(s, " .")
	if len(s) <= maxFilename {
		return s
	}
	end := maxFilename
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " .")
}

// plainName reports whether a name needs no change, which saves an allocation in the common case.
func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return len(s) <= maxFilename && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

// asciiName replaces characters that not every browser reads in a quoted string: quotes, backslashes,
// percent signs (some browsers decode them) and all outside ASCII.
func asciiName(s string) (ascii string, changed bool) {
	ascii = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, s)
	return ascii, ascii != s
}

// printable reports whether s is visible ASCII and spaces only.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
