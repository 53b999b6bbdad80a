package vault_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

var unknown = ids.TokenOf("tok-2b58d9b2-83c1-4e9b-9692-b149112810c8")

func TestTokenLifecycle(t *testing.T) {
	f := newFixture(t)
	user := session("clinic", "s1")
	meta := &vault.Metadata{Filename: ptr("scan.pdf"), ContentType: ptr("application/pdf"), LastModified: ptr(noon), Custom: map[string]any{"a": []any{"b"}}}
	made, err := f.Tokenize(user, vault.TokenizeInput{Metadata: meta, Size: ptr(int64(1000)), TTL: ptr(time.Hour)})
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Hour), *made.ExpiresAt)
	got, err := f.Detokenize(user, made.Token)
	require.NoError(t, err)
	require.Equal(t, meta, got.Metadata)
	down := f.store.downloads[0]
	up := f.store.uploads[down.Object]
	require.Equal(t, up.Key, down.Key)
	require.NotZero(t, up.Key)
	require.EqualValues(t, 1000, up.Size)
	require.Equal(t, [3]string{"application/pdf", "application/pdf", "scan.pdf"}, [3]string{up.ContentType, down.ContentType, down.Filename})
	for name, ctx := range map[string]context.Context{"a session": user, "the application": application("clinic")} {
		t.Run(name, func(t *testing.T) {
			d, err := f.Describe(ctx, made.Token)
			require.NoError(t, err, name)
			require.Equal(t, &vault.Described{Token: made.Token, CreatedAt: noon, ExpiresAt: made.ExpiresAt, Metadata: meta}, d)
		})
	}
	// The fault is the same for each reason why a token may not be read.
	foreign := f.tokenize(t, session("bank", "s1"), 0)
	gone := f.tokenize(t, user, 0)
	_, err = f.DeleteTokens(application("clinic"), []ids.Token{gone})
	require.NoError(t, err)
	_, want := f.Detokenize(user, unknown)
	requireFault(t, want, fault.GrantRequired)
	for name, try := range map[string]func() error{
		"another session": func() error { _, err := f.Detokenize(session("clinic", "s2"), made.Token); return err },
		"another tenant":  func() error { _, err := f.Detokenize(session("bank", "s1"), made.Token); return err },
		"a foreign token": func() error { _, err := f.Detokenize(user, foreign); return err },
		"a deleted token": func() error { _, err := f.Detokenize(user, gone); return err },
		"an ended grant":  func() error { f.at = noon.Add(15 * time.Minute); _, err := f.Detokenize(user, made.Token); return err },
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want, try(), name)
		})
	}
	for name, ctx := range map[string]context.Context{"ended": user, "another tenant": application("bank"), "another session": session("clinic", "s2")} {
		t.Run(name, func(t *testing.T) {
			d, err := f.Describe(ctx, made.Token)
			require.NoError(t, err, name)
			require.Nil(t, d, name)
		})
	}
}

// TestCallersOfEachMethod: each method accepts sessions, applications or both.
func TestCallersOfEachMethod(t *testing.T) {
	f := newFixture(t)
	for name, test := range map[string]struct {
		call func(context.Context) error
		who  string // a: application, s: session
	}{
		"Tokenize": {func(ctx context.Context) error { _, err := f.Tokenize(ctx, vault.TokenizeInput{}); return err }, "s"},
		"TokenizeBatch": {func(ctx context.Context) error {
			_, err := f.TokenizeBatch(ctx, make([]vault.TokenizeInput, 1))
			return err
		}, "s"},
		"Detokenize": {func(ctx context.Context) error { _, err := f.DetokenizeBatch(ctx, []ids.Token{unknown}); return err }, "s"},
		"Describe":   {func(ctx context.Context) error { _, err := f.Describe(ctx, unknown); return err }, "as"},
		"CreateGrants": {func(ctx context.Context) error {
			_, err := f.CreateGrants(ctx, "s", []vault.GrantRequest{{Tokens: []ids.Token{unknown}, Kinds: ids.Read}})
			return err
		}, "a"},
		"VerifyGrants": {func(ctx context.Context) error {
			_, err := f.VerifyGrants(ctx, "s", checksOf(ids.Read, unknown))
			return err
		}, "a"},
		"RevokeGrants": {func(ctx context.Context) error {
			_, err := f.RevokeGrants(ctx, vault.Revocation{SessionID: ptr("s")})
			return err
		}, "a"},
		"CarryGrants":  {func(ctx context.Context) error { _, err := f.CarryGrants(ctx, "s", "t"); return err }, "a"},
		"DeleteTokens": {func(ctx context.Context) error { _, err := f.DeleteTokens(ctx, []ids.Token{unknown}); return err }, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			requireFault(t, test.call(context.Background()), fault.Unauthenticated)
			for who, ctx := range map[string]context.Context{"a": application("clinic"), "s": session("clinic", "s")} {
				t.Run(who, func(t *testing.T) {
					if err := test.call(ctx); strings.Contains(test.who, who) {
						require.NoError(t, err, name)
					} else {
						requireFault(t, err, fault.Forbidden)
					}
				})
			}
		})
	}
}

// TestRefusals: each limit has its code and path.
func TestRefusals(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "s"), application("clinic")
	tokenize := func(in vault.TokenizeInput) error {
		_, err := f.TokenizeBatch(user, []vault.TokenizeInput{{}, in})
		return err
	}
	meta := func(m vault.Metadata) error { return tokenize(vault.TokenizeInput{Metadata: &m}) }
	grants := func(r vault.GrantRequest) error {
		_, err := f.CreateGrants(app, "s", []vault.GrantRequest{{Tokens: []ids.Token{unknown}, Kinds: ids.Read}, r})
		return err
	}
	nested := any("x")
	for range 8 {
		nested = []any{nested}
	}
	for name, test := range map[string]struct {
		err  error
		code fault.Code
		path string
	}{
		"size negative":      {tokenize(vault.TokenizeInput{Size: ptr(int64(-1))}), fault.BadUserInput, "inputs 1 size"},
		"size over":          {tokenize(vault.TokenizeInput{Size: ptr(int64(1001))}), fault.LimitExceeded, "inputs 1 size"},
		"ttl short":          {tokenize(vault.TokenizeInput{TTL: ptr(time.Second - 1)}), fault.BadUserInput, "inputs 1 ttl"},
		"ttl over":           {tokenize(vault.TokenizeInput{TTL: ptr(48*time.Hour + 1)}), fault.LimitExceeded, "inputs 1 ttl"},
		"filename empty":     {meta(vault.Metadata{Filename: ptr("")}), fault.BadUserInput, "inputs 1 metadata filename"},
		"filename path":      {meta(vault.Metadata{Filename: ptr("../x")}), fault.BadUserInput, "inputs 1 metadata filename"},
		"filename control":   {meta(vault.Metadata{Filename: ptr("a\r\nb")}), fault.BadUserInput, "inputs 1 metadata filename"},
		"filename long":      {meta(vault.Metadata{Filename: ptr(strings.Repeat("x", 256))}), fault.BadUserInput, "inputs 1 metadata filename"},
		"type":               {meta(vault.Metadata{ContentType: ptr("text")}), fault.BadUserInput, "inputs 1 metadata contentType"},
		"type, injected":     {meta(vault.Metadata{ContentType: ptr("text/html\r\nX: y")}), fault.BadUserInput, "inputs 1 metadata contentType"},
		"custom deep":        {meta(vault.Metadata{Custom: map[string]any{"a": nested}}), fault.LimitExceeded, "inputs 1 metadata custom"},
		"custom large":       {meta(vault.Metadata{Custom: map[string]any{"a": strings.Repeat("x", 4096)}}), fault.LimitExceeded, "inputs 1 metadata custom"},
		"no inputs":          {second(f.TokenizeBatch(user, nil)), fault.BadUserInput, "inputs"},
		"many inputs":        {second(f.TokenizeBatch(user, make([]vault.TokenizeInput, 11))), fault.LimitExceeded, "inputs"},
		"many tokens":        {second(f.DetokenizeBatch(user, make([]ids.Token, 11))), fault.LimitExceeded, "tokens"},
		"no token":           {second(f.DetokenizeBatch(user, []ids.Token{unknown, ids.TokenOf("x")})), fault.BadUserInput, "tokens 1"},
		"another prefix":     {second(f.Detokenize(user, ids.TokenOf("new"+unknown.String()[3:]))), fault.BadUserInput, "tokens"},
		"describe, no token": {second(f.Describe(user, ids.TokenOf("x"))), fault.BadUserInput, "tokens"},
		"no requests":        {second(f.CreateGrants(app, "s", nil)), fault.BadUserInput, "requests"},
		"no tokens":          {grants(vault.GrantRequest{Kinds: 1}), fault.BadUserInput, "requests 1 tokens"},
		"many in requests":   {grants(vault.GrantRequest{Tokens: make([]ids.Token, 10), Kinds: 1}), fault.LimitExceeded, "requests"},
		"no kinds":           {grants(vault.GrantRequest{Tokens: []ids.Token{unknown}}), fault.BadUserInput, "requests 1 kinds"},
		"duration negative":  {grants(vault.GrantRequest{Tokens: []ids.Token{unknown}, Kinds: 1, Duration: ptr(-time.Hour)}), fault.BadUserInput, "requests 1 duration"},
		"duration tiny":      {grants(vault.GrantRequest{Tokens: []ids.Token{unknown}, Kinds: 1, Duration: ptr(time.Nanosecond)}), fault.BadUserInput, "requests 1 duration"},
		"duration over":      {grants(vault.GrantRequest{Tokens: []ids.Token{unknown}, Kinds: 1, Duration: ptr(24*time.Hour + 1)}), fault.LimitExceeded, "requests 1 duration"},
		"no session":         {second(f.CreateGrants(app, "", []vault.GrantRequest{{Tokens: []ids.Token{unknown}, Kinds: 1}})), fault.BadUserInput, "sessionID"},
		"session control":    {second(f.VerifyGrants(app, "a\x00", checksOf(1, unknown))), fault.BadUserInput, "sessionID"},
		"session long":       {second(f.RevokeGrants(app, vault.Revocation{SessionID: ptr(strings.Repeat("s", 1025))})), fault.BadUserInput, "sessionID"},
		"no filter":          {second(f.RevokeGrants(app, vault.Revocation{Kinds: 1})), fault.BadUserInput, "revocation"},
		"empty filter":       {second(f.RevokeGrants(app, vault.Revocation{Tokens: []ids.Token{}})), fault.BadUserInput, "tokens"},
		"carry, no source":   {second(f.CarryGrants(app, "", "t")), fault.BadUserInput, "fromSessionID"},
		"carry, bad target":  {second(f.CarryGrants(app, "s", "a\n")), fault.BadUserInput, "toSessionID"},
		"carry to itself":    {second(f.CarryGrants(app, "s", "s")), fault.BadUserInput, "toSessionID"},
		"nothing to verify":  {second(f.VerifyGrants(app, "s", nil)), fault.BadUserInput, "checks"},
		"many checks":        {second(f.VerifyGrants(app, "s", checksOf(1, make([]ids.Token, 11)...))), fault.LimitExceeded, "checks"},
		"no kind to verify":  {second(f.VerifyGrants(app, "s", append(checksOf(1, unknown), checksOf(0, unknown)...))), fault.BadUserInput, "checks 1 kind"},
		"nothing to delete":  {second(f.DeleteTokens(app, nil)), fault.BadUserInput, "tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			requireFault(t, test.err, test.code)
			var path []string
			for _, step := range fault.Public(test.err).Path {
				path = append(path, fmt.Sprint(step))
			}
			require.Equal(t, test.path, strings.Join(path, " "))
		})
	}
	require.Empty(t, f.rows.take(), "no refused call reached the database")
	f.with(t, func(o *vault.Options) { o.Limits.RequireSize = true })
	requireFault(t, second(f.Tokenize(user, vault.TokenizeInput{})), fault.BadUserInput, vault.ParamInputs, "size")
}

func second[T any](_ T, err error) error { return err }

// TestOneDatabaseCallPerList: a list of any length takes one call to the database to read and one to write, and none to
// write if nothing changes.
func TestOneDatabaseCallPerList(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "s"), application("clinic")
	made, err := f.TokenizeBatch(user, make([]vault.TokenizeInput, 10))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"Write Tokens": 1}, f.rows.take())
	var tokens []ids.Token
	for _, m := range made {
		tokens = append(tokens, m.Token)
	}
	requests := []vault.GrantRequest{
		{Tokens: tokens[:7], Kinds: ids.Read | ids.Store, Duration: ptr(time.Minute)}, {Tokens: tokens[7:], Kinds: ids.Read | ids.Store, Duration: ptr(time.Minute)},
	}
	read, err := f.DetokenizeBatch(user, tokens)
	require.NoError(t, err)
	for i, r := range read {
		require.NoError(t, r.Err)
		require.Equal(t, tokens[i], r.Token)
	}
	require.Equal(t, map[string]int{"ReadableTokens": 1}, f.rows.take())
	granted, err := f.CreateGrants(app, "s", requests)
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{{ExpiresAt: ptr(noon.Add(15 * time.Minute))}, {ExpiresAt: ptr(noon.Add(15 * time.Minute))}}, granted, "never shortened")
	require.Equal(t, map[string]int{"TokenGrants": 1}, f.rows.take(), "nothing to write")
	_, err = f.CreateGrants(app, "s2", requests)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"TokenGrants": 1, "Write Grants": 1}, f.rows.take())
	missing, err := f.VerifyGrants(app, "s2", checksOf(ids.Store, append([]ids.Token{unknown}, tokens[:9]...)...))
	require.NoError(t, err)
	require.Equal(t, checksOf(ids.Store, unknown), missing)
	require.Equal(t, map[string]int{"TokenGrants": 1}, f.rows.take())
	n, err := f.RevokeGrants(app, vault.Revocation{Tokens: tokens})
	require.NoError(t, err)
	require.Equal(t, 40, n)
	require.Equal(t, map[string]int{"Write Revoke": 1}, f.rows.take())
	n, err = f.DeleteTokens(app, tokens)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, map[string]int{"Write Destroy": 1, "Write Purge": 1}, f.rows.take())
	require.Equal(t, 10, f.sums["PUT"])
	require.Equal(t, 10, f.sums["GET"])
	require.Equal(t, 1, f.sums["missing STORE"])
}

// TestUnavailable: errors of the database and the store are hidden from clients.
func TestUnavailable(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "s"), application("clinic")
	token := f.tokenize(t, user, 0)
	f.store.fail(errDown)
	requireFault(t, second(f.Tokenize(user, vault.TokenizeInput{})), fault.Unavailable)
	requireFault(t, second(f.Detokenize(user, token)), fault.Unavailable)
	f.store.fail(nil)
	f.rows.err = errDown
	requireFault(t, second(f.Tokenize(user, vault.TokenizeInput{})), fault.Unavailable)
	requireFault(t, second(f.Detokenize(user, token)), fault.Unavailable)
	requireFault(t, second(f.Describe(app, token)), fault.Unavailable)
	requireFault(t, second(f.CreateGrants(app, "s", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: 1}})), fault.Unavailable)
	requireFault(t, second(f.VerifyGrants(app, "s", checksOf(1, token))), fault.Unavailable)
	requireFault(t, second(f.RevokeGrants(app, vault.Revocation{SessionID: ptr("s")})), fault.Unavailable)
	requireFault(t, second(f.CarryGrants(app, "s", "t")), fault.Unavailable)
	requireFault(t, second(f.DeleteTokens(app, []ids.Token{token})), fault.Unavailable)
}

// TestCarryGrantsTellsListeners: listeners are told that the first session's grants are revoked, also if the write fails.
func TestCarryGrantsTellsListeners(t *testing.T) {
	f := newFixture(t)
	var told []string
	f.OnRevoke(func(tenant, session string, tokens []ids.Token) {
		require.Nil(t, tokens)
		told = append(told, tenant+" "+session)
	})
	token := f.tokenize(t, session("clinic", "before"), 0)
	f.rows.take()
	n, err := f.CarryGrants(application("clinic"), "before", "after")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, map[string]int{"Write Move": 1}, f.rows.take())
	_, err = f.Detokenize(session("clinic", "after"), token)
	require.NoError(t, err)
	requireFault(t, second(f.Detokenize(session("clinic", "before"), token)), fault.GrantRequired)
	f.rows.err = errDown
	require.Error(t, second(f.CarryGrants(application("clinic"), "after", "again")))
	require.Equal(t, []string{"clinic before", "clinic after"}, told)
}
