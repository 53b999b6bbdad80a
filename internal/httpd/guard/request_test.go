package guard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAcceptRanges: all ranges that real clients send are read; of thousands, only the first.
func TestAcceptRanges(t *testing.T) {
	for name, test := range map[string]struct {
		accept []string
		want   []string
	}{
		"none":       {nil, nil},
		"one":        {[]string{"application/json"}, []string{"application/json"}},
		"parameters": {[]string{"a/b;q=0.5, c/d"}, []string{"a/b;q=0.5", " c/d"}},
		"two lines":  {[]string{"a/b", "c/d,e/f"}, []string{"a/b", "c/d", "e/f"}},
		"a long one": {[]string{"a/b,c/d;e=" + strings.Repeat("f", maxAccept) + ",g/h"}, []string{"a/b"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, AcceptRanges(test.accept)) })
	}
	for name, accept := range map[string][]string{
		"thousands": {strings.Repeat("a/b,", 8000)}, "commas": {strings.Repeat(",", 30_000)}, "lines": strings.Split(strings.Repeat("a/b,", 8000), ","),
	} {
		t.Run(name, func(t *testing.T) { require.Len(t, AcceptRanges(accept), maxRanges) })
	}
}
