package client_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// Creates both kinds for 1,000 tokens of a session without grants: durable, over loopback. "In process" is the same
// without GraphQL, HTTP and JSON.
func BenchmarkCreateGrants1000(b *testing.B) {
	g := gatewaytest.Start(b, nil)
	tokens := tokensOf(g, gatewaytest.Own)(b, 1000)
	remote := newClient(b, g.URL, g.Application(gatewaytest.Own), nil)
	local, err := g.Grants(gatewaytest.Own)
	require.NoError(b, err)
	for name, grants := range map[string]directives.Grants{"over GraphQL": remote, "in process": local} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				granted, err := grants.CreateGrants(b.Context(), fmt.Sprint(b.Name(), b.N, n), grantsOf(tokens))
				if err != nil || len(granted) != 1 || len(granted[0].Missing) > 0 {
					b.Fatal(len(granted), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/token")
		})
	}
}

// Verifies both kinds for 1,000 tokens, all held: one list of 2,000 checks.
func BenchmarkVerifyGrants1000(b *testing.B) {
	g := gatewaytest.Start(b, nil)
	tokens := tokensOf(g, gatewaytest.Own)(b, 1000)
	c := newClient(b, g.URL, g.Application(gatewaytest.Own), nil)
	_, err := c.CreateGrants(b.Context(), "s", grantsOf(tokens))
	require.NoError(b, err)
	checks := checksOf(tokens)
	b.ReportAllocs()
	for b.Loop() {
		missing, err := c.VerifyGrants(b.Context(), "s", checks)
		if err != nil || len(missing) > 0 {
			b.Fatal(len(missing), err)
		}
	}
}

func BenchmarkViewer(b *testing.B) {
	g := gatewaytest.Start(b, nil)
	c := newClient(b, g.URL, g.Application(gatewaytest.Own), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Viewer(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
