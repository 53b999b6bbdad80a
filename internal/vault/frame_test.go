package vault_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// byCookie is a session's context whose credential is the gateway's cookie.
func byCookie(ctx context.Context) context.Context {
	c := *caller.From(ctx)
	login := caller.HashLogin(c.Tenant, []byte("login"))
	c.Login, c.Ambient = &login, true
	return caller.With(ctx, &c)
}

// TestFramed: in a tenant with the frame, a session reads a value and its metadata only in a page of the gateway's own origin
// with the gateway's cookie. A refusal is charged as a read is, and reads no row. Other tenants, and applications, read as before.
func TestFramed(t *testing.T) {
	f := newFixture(t)
	f.with(t, func(o *vault.Options) { o.Framed = map[string]bool{"clinic": true} })
	s := session("clinic", "1")
	token := f.tokenize(t, s, 0) // from anywhere
	f.rows.take()
	for name, ctx := range map[string]context.Context{
		"bearer": s, "bearer in an own page": caller.WithOwnPage(s), "cookie in another page": byCookie(s),
	} {
		for op, call := range map[string]func() error{
			"detokenize":              func() error { return second(f.Detokenize(ctx, token)) },
			"detokenizeBatch":         func() error { return second(f.DetokenizeBatch(ctx, []ids.Token{token, missing})) },
			"detokenizeBatch, no own": func() error { return second(f.DetokenizeBatch(ctx, []ids.Token{missing})) },
			"token":                   func() error { return second(f.Describe(ctx, token)) },
			"token, unknown":          func() error { return second(f.Describe(ctx, missing)) },
		} {
			t.Run(name+"/"+op, func(t *testing.T) {
				f.rates.asked = nil
				err := call()
				requireFault(t, err, fault.Forbidden)
				require.Contains(t, fault.Public(err).Message, "detokenize.from")
				require.Len(t, f.rates.asked, 1, "charged")
				require.Empty(t, f.rows.take(), "no row is read")
				require.Empty(t, f.store.downloads)
			})
		}
	}
	t.Run("the frame", func(t *testing.T) {
		ctx := caller.WithOwnPage(byCookie(s))
		require.NoError(t, second(f.Detokenize(ctx, token)))
		rs, err := f.DetokenizeBatch(ctx, []ids.Token{token, missing})
		require.NoError(t, err)
		require.NoError(t, rs[0].Err)
		requireFault(t, rs[1].Err, fault.GrantRequired)
		d, err := f.Describe(ctx, token)
		require.NoError(t, err)
		require.NotNil(t, d)
	})
	t.Run("the application's own description", func(t *testing.T) {
		d, err := f.Describe(application("clinic"), token)
		require.NoError(t, err)
		require.NotNil(t, d)
	})
	t.Run("applications are refused as before", func(t *testing.T) {
		requireFault(t, second(f.Detokenize(caller.WithOwnPage(application("clinic")), token)), fault.Forbidden)
	})
	t.Run("another tenant", func(t *testing.T) {
		bank := session("bank", "1")
		require.NoError(t, second(f.Detokenize(bank, f.tokenize(t, bank, 0))))
	})
}
