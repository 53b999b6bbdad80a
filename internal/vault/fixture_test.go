package vault_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("SECRET: down")

// store is an object store that records the calls.
type store struct {
	mu         sync.Mutex
	now        func() time.Time
	uploads    map[string]objects.Upload
	downloads  []objects.Download
	deleted    map[string]int
	tombstones map[string]int
	err        error
	stuck      map[string]bool // objects whose deletion fails
	parts
}

func (s *store) SignUpload(u objects.Upload) (objects.SignedRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return objects.SignedRequest{}, s.err
	}
	s.uploads[u.Object] = u
	return objects.SignedRequest{Method: "PUT", URL: "https://store.example/" + u.Object, ExpiresAt: earlier(s.now().Add(15*time.Minute), u.NotAfter)}, nil
}

func (s *store) SignDownload(d objects.Download) (objects.SignedRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return objects.SignedRequest{}, s.err
	}
	s.downloads = append(s.downloads, d)
	return objects.SignedRequest{Method: "GET", URL: "https://store.example/" + d.Object, ExpiresAt: earlier(s.now().Add(time.Minute), d.NotAfter)}, nil
}

func earlier(end, notAfter time.Time) time.Time {
	if !notAfter.IsZero() && notAfter.Before(end) {
		return notAfter
	}
	return end
}

func (s *store) Delete(_ context.Context, names ...string) error { return s.erase(s.deleted, names) }

func (s *store) Tombstone(_ context.Context, names ...string) error {
	return s.erase(s.tombstones, names)
}

func (s *store) erase(done map[string]int, names []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	var partial objects.PartialError
	for _, n := range names {
		if s.stuck[n] {
			partial.Objects, partial.Err = append(partial.Objects, n), errDown
			continue
		}
		done[n]++
	}
	if partial.Err != nil {
		return &partial
	}
	return nil
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// counted counts the calls to the database, by method, and fails them on demand.
type counted struct {
	*sqlite.DB
	calls map[string]int
	asked int // tokens of the last TokenGrants
	err   error
}

func (c *counted) note(name string) error { c.calls[name]++; return c.err }

func (c *counted) take() map[string]int {
	calls := c.calls
	c.calls = map[string]int{}
	return calls
}

// Write counts each part of the batch.
func (c *counted) Write(ctx context.Context, b models.Batch) (models.Result, error) {
	for name, has := range map[string]bool{
		"Tokens": len(b.Tokens) > 0, "Grants": len(b.Tokens) == 0 && len(b.Grants) > 0, "Move": b.Move != nil,
		"Revoke": b.Revoke != nil, "Destroy": b.Destroy != nil, "Purge": len(b.Purge) > 0,
	} {
		if has {
			_ = c.note("Write " + name)
		}
	}
	if c.err != nil {
		return models.Result{}, c.err
	}
	return c.DB.Write(ctx, b)
}

func (c *counted) ReadableTokens(ctx context.Context, tenant string, s ids.SessionHash, tokens []ids.Digest, now int64) ([]models.Token, error) {
	if err := c.note("ReadableTokens"); err != nil {
		return nil, err
	}
	return c.DB.ReadableTokens(ctx, tenant, s, tokens, now)
}

func (c *counted) Tokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]models.Token, error) {
	if err := c.note("Tokens"); err != nil {
		return nil, err
	}
	return c.DB.Tokens(ctx, tenant, tokens, now)
}

func (c *counted) TokenGrants(ctx context.Context, tenant string, s ids.SessionHash, tokens []ids.Digest, now int64) ([]models.TokenGrant, error) {
	c.asked = len(tokens)
	if err := c.note("TokenGrants"); err != nil {
		return nil, err
	}
	return c.DB.TokenGrants(ctx, tenant, s, tokens, now)
}

// endings is a vault.Sessions that records the ended sessions.
type endings struct {
	rows    *sqlite.DB
	ended   map[caller.SessionHash]bool
	reasons []string
	err     error
}

func (e *endings) EndSession(ctx context.Context, tenant, sessionID, reason string) (int, error) {
	session := caller.HashSession(tenant, sessionID)
	e.ended[session] = true
	e.reasons = append(e.reasons, tenant+" "+reason)
	if e.err != nil {
		return 0, e.err
	}
	at := noon.UnixMilli()
	done, err := e.rows.Write(ctx, models.Batch{
		Now: at, Ended: []models.Ended{{ID: session, EndedAt: at, ExpiresAt: at + 1000}}, Revoke: &models.Revocation{Tenant: tenant, Session: &session},
	})
	return done.Revoked, err
}

func (e *endings) Ended(session caller.SessionHash) bool { return e.ended[session] }

// sums is an Observer.
type sums map[string]int

func (s sums) GrantsCreated(kind string, n int) { s["created "+kind] += n }
func (s sums) GrantsChecked(kind string, held, missing int) {
	s["held "+kind] += held
	s["missing "+kind] += missing
}
func (s sums) Presigned(method string, n int) { s[method] += n }
func (s sums) Swept(what string, n int)       { s["swept "+what] += n }

// rates is a vault.Rates that records the calls, for example "reserve 2 of 30 bytes", and refuses with err.
type rates struct {
	asked []string
	err   error
}

func (r *rates) Reserve(_ *caller.Caller, tokens int, bytes int64) error {
	r.asked = append(r.asked, fmt.Sprintf("reserve %d of %d bytes", tokens, bytes))
	return r.err
}

func (r *rates) Read(_ *caller.Caller, tokens int) error {
	r.asked = append(r.asked, fmt.Sprintf("read %d", tokens))
	return r.err
}

type fixture struct {
	*vault.Vault
	options vault.Options
	rates   *rates
	at      time.Time
	rows    *counted
	store   *store
	endings *endings
	sums    sums
	path    string
}

func newFixture(t testing.TB) *fixture {
	dir := t.TempDir()
	f := &fixture{at: noon, rates: &rates{}, sums: sums{}, path: filepath.Join(dir, "rows.db")}
	now := func() time.Time { return f.at }
	f.store = &store{now: now, uploads: map[string]objects.Upload{}, deleted: map[string]int{}, tombstones: map[string]int{}}
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: f.path})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	f.rows = &counted{DB: db, calls: map[string]int{}}
	keys, err := keyring.LoadOrCreateFile(filepath.Join(dir, "keys.json"))
	require.NoError(t, err)
	f.endings = &endings{rows: db, ended: map[caller.SessionHash]bool{}}
	f.options = vault.Options{
		Rows: f.rows, Keys: keys, Objects: f.store, Sessions: f.endings, Rates: f.rates, Observer: f.sums, Prefixes: []string{"tok", "old"}, Logger: slog.New(slog.DiscardHandler), Now: now,
		Limits: vault.Limits{Batch: 10, GrantBatch: 10, ObjectSize: 1000, UnsizedSize: 100, DefaultGrant: 15 * time.Minute, MaxGrant: 24 * time.Hour, MaxTTL: 48 * time.Hour,
			MultipartSize: 1 << 40, UploadLifetime: 24 * time.Hour, SessionUploads: 3, TenantUploads: 100},
	}
	f.with(t, func(*vault.Options) {})
	return f
}

// with creates the vault again, with changed options.
func (f *fixture) with(t testing.TB, change func(*vault.Options)) {
	t.Helper()
	change(&f.options)
	var err error
	f.Vault, err = vault.New(f.options)
	require.NoError(t, err)
}

// session is the context of an end user of a tenant.
func session(tenant, id string) context.Context {
	hash := caller.HashSession(tenant, id)
	return caller.With(context.Background(), &caller.Caller{Tenant: tenant, Subject: "u", Session: &hash})
}

// application is the context of a tenant's backend.
func application(tenant string) context.Context {
	return caller.With(context.Background(), &caller.Caller{Tenant: tenant, Subject: "app", Roles: []string{caller.RoleApplication}})
}

func (f *fixture) tokenize(t testing.TB, ctx context.Context, ttl time.Duration) ids.Token {
	t.Helper()
	in := vault.TokenizeInput{}
	if ttl > 0 {
		in.TTL = &ttl
	}
	made, err := f.Tokenize(ctx, in)
	require.NoError(t, err)
	return made.Token
}

func ptr[T any](v T) *T { return &v }

func requireFault(t require.TestingT, err error, code fault.Code, path ...any) {
	var public *fault.Error
	require.ErrorAs(t, err, &public)
	require.Equal(t, code, public.Code, err.Error())
	require.NotContains(t, public.Message, "SECRET")
	if path != nil {
		require.Equal(t, path, public.Path)
	}
}

// checksOf returns a check of one kind for each token.
func checksOf(kind ids.Kind, tokens ...ids.Token) []vault.GrantCheck {
	checks := make([]vault.GrantCheck, len(tokens))
	for i, token := range tokens {
		checks[i] = vault.GrantCheck{Token: token, Kind: kind}
	}
	return checks
}
