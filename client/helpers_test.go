package client_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/grantstest"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// counter counts the requests that go over the network.
type counter struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

func newClient(t testing.TB, url string, credentials gatewaytest.Credentials, change func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{Endpoint: url, Credentials: credentials, Timeout: 30 * time.Second}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	require.NoError(t, err)
	return c
}

// tokensOf returns the first n tokens of a tenant's list, which grows as needed.
func tokensOf(g *gatewaytest.Gateway, tenant string) func(testing.TB, int) []string {
	var made []string
	return func(t testing.TB, n int) []string {
		t.Helper()
		c := newClient(t, g.URL, g.Session(tenant, "the session that made them"), nil)
		for len(made) < n {
			batch, err := c.TokenizeBatch(t.Context(), make([]client.Value, min(n-len(made), 1000)))
			require.NoError(t, err)
			for _, b := range batch {
				made = append(made, b.Token)
			}
		}
		return made[:n:n]
	}
}

// backend returns a backend for the contract suite: grants over HTTP, with every request counted.
func backend(t testing.TB, g *gatewaytest.Gateway) grantstest.Backend {
	count := &counter{RoundTripper: http.DefaultTransport}
	c := newClient(t, g.URL, g.Application(gatewaytest.Own), func(o *client.Options) {
		o.HTTPClient, o.Timeout = &http.Client{Transport: count}, time.Minute
	})
	return grantstest.Backend{
		Grants: c, Tokens: tokensOf(g, gatewaytest.Own), Foreign: tokensOf(g, gatewaytest.Other),
		Default: g.Config.Grants.DefaultDuration, Requests: func() int { return int(count.n.Load()) },
		Revoke: func(t testing.TB, session string, tokens []string) {
			t.Helper()
			_, err := c.RevokeGrants(t.Context(), client.Revocation{Session: session, Tokens: tokens})
			require.NoError(t, err)
		},
	}
}

func grantsOf(tokens []string) []directives.Grant {
	return []directives.Grant{{Tokens: tokens, Kinds: []directives.GrantKind{directives.GrantKindRead, directives.GrantKindStore}}}
}

// checksOf returns checks of both kinds.
func checksOf(tokens []string) []directives.Check {
	checks := make([]directives.Check, 0, 2*len(tokens))
	for _, token := range tokens {
		checks = append(checks, directives.Check{Token: token, Kind: directives.GrantKindRead}, directives.Check{Token: token, Kind: directives.GrantKindStore})
	}
	return checks
}
