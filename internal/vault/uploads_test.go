package vault_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// requireUnreadable: no session and no application learns anything of the token.
func (f *fixture) requireUnreadable(t *testing.T, token ids.Token, sessions ...string) {
	t.Helper()
	for _, s := range sessions {
		_, err := f.Detokenize(session("clinic", s), token)
		requireFault(t, err, fault.GrantRequired)
		d, err := f.Describe(session("clinic", s), token)
		require.NoError(t, err)
		require.Nil(t, d)
	}
	d, err := f.Describe(application("clinic"), token)
	require.NoError(t, err)
	require.Nil(t, d)
}

func TestUpload(t *testing.T) {
	for name, mode := range map[string]objects.Mode{"the store encrypts": objects.SSEC, "the client encrypts": objects.Client} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.with(t, func(o *vault.Options) { o.Mode = mode })
			s := session("clinic", "1")
			kind, file := "text/plain", "a.txt"
			b, object := f.begin(t, s, vault.TokenizeInput{Metadata: &vault.Metadata{ContentType: &kind, Filename: &file}})
			require.Equal(t, noon.Add(24*time.Hour), b.UploadUntil)
			require.Nil(t, b.ExpiresAt)
			require.Equal(t, mode == objects.Client, b.Encryption != nil)
			begun := f.store.begun[object]
			require.Equal(t, mode, begun.Mode)
			require.Equal(t, map[objects.Mode]string{objects.SSEC: kind}[mode], begun.ContentType)
			require.Equal(t, mode == objects.SSEC, begun.Key != objects.CustomerKey{})

			// STORE from here on, READ for nobody: an application's grants wait for the value.
			missing, err := f.VerifyGrants(application("clinic"), "1", checksOf(ids.Store, b.Token))
			require.NoError(t, err)
			require.Empty(t, missing)
			missing, err = f.VerifyGrants(application("clinic"), "1", checksOf(ids.Read, b.Token))
			require.NoError(t, err)
			require.Len(t, missing, 1)
			for _, of := range []string{"1", "2"} {
				g, err := f.CreateGrants(application("clinic"), of, []vault.GrantRequest{{Tokens: []ids.Token{b.Token}, Kinds: ids.Read}})
				require.NoError(t, err)
				require.Empty(t, g[0].Missing)
			}
			f.requireUnreadable(t, b.Token, "1", "2")

			signed, err := f.UploadParts(s, b.Token, []vault.PartInput{{2, 9}, {1, 5 * mib}})
			require.NoError(t, err)
			require.Equal(t, []int{2, 1}, []int{signed[0].Number, signed[1].Number})
			require.Equal(t, objects.PartUpload{Multipart: objects.Multipart{Object: object, ID: begun.ID, Mode: mode, Key: begun.Key}, Number: 2, Size: 9,
				Signer: f.store.signed[0].Signer, NotAfter: f.store.signed[0].NotAfter}, f.store.signed[0])
			require.True(t, b.UploadUntil.Equal(f.store.signed[0].NotAfter))
			require.Equal(t, "clinic", f.store.signed[0].Signer.Tenant)

			size := int64(5*mib + 9)
			f.arrive(object, 5*mib, mode.ObjectSize(size)-5*mib)
			status, err := f.UploadStatus(s, b.Token)
			require.NoError(t, err)
			require.Len(t, status.Parts, 2)
			require.Equal(t, b.Encryption, status.Encryption)
			require.True(t, b.UploadUntil.Equal(status.UploadUntil))
			f.requireUnreadable(t, b.Token, "1", "2")

			for range 2 { // a lost answer
				done, err := f.CompleteUpload(s, b.Token, size)
				require.NoError(t, err)
				require.Equal(t, vault.CompletedUpload{Token: b.Token}, done)
			}
			require.Equal(t, 1, f.store.complete)
			for _, of := range []string{"1", "2"} {
				r, err := f.Detokenize(session("clinic", of), b.Token)
				require.NoError(t, err)
				require.Equal(t, b.Encryption, r.Encryption)
				require.Equal(t, file, *r.Metadata.Filename)
			}
			d, err := f.Describe(application("clinic"), b.Token)
			require.NoError(t, err)
			require.NotNil(t, d)

			_, err = f.CompleteUpload(s, b.Token, size+1)
			requireFault(t, err, fault.BadUserInput, vault.ParamSize)
			for _, err := range []error{f.AbortUpload(s, b.Token), second(f.UploadStatus(s, b.Token)), second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 1}}))} {
				requireFault(t, err, fault.GrantRequired)
			}
			f.at = f.at.Add(25 * time.Hour)
			require.NoError(t, f.Sweep(s))
			require.NoError(t, f.SweepUploads(s))
			require.Len(t, f.store.aborted, 1, "the store may have parts that came late")
			d, err = f.Describe(application("clinic"), b.Token)
			require.NoError(t, err)
			require.NotNil(t, d, "a completed value stays")
			require.Zero(t, f.store.deleted[object]+f.store.tombstones[object])
		})
	}
}

// TestForeignUploads: whoever may not use an upload gets the same answer, whatever the reason.
func TestForeignUploads(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	b, object := f.begin(t, s, vault.TokenizeInput{})
	f.arrive(object, 5)
	aborted, _ := f.begin(t, s, vault.TokenizeInput{})
	require.NoError(t, f.AbortUpload(s, aborted.Token))
	expired, _ := f.begin(t, s, vault.TokenizeInput{TTL: ptr(time.Minute)})
	f.at = f.at.Add(time.Minute)
	plain := f.tokenize(t, s, 0)
	var texts []string
	for name, c := range map[string]struct {
		ctx   context.Context
		token ids.Token
	}{
		"another session": {session("clinic", "2"), b.Token}, "another tenant": {session("bank", "1"), b.Token}, "unknown": {s, missing},
		"aborted": {s, aborted.Token}, "expired": {s, expired.Token}, "not in parts": {s, plain},
	} {
		for operation, err := range map[string]error{
			"parts": second(f.UploadParts(c.ctx, c.token, []vault.PartInput{{1, 1}})), "complete": second(f.CompleteUpload(c.ctx, c.token, 5)),
			"abort": f.AbortUpload(c.ctx, c.token), "status": second(f.UploadStatus(c.ctx, c.token)),
		} {
			requireFault(t, err, fault.GrantRequired)
			texts = append(texts, fault.Public(err).Message)
			require.Equal(t, texts[0], fault.Public(err).Message, "%s: %s", name, operation)
		}
	}
	for _, err := range []error{
		second(f.BeginUpload(application("clinic"), vault.TokenizeInput{})), second(f.UploadParts(application("clinic"), b.Token, nil)),
		second(f.CompleteUpload(application("clinic"), b.Token, 5)), f.AbortUpload(application("clinic"), b.Token), second(f.UploadStatus(application("clinic"), b.Token)),
	} {
		requireFault(t, err, fault.Forbidden)
	}
	_, err := f.CompleteUpload(s, b.Token, 5)
	require.NoError(t, err, "nobody else has changed it")
}

func TestMissingAndWrongParts(t *testing.T) {
	for name, c := range map[string]struct {
		mode  objects.Mode
		sizes []int64
		size  int64
		param vault.Param
		says  string
	}{
		"none":                  {0, nil, 5, vault.ParamTokens, "Part 1 is missing"},
		"the first":             {0, []int64{-1, 5}, 5, vault.ParamTokens, "Part 1 is missing"},
		"a gap":                 {0, []int64{5 * mib, -1, 5}, 5*mib + 5, vault.ParamTokens, "Part 2 is missing"},
		"the last":              {0, []int64{5 * mib}, 5*mib + 5, vault.ParamTokens, "Part 2 is missing"},
		"too small":             {0, []int64{5 * mib, 5*mib - 1, 5 * mib}, 15*mib - 1, vault.ParamTokens, "Part 2 has 5242879 bytes"},
		"too long":              {0, []int64{5 * mib, 6}, 5*mib + 5, vault.ParamSize, "Part 2 goes beyond"},
		"one more":              {0, []int64{5 * mib, 5, 5}, 5*mib + 5, vault.ParamTokens, "Part 2 has 5 bytes"},
		"plaintext":             {objects.Client, []int64{5}, 5, vault.ParamTokens, "Part 2 is missing: 5 of 61 bytes"},
		"not whole segments":    {objects.Client, []int64{5*mib + 1, 100}, 5*mib - 40, vault.ParamTokens, "not"},
		"no bytes, in parts":    {0, []int64{}, 0, vault.ParamSize, "use tokenize"},
		"a negative size":       {0, []int64{}, -1, vault.ParamSize, "0 bytes or more"},
		"of the store's answer": {0, []int64{5}, 5, vault.ParamTokens, "has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.with(t, func(o *vault.Options) { o.Mode = c.mode })
			s := session("clinic", "1")
			b, object := f.begin(t, s, vault.TokenizeInput{})
			f.arrive(object, c.sizes...)
			if name == "of the store's answer" {
				f.store.refuses("complete", objects.ErrParts)
			}
			_, err := f.CompleteUpload(s, b.Token, c.size)
			if name == "not whole segments" {
				c.says, c.size = "multiple of 1048576", 5*mib+101-40-6*16
				_, err = f.CompleteUpload(s, b.Token, c.size)
			}
			requireFault(t, err, fault.BadUserInput, c.param)
			require.Contains(t, fault.Public(err).Message, c.says)
			f.requireUnreadable(t, b.Token, "1")

			f.store.refuses("", nil)
			f.arrive(object, c.mode.ObjectSize(7))
			_, err = f.CompleteUpload(s, b.Token, 7)
			require.NoError(t, err, "the upload goes on")
		})
	}
}

func TestUploadInputs(t *testing.T) {
	f := newFixture(t)
	f.with(t, func(o *vault.Options) { o.Limits.PartSize = 7*mib + 3 })
	s := session("clinic", "1")
	b, _ := f.begin(t, s, vault.TokenizeInput{Size: ptr(int64(6 * mib))})
	require.Equal(t, int64(7*mib), b.Parts.MaxSize, "whole segments, and no more than a rate allows at once")
	many := make([]vault.PartInput, 11)
	for name, c := range map[string]struct {
		err  error
		code fault.Code
		path []any
	}{
		"no parts":               {second(f.UploadParts(s, b.Token, nil)), fault.BadUserInput, []any{vault.ParamParts}},
		"too many parts":         {second(f.UploadParts(s, b.Token, many)), fault.LimitExceeded, []any{vault.ParamParts}},
		"number 0":               {second(f.UploadParts(s, b.Token, []vault.PartInput{{0, 1}})), fault.BadUserInput, []any{vault.ParamParts, 0, "number"}},
		"number 10001":           {second(f.UploadParts(s, b.Token, []vault.PartInput{{10_001, 1}})), fault.BadUserInput, []any{vault.ParamParts, 0, "number"}},
		"twice":                  {second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 1}, {1, 1}})), fault.BadUserInput, []any{vault.ParamParts, 1, "number"}},
		"size 0":                 {second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 0}})), fault.BadUserInput, []any{vault.ParamParts, 0, "size"}},
		"a large part":           {second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 7*mib + 1}})), fault.LimitExceeded, []any{vault.ParamParts, 0, "size"}},
		"beyond the value":       {second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 6*mib + 1}})), fault.BadUserInput, []any{vault.ParamParts, 0, "size"}},
		"another size":           {second(f.CompleteUpload(s, b.Token, 6*mib-1)), fault.BadUserInput, []any{vault.ParamSize}},
		"a large value":          {second(f.CompleteUpload(s, b.Token, 1<<40+1)), fault.LimitExceeded, []any{vault.ParamSize}},
		"a large value to begin": {second(f.BeginUpload(s, vault.TokenizeInput{Size: ptr(int64(1<<40 + 1))})), fault.LimitExceeded, []any{vault.ParamInputs, "size"}},
		"an empty value":         {second(f.BeginUpload(s, vault.TokenizeInput{Size: ptr(int64(0))})), fault.BadUserInput, []any{vault.ParamInputs, "size"}},
		"a short life":           {second(f.BeginUpload(s, vault.TokenizeInput{TTL: ptr(time.Millisecond)})), fault.BadUserInput, []any{vault.ParamInputs, "ttl"}},
		"a long life":            {second(f.BeginUpload(s, vault.TokenizeInput{TTL: ptr(49 * time.Hour)})), fault.LimitExceeded, []any{vault.ParamInputs, "ttl"}},
		"a bad type":             {second(f.BeginUpload(s, vault.TokenizeInput{Metadata: &vault.Metadata{ContentType: ptr("x")}})), fault.BadUserInput, []any{vault.ParamInputs, "metadata", "contentType"}},
		"another prefix":         {f.AbortUpload(s, ids.TokenOf("none-00000000-0000-4000-8000-000000000001")), fault.BadUserInput, []any{vault.ParamTokens}},
	} {
		t.Run(name, func(t *testing.T) { requireFault(t, c.err, c.code, c.path...) })
	}
}

// TestTokenizeNamesBeginUpload: a value that is too large for one upload.
func TestTokenizeNamesBeginUpload(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	_, err := f.Tokenize(s, vault.TokenizeInput{Size: ptr(int64(1001))})
	requireFault(t, err, fault.LimitExceeded, vault.ParamInputs, "size")
	require.Contains(t, fault.Public(err).Message, "beginUpload")
	f.store.fail(objects.ErrTooLarge) // the ciphertext is larger than the value
	_, err = f.TokenizeBatch(s, []vault.TokenizeInput{{Size: ptr(int64(1000))}})
	requireFault(t, err, fault.LimitExceeded, vault.ParamInputs, 0, "size")
	require.Contains(t, fault.Public(err).Message, "beginUpload")
	_, err = f.Tokenize(s, vault.TokenizeInput{Size: ptr(int64(1<<40 + 1))})
	requireFault(t, err, fault.LimitExceeded)
	require.NotContains(t, fault.Public(err).Message, "beginUpload")
}

func TestUploadBounds(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	first, _ := f.begin(t, s, vault.TokenizeInput{})
	f.begin(t, s, vault.TokenizeInput{})
	f.begin(t, s, vault.TokenizeInput{})
	_, err := f.BeginUpload(s, vault.TokenizeInput{})
	requireFault(t, err, fault.LimitExceeded)
	require.Len(t, f.store.begun, 3, "a refused upload does not reach the store")
	f.begin(t, session("clinic", "2"), vault.TokenizeInput{})
	require.NoError(t, f.AbortUpload(s, first.Token))
	f.begin(t, s, vault.TokenizeInput{})
}

func TestUploadRates(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	b, object := f.begin(t, s, vault.TokenizeInput{Size: ptr(int64(30 * mib))})
	f.arrive(object, 30*mib)
	_, err := f.UploadParts(s, b.Token, []vault.PartInput{{1, 20 * mib}, {2, 1}})
	require.NoError(t, err)
	_, err = f.UploadStatus(s, b.Token)
	require.NoError(t, err)
	_, err = f.CompleteUpload(s, b.Token, 30*mib)
	require.NoError(t, err)
	require.Error(t, f.AbortUpload(s, b.Token))
	require.Equal(t, []string{"reserve 1 of 0 bytes", "reserve 0 of 22020096 bytes", "read 10", "read 10", "read 1"}, f.rates.asked)
	f.rates.err = fault.Limited(time.Second)
	for _, err := range []error{
		second(f.BeginUpload(s, vault.TokenizeInput{})), second(f.UploadParts(s, b.Token, []vault.PartInput{{1, 1}})),
		second(f.UploadStatus(s, b.Token)), second(f.CompleteUpload(s, b.Token, 1)), f.AbortUpload(s, b.Token),
	} {
		requireFault(t, err, fault.RateLimited)
	}
}

// TestBeginFails: an upload that the store can't begin leaves no token, and is no longer counted.
func TestBeginFails(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	f.store.refuses("create", errDown)
	for range 5 {
		_, err := f.BeginUpload(s, vault.TokenizeInput{})
		requireFault(t, err, fault.Unavailable)
	}
	f.store.refuses("", nil)
	require.NoError(t, f.Sweep(s))
	require.NoError(t, f.SweepUploads(s))
	require.Len(t, f.store.aborted, 5, "the store may have begun it nevertheless")
	require.Regexp(t, `^v/\S+ $`, f.store.aborted[0], "without an id: all uploads of the object")
	f.at = f.at.Add(25 * time.Hour)
	require.NoError(t, f.Sweep(s))
	n := 0
	require.NoError(t, f.rowCount(t, "tokens", &n))
	require.Zero(t, n)
	require.NoError(t, f.rowCount(t, "uploads", &n))
	require.Zero(t, n)
	require.Zero(t, f.sums["created STORE"])
}

func (f *fixture) rowCount(t *testing.T, table string, n *int) error {
	t.Helper()
	db, err := sql.Open("sqlite", f.path) // the engine's driver
	require.NoError(t, err)
	defer db.Close()
	return db.QueryRow("SELECT count(*) FROM " + table).Scan(n)
}

// TestEveryEndOfAnUpload: the token opens nothing, and the sweeps remove parts, rows and object.
func TestEveryEndOfAnUpload(t *testing.T) {
	for name, end := range map[string]func(f *fixture, t *testing.T, b vault.Begun){
		"abortion": func(f *fixture, t *testing.T, b vault.Begun) {
			require.NoError(t, f.AbortUpload(session("clinic", "1"), b.Token))
		},
		"end of the session": func(f *fixture, t *testing.T, _ vault.Begun) {
			require.NoError(t, second(f.EndSession(application("clinic"), "1")))
			f.endings.ended = map[ids.SessionHash]bool{} // as on another replica
		},
		"deletion": func(f *fixture, t *testing.T, b vault.Begun) {
			require.NoError(t, second(f.DeleteTokens(application("clinic"), []ids.Token{b.Token})))
		},
		"revocation": func(f *fixture, t *testing.T, _ vault.Begun) {
			require.NoError(t, second(f.RevokeGrants(application("clinic"), vault.Revocation{SessionID: ptr("1")})))
		},
		"expiry": func(f *fixture, _ *testing.T, _ vault.Begun) { f.at = f.at.Add(24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := session("clinic", "1")
			b, object := f.begin(t, s, vault.TokenizeInput{})
			f.arrive(object, 5)
			end(f, t, b)
			_, err := f.CompleteUpload(s, b.Token, 5)
			requireFault(t, err, fault.GrantRequired)
			f.requireUnreadable(t, b.Token, "1")
			missing, err := f.VerifyGrants(application("clinic"), "1", checksOf(ids.Store, b.Token))
			require.NoError(t, err)
			if name != "expiry" { // the sweep removes them
				require.Len(t, missing, 1)
			}
			require.NoError(t, f.Sweep(s))
			require.NoError(t, f.SweepUploads(s))
			require.Len(t, f.store.aborted, 1)
			require.NotZero(t, f.store.tombstones[object], "a completion may be under way")
			f.at = f.at.Add(25 * time.Hour)
			require.NoError(t, f.Sweep(s))
			require.NotZero(t, f.store.deleted[object])
			n := 0
			for _, table := range []string{"tokens", "uploads", "grants"} {
				require.NoError(t, f.rowCount(t, table, &n))
				require.Zero(t, n, table)
			}
		})
	}
}

// TestUploadIsCarried: an upload goes to the login with the grants.
func TestUploadIsCarried(t *testing.T) {
	f := newFixture(t)
	b, object := f.begin(t, session("clinic", "visitor"), vault.TokenizeInput{})
	f.arrive(object, 5)
	_, err := f.CarryGrants(application("clinic"), "visitor", "user")
	require.NoError(t, err)
	_, err = f.CompleteUpload(session("clinic", "visitor"), b.Token, 5)
	requireFault(t, err, fault.GrantRequired)
	_, err = f.CompleteUpload(session("clinic", "user"), b.Token, 5)
	require.NoError(t, err)
	_, err = f.Detokenize(session("clinic", "user"), b.Token)
	require.NoError(t, err)
	f.requireOnlySession(t, b.Token)
}

func (f *fixture) requireOnlySession(t *testing.T, token ids.Token) {
	t.Helper()
	_, err := f.Detokenize(session("clinic", "visitor"), token)
	requireFault(t, err, fault.GrantRequired)
}

// TestCompletionAfterACrash: the store has joined the parts, and its answer, or the gateway's row, was lost.
func TestCompletionAfterACrash(t *testing.T) {
	for name, crash := range map[string]func(f *fixture){
		"the store's answer": func(f *fixture) { f.store.refuses("lose the answer", errDown) },
		"the row": func(f *fixture) {
			f.store.before = func(op string) { f.rows.err = map[bool]error{true: errDown}[op == "complete"] }
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := session("clinic", "1")
			b, object := f.begin(t, s, vault.TokenizeInput{})
			f.arrive(object, 5)
			crash(f)
			_, err := f.CompleteUpload(s, b.Token, 5)
			requireFault(t, err, fault.Unavailable)
			f.store.refuses("", nil)
			f.store.before, f.rows.err = nil, nil
			f.requireUnreadable(t, b.Token, "1")
			_, err = f.CompleteUpload(s, b.Token, 6)
			requireFault(t, err, fault.BadUserInput, vault.ParamSize)
			_, err = f.CompleteUpload(s, b.Token, 5)
			require.NoError(t, err)
			_, err = f.Detokenize(s, b.Token)
			require.NoError(t, err)
		})
	}
	t.Run("the store has lost the upload", func(t *testing.T) {
		f := newFixture(t)
		s := session("clinic", "1")
		b, object := f.begin(t, s, vault.TokenizeInput{})
		delete(f.store.begun, object)
		_, err := f.CompleteUpload(s, b.Token, 5)
		requireFault(t, err, fault.GrantRequired)
		_, err = f.UploadStatus(s, b.Token)
		requireFault(t, err, fault.GrantRequired)
	})
	t.Run("a full store", func(t *testing.T) {
		f := newFixture(t)
		s := session("clinic", "1")
		b, object := f.begin(t, s, vault.TokenizeInput{})
		f.arrive(object, 5)
		f.store.refuses("complete", objects.ErrNoSpace)
		_, err := f.CompleteUpload(s, b.Token, 5)
		requireFault(t, err, fault.Unavailable)
		require.NotZero(t, fault.Public(err).RetryAfter)
	})
}

// TestEndDuringACompletion: an upload that ends while its parts are joined does not become readable.
func TestEndDuringACompletion(t *testing.T) {
	for name, end := range map[string]func(f *fixture, token ids.Token) error{
		"deletion": func(f *fixture, token ids.Token) error {
			return second(f.DeleteTokens(application("clinic"), []ids.Token{token}))
		},
		"end of the session": func(f *fixture, _ ids.Token) error { return second(f.EndSession(application("clinic"), "1")) },
		"abortion":           func(f *fixture, token ids.Token) error { return f.AbortUpload(session("clinic", "1"), token) },
		"moving":             func(f *fixture, _ ids.Token) error { return second(f.CarryGrants(application("clinic"), "1", "2")) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := session("clinic", "1")
			b, object := f.begin(t, s, vault.TokenizeInput{})
			f.arrive(object, 5)
			var ended error
			f.store.before = func(op string) {
				if op == "complete" {
					f.store.before = nil
					ended = end(f, b.Token)
				}
			}
			_, err := f.CompleteUpload(s, b.Token, 5)
			require.NoError(t, ended)
			requireFault(t, err, fault.GrantRequired)
			f.requireUnreadable(t, b.Token, "1", "2")
		})
	}
}

// TestCompletionGoesOn: a caller that leaves does not stop the work, and the next call gets its result.
func TestCompletionGoesOn(t *testing.T) {
	f := newFixture(t)
	s, leave := context.WithCancel(session("clinic", "1"))
	b, object := f.begin(t, s, vault.TokenizeInput{})
	f.arrive(object, 5)
	begun, goOn := make(chan struct{}), make(chan struct{})
	f.store.before = func(op string) {
		if op == "complete" {
			close(begun)
			<-goOn
		}
	}
	result := make(chan error)
	go func() { _, err := f.CompleteUpload(s, b.Token, 5); result <- err }()
	<-begun
	leave()
	err := <-result
	requireFault(t, err, fault.Unavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, fault.Public(err).RetryAfter)
	go func() { _, err := f.CompleteUpload(session("clinic", "1"), b.Token, 5); result <- err }()
	close(goOn)
	require.NoError(t, <-result)
	require.Equal(t, 1, f.store.complete)
}

// TestJoinsAreBounded: one session has a few calls at once that hold lists of parts.
func TestJoinsAreBounded(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	b, _ := f.begin(t, s, vault.TokenizeInput{})
	entered, goOn := make(chan struct{}), make(chan struct{})
	f.store.before = func(op string) {
		if op == "list" {
			entered <- struct{}{}
			<-goOn
		}
	}
	results := make(chan error, 4)
	for range 4 {
		go func() { results <- second(f.UploadStatus(s, b.Token)) }()
		<-entered
	}
	for _, err := range []error{second(f.UploadStatus(s, b.Token)), second(f.CompleteUpload(s, b.Token, 5))} {
		requireFault(t, err, fault.Unavailable)
		require.NotZero(t, fault.Public(err).RetryAfter)
	}
	close(goOn)
	for range 4 {
		require.NoError(t, <-results)
	}
	f.store.before = nil
	require.NoError(t, second(f.UploadStatus(s, b.Token)))
}

// TestSweepUploadsPastFailures: a store that does not answer delays only the parts; one upload that stays does not block others.
func TestSweepUploadsPastFailures(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	b, object := f.begin(t, s, vault.TokenizeInput{})
	f.store.refuses("abort", errDown)
	require.NoError(t, f.AbortUpload(s, b.Token), "the key is destroyed")
	require.ErrorIs(t, f.SweepUploads(s), errDown)
	require.NoError(t, f.Sweep(s), "tokens do not wait")
	f.requireUnreadable(t, b.Token, "1")
	other, _ := f.begin(t, s, vault.TokenizeInput{})
	require.NoError(t, second(f.UploadStatus(s, other.Token)))
	f.store.refuses("", nil)
	require.NoError(t, f.SweepUploads(s))
	require.Equal(t, []string{object + " upload-0"}, f.store.aborted)
	require.Equal(t, 1, f.sums["swept uploads"])
	require.False(t, errors.Is(f.SweepUploads(s), errDown))
}
