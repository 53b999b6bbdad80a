package signin

import (
	"strconv"
	"strings"
)

// maxTarget limits a return_to, in bytes, so that a state stays below maxSealed.
const maxTarget = 2000

// returnTo returns where the browser goes after the sign-in, by default to the provider's first entry, and whether the
// provider's list allows it.
func (p *provider) returnTo(requested string, given bool) (string, bool) {
	if !given {
		requested = strings.TrimSuffix(p.ReturnTo[0], "/") + "/"
	}
	return requested, allowed(p.ReturnTo, requested)
}

// allowed reports whether a target has a listed origin, or is below a listed prefix. URL parsers differ, and a browser's is
// lenient: so a target must have a form that all of them read alike, and is compared as text.
func allowed(list []string, target string) bool {
	origin, path, ok := splitTarget(target)
	if !ok {
		return false
	}
	for _, entry := range list {
		if origin == entry || strings.HasSuffix(entry, "/") && strings.HasPrefix(origin+path, entry) {
			return true
		}
	}
	return false
}

// splitTarget returns the origin and the path of a target. It refuses what parsers read in different ways: users,
// backslashes, white space, characters outside of ASCII, fragments, dot segments, empty segments, and escapes that hide any
// of these. It does not check whether the host is canonical, because the listed hosts are.
func splitTarget(s string) (origin, path string, ok bool) {
	if len(s) > maxTarget || strings.ContainsFunc(s, ambiguous) {
		return "", "", false
	}
	scheme := "https://"
	if !strings.HasPrefix(s, scheme) {
		if scheme = "http://"; !strings.HasPrefix(s, scheme) {
			return "", "", false
		}
	}
	base, query, _ := strings.Cut(s, "?")
	authority := base[min(len(scheme), len(base)):]
	if slash := strings.IndexByte(authority, '/'); slash >= 0 {
		authority, path = authority[:slash], authority[slash:]
	} else if len(base) != len(s) {
		return "", "", false // a query directly after the host
	}
	if strings.ContainsAny(authority, "@%") || !validSegments(path) || !validEscapes(path, "/\\.%") || !validEscapes(query, "") {
		return "", "", false
	}
	return scheme + authority, path, true
}

func ambiguous(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\\\"<>^`{|}#", r) }

// validSegments reports whether a path has no empty segment and no dot segment, with or without parameters.
func validSegments(path string) bool {
	if path == "" || path == "/" {
		return true
	}
	for step := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		step, _, _ = strings.Cut(step, ";")
		if step == "" || step == "." || step == ".." {
			return false
		}
	}
	return true
}

// validEscapes reports whether every escape is valid (RFC 3986, section 2.1) and hides neither a control character nor one
// of those in hidden.
func validEscapes(s, hidden string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if i+2 >= len(s) {
			return false
		}
		b, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil || b < ' ' || b == 0x7f || strings.IndexByte(hidden, byte(b)) >= 0 {
			return false
		}
		i += 2
	}
	return true
}
