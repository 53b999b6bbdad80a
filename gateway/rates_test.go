package gateway_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// asked is the answer to a GraphQL request.
type asked struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, g *gatewaytest.Gateway, jwt, query string, headers ...string) asked {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/graphql", strings.NewReader(`{"query":"`+query+`"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if jwt != "" {
		r.Header.Set("Authorization", "Bearer "+jwt)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return asked{answer.StatusCode, answer.Header, string(body)}
}

func requireLimited(t *testing.T, a asked, status int) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Contains(t, a.body, `"code":"RATE_LIMITED"`)
	require.Regexp(t, `"retryAfter":[1-9]`, a.body)
	require.Regexp(t, `^[1-9][0-9]*$`, a.header.Get("Retry-After"))
}

func metrics(t *testing.T, g *gatewaytest.Gateway) string {
	t.Helper()
	answer, err := http.Get(g.URL + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}

var tokenOf = regexp.MustCompile(`tok-[0-9a-f-]{36}`)

// almostNever is a rate whose bucket gains nothing while a test runs.
func almostNever(burst int64) gateway.Rate { return gateway.Rate{PerSecond: 0.001, Burst: burst} }

func start(t *testing.T, change func(*gateway.Config)) *gatewaytest.Gateway {
	return gatewaytest.Start(t, func(c *gateway.Config) {
		c.Rates = gateway.DefaultConfig().Rates
		c.Tokens.MaxBatch = 2
		change(c)
	})
}

func jwtOf(t *testing.T, c gatewaytest.Credentials) string {
	t.Helper()
	token, _, err := c(context.Background())
	require.NoError(t, err)
	return token
}

func TestRatesOfASession(t *testing.T) {
	const one, two = `mutation { tokenize { token } }`, `mutation { tokenizeBatch(inputs: [{}, {}]) { token } }`
	t.Run("tokens reserved, whatever credential names the session", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.TokensReserved.Session = almostNever(3) })
		require.NotContains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), two).body, "errors")
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), two), http.StatusOK)
		require.NotContains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), one).body, "errors")
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), one), http.StatusOK)
		require.NotContains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "2")), two).body, "errors", "another session")
		require.Contains(t, metrics(t, g), `cloakroom_rate_limited_total{by="session",tenant="app",thing="tokens_reserved"} 2`)
	})
	t.Run("bytes reserved, of unknown size too", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) {
			c.Objects.MaxSize, c.Objects.MaxUnsizedSize = 100, 40
			c.Rates.BytesReserved.Session = almostNever(150)
		})
		session := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		require.NotContains(t, ask(t, g, session, two).body, "errors")
		requireLimited(t, ask(t, g, session, `mutation { tokenize(input: {size: 80}) { token } }`), http.StatusOK)
		require.Contains(t, ask(t, g, session, `mutation { tokenizeBatch(inputs: [{size: 90}, {size: 90}]) { token } }`).body, "LIMIT_EXCEEDED")
		require.NotContains(t, ask(t, g, session, `mutation { tokenize(input: {size: 70}) { token } }`).body, "errors")
	})
	t.Run("tokens read, unknown ones too", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.TokensRead.Session = almostNever(3) })
		session := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		const batch = `mutation { detokenizeBatch(tokens: [\"tok-00000000-0000-4000-8000-000000000001\", \"tok-00000000-0000-4000-8000-000000000002\"]) { __typename } }`
		require.Contains(t, ask(t, g, session, batch).body, "TokenFailure")
		requireLimited(t, ask(t, g, session, batch), http.StatusOK)
	})
	t.Run("a tenant bounds all its sessions, and no other tenant's", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.TokensReserved.Tenant = almostNever(3) })
		require.NotContains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), two).body, "errors")
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "2")), two), http.StatusOK)
		require.NotContains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Other, "1")), two).body, "errors")
		require.Contains(t, metrics(t, g), `cloakroom_rate_limited_total{by="tenant",tenant="app",thing="tokens_reserved"} 1`)
	})
}

func TestRatesOfAnAddress(t *testing.T) {
	const viewer = `{ viewer { tenant } }`
	t.Run("anonymous requests", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.AnonymousRequests.Address = almostNever(2) })
		for range 2 {
			require.Equal(t, http.StatusOK, ask(t, g, "", viewer).status)
		}
		requireLimited(t, ask(t, g, "", viewer), http.StatusTooManyRequests)
		require.Contains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "1")), viewer).body, gatewaytest.Own, "a session is served")
	})
	t.Run("refused credentials limit an address, but not the sessions that are known there", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.RefusedCredentials.Address = almostNever(2) })
		known := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		require.Contains(t, ask(t, g, known, viewer).body, gatewaytest.Own)
		forged := known[:len(known)-8] + "AAAAAAAA"
		for range 2 {
			require.Equal(t, http.StatusUnauthorized, ask(t, g, forged, viewer).status)
		}
		requireLimited(t, ask(t, g, forged, viewer), http.StatusTooManyRequests)
		requireLimited(t, ask(t, g, "nonsense", viewer), http.StatusTooManyRequests)
		require.Contains(t, ask(t, g, known, viewer).body, gatewaytest.Own, "remembered")
		renewed := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		require.NotEqual(t, known, renewed)
		require.Contains(t, ask(t, g, renewed, viewer).body, gatewaytest.Own, "a new JWT of a session that is known")
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "2")), viewer), http.StatusTooManyRequests)
		require.Contains(t, metrics(t, g), `cloakroom_rate_limited_total{by="address",tenant="",thing="refused_credentials"}`)
	})
	t.Run("at a limited address, the first JWT of a session that its application has named is accepted", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) {
			c.Rates.RefusedCredentials.Address = almostNever(2)
			c.Rates.RefusedCredentials.Session = almostNever(2)
		})
		app := jwtOf(t, g.Application(gatewaytest.Own))
		owner := jwtOf(t, g.Session(gatewaytest.Own, "owner"))
		token := tokenOf.FindString(ask(t, g, owner, `mutation { tokenize { token } }`).body)
		require.NotEmpty(t, token)
		grant := func(jwt, session string) string {
			return ask(t, g, jwt, `mutation { createGrants(input: {sessionId: \"`+appkit.SessionID(session)+`\", grants: [{tokens: [\"`+token+`\"]}]}) { grants { expiresAt } } }`).body
		}
		require.Contains(t, grant(jwtOf(t, g.Application(gatewaytest.Other)), "stranger"), `"grants":[{"expiresAt":null}]`, "of a tenant that does not have the token")
		require.Contains(t, grant(app, "granted"), `"grants":[{"expiresAt":"20`)
		forged := app[:len(app)-8] + "AAAAAAAA"
		for range 2 {
			require.Equal(t, http.StatusUnauthorized, ask(t, g, forged, viewer).status)
		}
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "new")), viewer), http.StatusTooManyRequests)
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "stranger")), viewer), http.StatusTooManyRequests)
		requireLimited(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Other, "granted")), viewer), http.StatusTooManyRequests)
		first := jwtOf(t, g.Session(gatewaytest.Own, "granted"))
		require.Contains(t, ask(t, g, first, viewer).body, gatewaytest.Own)
		require.NotContains(t, ask(t, g, first, `mutation { detokenize(token: \"`+token+`\") { token } }`).body, "errors")

		require.Contains(t, ask(t, g, app, `mutation { carryGrants(input: {fromSessionId: \"`+appkit.SessionID("granted")+`\", toSessionId: \"`+appkit.SessionID("after login")+`\"}) { carried } }`).body, `"carried":1`)
		require.Contains(t, ask(t, g, jwtOf(t, g.Session(gatewaytest.Own, "after login")), viewer).body, gatewaytest.Own, "grants were carried to it")
	})
	t.Run("forged JWTs of a named session use up only that session's rate", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) {
			c.Rates.RefusedCredentials.Address = almostNever(1)
			c.Rates.RefusedCredentials.Session = almostNever(2)
		})
		known := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		require.Contains(t, ask(t, g, known, viewer).body, gatewaytest.Own)
		forged := jwtOf(t, g.Session(gatewaytest.Own, "1"))
		forged = forged[:len(forged)-8] + "AAAAAAAA"
		require.Equal(t, http.StatusUnauthorized, ask(t, g, forged, viewer).status)
		for range 5 {
			requireLimited(t, ask(t, g, forged, viewer), http.StatusTooManyRequests)
		}
		require.Contains(t, metrics(t, g), `cloakroom_rate_limited_total{by="session",tenant="app",thing="refused_credentials"} 3`)
		require.Contains(t, ask(t, g, known, viewer).body, gatewaytest.Own)
	})
	t.Run("forged JWTs from an application's address don't use up its renewals", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) {
			c.Rates.RefusedCredentials.Address = almostNever(2)
			c.Rates.RefusedCredentials.Session = almostNever(2)
		})
		known := jwtOf(t, g.Application(gatewaytest.Own))
		require.Contains(t, ask(t, g, known, viewer).body, gatewaytest.Own)
		forged := known[:len(known)-8] + "AAAAAAAA" // names the application, which is no secret
		for range 2 {
			require.Equal(t, http.StatusUnauthorized, ask(t, g, forged, viewer).status)
		}
		for range 5 {
			requireLimited(t, ask(t, g, forged, viewer), http.StatusTooManyRequests)
		}
		renewed := jwtOf(t, g.Application(gatewaytest.Own))
		require.NotEqual(t, known, renewed)
		require.Contains(t, ask(t, g, renewed, viewer).body, gatewaytest.Own)
	})
	t.Run("behind a trusted hop, the client's address is the one in the header", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) {
			c.HTTP.TrustedHops = []string{"127.0.0.1/32"}
			c.Rates.AnonymousRequests.Address = almostNever(1)
		})
		require.Equal(t, http.StatusOK, ask(t, g, "", viewer, "X-Forwarded-For", "198.51.100.1").status)
		requireLimited(t, ask(t, g, "", viewer, "X-Forwarded-For", "203.0.113.9, 198.51.100.1"), http.StatusTooManyRequests)
		require.Equal(t, http.StatusOK, ask(t, g, "", viewer, "X-Forwarded-For", "198.51.100.2").status)
	})
	t.Run("without a trusted hop, the header is ignored", func(t *testing.T) {
		g := start(t, func(c *gateway.Config) { c.Rates.AnonymousRequests.Address = almostNever(1) })
		require.Equal(t, http.StatusOK, ask(t, g, "", viewer, "X-Forwarded-For", "198.51.100.1").status)
		requireLimited(t, ask(t, g, "", viewer, "X-Forwarded-For", "198.51.100.2"), http.StatusTooManyRequests)
	})
}
