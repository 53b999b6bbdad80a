package signin

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOpen: only sealed texts open, a state as a state and a cookie as a cookie.
func FuzzOpen(f *testing.F) {
	w := newWorld(f, nil)
	state, err := w.sealState(newState("clinic", appSite+"/", "browser", start))
	require.NoError(f, err)
	cookie, err := w.sealLogin(w.newLogin("clinic", w.assertion, start))
	require.NoError(f, err)
	for _, s := range []string{"", "A", state, cookie, state[:len(state)-1], state + "A", state + "=", state + "\n", cookie[1:], strings.Repeat("A", maxSealed+4)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := w.openState(text)
		require.Equal(t, text == state, err == nil)
		require.Equal(t, err == nil, s != nil)
		l, err := w.openLogin(text)
		require.Equal(t, text == cookie, err == nil)
		require.Equal(t, err == nil, l != nil)
	})
}

// FuzzPayload: a payload read from any bytes is written as the same bytes.
func FuzzPayload(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 2, 3})
	f.Add(appendText(appendMoment([]byte{version}, start), "text"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := readPayload(b)
		at := p.moment()
		text := p.text()
		if !p.complete() || at.UnixMilli() == 1<<63-1 {
			return
		}
		require.Equal(t, b, appendText(appendMoment([]byte{version}, at), text))
	})
}

var list = []string{"https://app.example", "https://pages.example/app/", "http://127.0.0.1:8082", "http://[::1]:8082/", "https://www.example:8443/a/b/"}

// FuzzReturnTo: an accepted target has a listed origin or prefix, both by net/url and by the more lenient parser of browsers.
func FuzzReturnTo(f *testing.F) {
	for _, entry := range list {
		for _, more := range []string{
			"", "/", "/x", "x", ".evil.example", "@evil.example", "/../evil", "/%2e%2e/x", "/..;/x", `\evil.example`, `/\evil.example`, "//evil.example", "/..\\x", "?x", "#x", ":443", ":80/", "/%0d%0aX: y",
			"/a?b=%2f..%2f", "\t/", "/\n", "%40evil.example", "/%", "/%zz", "/a;b/c", "/.", "/..", "/...", "/a/.b", "/%252e%252e/", "\u3002evil", "\uff0fevil", "/\u00e9",
		} {
			f.Add(entry + more)
			f.Add(strings.Replace(entry, "https:", "http:", 1) + more)
			f.Add(strings.ToUpper(entry) + more)
			f.Add(" " + entry + more)
			f.Add(strings.Replace(entry, "//", "", 1) + more)
			f.Add(strings.Replace(entry, "//", "////", 1) + more)
			f.Add(strings.Replace(entry, "//", `\\`, 1) + more)
		}
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !allowed(list, target) {
			return
		}
		u, err := url.Parse(target)
		require.NoError(t, err)
		require.Nil(t, u.User)
		require.Empty(t, u.Fragment)
		require.True(t, listed(u.Scheme+"://"+u.Host, u.EscapedPath()), "by net/url: %q", target)
		origin, path := readAsBrowser(t, target)
		require.True(t, listed(origin, path), "as a browser reads it: %q is %s%s", target, origin, path)
		require.NotContains(t, target, "\n")
	})
}

// listed applies the rule to the parts of a URL.
func listed(origin, path string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return origin == entry || strings.HasSuffix(entry, "/") && strings.HasPrefix(origin+path, entry)
	})
}

// readAsBrowser returns the origin and the path of an absolute URL of a special scheme, by the WHATWG URL standard, section
// 4.4.
func readAsBrowser(t *testing.T, s string) (origin, path string) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	scheme, rest, ok := strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	require.True(t, ok && (scheme == "https" || scheme == "http"), "not a scheme of the web: %q", s)
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
	authority, path, _ := strings.Cut(rest, "/")
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host, port := authority, ""
	if at := strings.LastIndexByte(authority, ':'); at > strings.LastIndexByte(authority, ']') {
		host, port = authority[:at], strings.TrimLeft(authority[at+1:], "0")
	}
	host, err := url.PathUnescape(host)
	require.NoError(t, err)
	host = strings.ToLower(host)
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && strings.HasPrefix(host, "[") {
		host = "[" + ip.String() + "]"
	}
	if port != "" && (scheme != "https" || port != "443") && (scheme != "http" || port != "80") {
		host += ":" + port
	}
	var steps []string
	all := strings.Split(path, "/")
	for n, step := range all {
		last := n == len(all)-1
		switch strings.ReplaceAll(strings.ToLower(step), "%2e", ".") {
		case ".":
		case "..":
			steps = steps[:max(0, len(steps)-1)]
		default:
			steps = append(steps, step)
			continue
		}
		if last {
			steps = append(steps, "")
		}
	}
	return scheme + "://" + host, "/" + strings.Join(steps, "/")
}
