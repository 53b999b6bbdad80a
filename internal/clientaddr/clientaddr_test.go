package clientaddr_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
)

func finder(t testing.TB, header string, hops ...string) *clientaddr.Finder {
	t.Helper()
	f, err := clientaddr.New(hops, header, nil)
	require.NoError(t, err)
	return f
}

func request(peer string, header string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", http.NoBody)
	r.RemoteAddr = peer
	for _, l := range lines {
		r.Header.Add(header, l)
	}
	return r
}

func TestXForwardedFor(t *testing.T) {
	f := finder(t, clientaddr.XForwardedFor, "10.0.0.0/8", "2001:db8:1::/48")
	for name, c := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"no header":                        {"203.0.113.5:99", nil, "203.0.113.5"},
		"a peer that is no hop":            {"203.0.113.5:99", []string{"198.51.100.1"}, "203.0.113.5"},
		"a hop":                            {"10.1.1.1:99", []string{"198.51.100.1"}, "198.51.100.1"},
		"a hop over IPv6":                  {"[2001:db8:1::5]:99", []string{"198.51.100.1"}, "198.51.100.1"},
		"a hop's IPv4 over IPv6":           {"[::ffff:10.1.1.1]:99", []string{"198.51.100.1"}, "198.51.100.1"},
		"what the client wrote":            {"10.1.1.1:99", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		"what the client wrote, in a line": {"10.1.1.1:99", []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		"a hop that the client wrote":      {"10.1.1.1:99", []string{"1.1.1.1, 10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		"two hops":                         {"10.1.1.1:99", []string{"1.1.1.1, 198.51.100.1, 10.2.2.2"}, "198.51.100.1"},
		"two hops, a line each":            {"10.1.1.1:99", []string{"1.1.1.1, 198.51.100.1", "10.2.2.2"}, "198.51.100.1"},
		"hops alone":                       {"10.1.1.1:99", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"a hop without the header":         {"10.1.1.1:99", nil, "10.1.1.1"},
		"a hop that names no address":      {"10.1.1.1:99", []string{"198.51.100.1, unknown"}, "10.1.1.1"},
		"a second hop that names none":     {"10.1.1.1:99", []string{"198.51.100.1, , 10.2.2.2"}, "10.2.2.2"},
		"an empty line":                    {"10.1.1.1:99", []string{"198.51.100.1", ""}, "10.1.1.1"},
		"with a port":                      {"10.1.1.1:99", []string{"198.51.100.1:1234"}, "198.51.100.1"},
		"IPv6":                             {"10.1.1.1:99", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":                 {"10.1.1.1:99", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":                 {"10.1.1.1:99", []string{"[2001:db8::7]:1234"}, "2001:db8::7"},
		"IPv6 with a zone":                 {"10.1.1.1:99", []string{"fe80::1%eth0"}, "fe80::1"},
		"IPv4 in IPv6":                     {"10.1.1.1:99", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a hop beyond the limit":           {"10.1.1.1:99", []string{"198.51.100.1" + strings.Repeat(", 10.2.2.2", 40)}, "10.2.2.2"},
		"a peer that is no address":        {"@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, f.Find(request(c.peer, clientaddr.XForwardedFor, c.lines...)).String())
		})
	}
	t.Run("ignored if the settings name the other header", func(t *testing.T) {
		r := request("10.1.1.1:99", clientaddr.Forwarded, "for=198.51.100.1")
		require.Equal(t, "10.1.1.1", f.Find(r).String())
	})
	t.Run("ignored without hops", func(t *testing.T) {
		r := request("10.1.1.1:99", clientaddr.XForwardedFor, "198.51.100.1")
		require.Equal(t, "10.1.1.1", finder(t, clientaddr.XForwardedFor).Find(r).String())
	})
}

func TestForwarded(t *testing.T) {
	f := finder(t, clientaddr.Forwarded, "10.0.0.0/8")
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"one":                                  {[]string{"for=198.51.100.1"}, "198.51.100.1"},
		"with other parameters":                {[]string{`proto=https;For="198.51.100.1:1234" ; by=10.1.1.1`}, "198.51.100.1"},
		"IPv6":                                 {[]string{`for="[2001:db8::7]"`}, "2001:db8::7"},
		"IPv6 with a port":                     {[]string{`for="[2001:db8::7]:1234"`}, "2001:db8::7"},
		"two hops":                             {[]string{`for=1.1.1.1, for=198.51.100.1;proto=http, for="10.2.2.2"`}, "198.51.100.1"},
		"a comma in quotes":                    {[]string{`for=1.1.1.1, for=198.51.100.1;host="a,b"`}, "198.51.100.1"},
		"a quote that the client left open":    {[]string{`for="1.1.1.1, for=198.51.100.1`}, "198.51.100.1"},
		"a quote that it left open, in a line": {[]string{`for="1.1.1.1`, `for=198.51.100.1`}, "198.51.100.1"},
		"an escaped quote that it left open":   {[]string{`for="\"1.1.1.1\, for=198.51.100.1`}, "198.51.100.1"},
		"obfuscated":                           {[]string{"for=1.1.1.1, for=_hidden"}, "10.1.1.1"},
		"unknown":                              {[]string{"for=1.1.1.1, for=unknown"}, "10.1.1.1"},
		"twice in one element":                 {[]string{"for=1.1.1.1;for=198.51.100.1"}, "10.1.1.1"},
		"IPv6 without quotes":                  {[]string{"for=[2001:db8::7]"}, "10.1.1.1"},
		"without for":                          {[]string{"for=1.1.1.1, proto=https"}, "10.1.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, f.Find(request("10.1.1.1:99", clientaddr.Forwarded, c.lines...)).String())
		})
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"198.51.100.1":         "198.51.100.1/32",
		"::ffff:198.51.100.1":  "198.51.100.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":  "2001:db8:1:2::/64",
		"2001:db8:1:3::":       "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		t.Run(address, func(t *testing.T) {
			require.Equal(t, want, clientaddr.Network(netip.MustParseAddr(address)).String())
		})
	}
	t.Run("of no address", func(t *testing.T) {
		require.Equal(t, netip.Prefix{}, clientaddr.Network(netip.Addr{}))
	})
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct{ hop, header string }{
		"a header of another name": {"10.0.0.0/8", "X-Real-IP"},
		"a hop that is no network": {"10.0.0.1", clientaddr.XForwardedFor},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := clientaddr.New([]string{c.hop}, c.header, nil)
			require.Error(t, err)
		})
	}
}

func TestWarnsOfAProxyThatIsNotNamed(t *testing.T) {
	for name, c := range map[string]struct {
		hops  []string
		peer  string
		times int
	}{
		"on loopback":        {nil, "127.0.0.1:99", 1},
		"in a private net":   {nil, "10.1.1.1:99", 1},
		"on the internet":    {nil, "203.0.113.5:99", 0},
		"beside one that is": {[]string{"10.2.0.0/16"}, "10.1.1.1:99", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f, err := clientaddr.New(c.hops, clientaddr.XForwardedFor, slog.New(slog.NewTextHandler(&log, nil)))
			require.NoError(t, err)
			for range 3 {
				f.Find(request(c.peer, clientaddr.XForwardedFor, "198.51.100.1"))
			}
			require.Equal(t, c.times, strings.Count(log.String(), "http.trusted_hops"))
			require.NotContains(t, log.String(), "198.51.100.1", "what a client can write is not logged")
		})
	}
}

// FuzzFind: whatever a client writes, the result is the address that the hop appended.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"", "1.1.1.1", `for="1.1.1.1`, `for=1.1.1.1;host="`, ", ,", `"\`, "for=_x, for=unknown", "[::1]:80", "::ffff:10.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, written string) {
		if strings.ContainsAny(written, "\r\n\x00") {
			return // net/http accepts no such header
		}
		for _, header := range []string{clientaddr.XForwardedFor, clientaddr.Forwarded} {
			find := finder(t, header, "10.0.0.0/8")
			own := map[string]string{clientaddr.XForwardedFor: "198.51.100.1", clientaddr.Forwarded: `proto=https;for="198.51.100.1:80"`}[header]
			require.Equal(t, "198.51.100.1", find.Find(request("10.1.1.1:9", header, written+", "+own)).String(), "appended to the line")
			require.Equal(t, "198.51.100.1", find.Find(request("10.1.1.1:9", header, written, own)).String(), "in a line of its own")
			got := find.Find(request("10.1.1.1:9", header, written)) // not appended by a hop: any result but a panic
			require.True(t, got.IsValid())
			require.Equal(t, clientaddr.Network(got), clientaddr.Network(got).Masked())
		}
	})
}
