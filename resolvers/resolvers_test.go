package resolvers_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
	"github.com/cloakroomhq/cloakroom/internal/vault"
	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
	"github.com/cloakroomhq/cloakroom/resolvers"
)

type store struct{ objects.Uploads }

func (store) PartLimits() objects.PartLimits {
	return objects.PartLimits{MinSize: 1, MaxSize: 10, MaxNumber: 3, MaxTotal: 1 << 40}
}

func (store) CreateMultipart(context.Context, objects.Multipart) (string, error) { return "id", nil }

func (store) SignPart(u objects.PartUpload) (objects.SignedRequest, error) {
	return objects.SignedRequest{Method: "PUT", URL: "https://store.example/part", ExpiresAt: time.Unix(60, 0)}, nil
}

func (store) ListParts(context.Context, objects.Multipart) ([]objects.Part, error) {
	return []objects.Part{{Number: 1, Size: 3, ETag: "a"}}, nil
}

func (store) CompleteMultipart(context.Context, objects.Multipart, []objects.Part) error { return nil }
func (store) AbortMultipart(context.Context, objects.Multipart) error                    { return nil }

func (store) SignUpload(u objects.Upload) (objects.SignedRequest, error) {
	return objects.SignedRequest{
		Method: "PUT", URL: "https://store.example/x", Headers: []objects.Header{{Name: "Content-Type", Value: u.ContentType}, {Name: "X-B", Value: "b"}}, ExpiresAt: time.Unix(60, 0),
	}, nil
}

func (store) SignDownload(objects.Download) (objects.SignedRequest, error) {
	return objects.SignedRequest{Method: "GET", URL: "https://store.example/y", ExpiresAt: time.Unix(90, 0)}, nil
}

func (store) Delete(context.Context, ...string) error    { return nil }
func (store) Tombstone(context.Context, ...string) error { return nil }

// sessions stores the end of a session and revokes its grants, and reports no session as ended.
type sessions struct{ rows *sqlite.DB }

func (s sessions) EndSession(ctx context.Context, tenant, sessionID, _ string) (int, error) {
	session := caller.HashSession(tenant, sessionID)
	now := time.Now().UnixMilli()
	done, err := s.rows.Write(ctx, models.Batch{
		Now: now, Ended: []models.Ended{{ID: session, EndedAt: now, ExpiresAt: now}}, Revoke: &models.Revocation{Tenant: tenant, Session: &session},
	})
	return done.Revoked, err
}

func (sessions) Ended(caller.SessionHash) bool { return false }

type rates struct{}

func (rates) Reserve(*caller.Caller, int, int64) error { return nil }
func (rates) Read(*caller.Caller, int) error           { return nil }

type gateway struct {
	exec   *executor.Executor
	schema *ast.Schema
}

func newGateway(t *testing.T) *gateway {
	dir := t.TempDir()
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(dir, "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	keys, err := keyring.LoadOrCreateFile(filepath.Join(dir, "keys.json"))
	require.NoError(t, err)
	v, err := vault.New(vault.Options{
		Rows: db, Keys: keys, Objects: store{}, Sessions: sessions{db}, Rates: rates{}, Observer: telemetry.NewMetrics("test"), Prefixes: []string{"tok"}, Logger: slog.New(slog.DiscardHandler),
		Limits: vault.Limits{Batch: 10, GrantBatch: 10, ObjectSize: 3 << 30, DefaultGrant: time.Minute, MaxGrant: time.Hour, MaxTTL: time.Hour,
			MultipartSize: 1 << 40, UploadLifetime: time.Hour, SessionUploads: 10, TenantUploads: 100},
	})
	require.NoError(t, err)
	s := graph.NewExecutableSchema(graph.Config{Resolvers: &resolvers.Resolver{Vault: v}})
	return &gateway{executor.New(s), s.Schema()}
}

func session(id string) context.Context {
	hash := caller.HashSession("clinic", id)
	return caller.With(context.Background(), &caller.Caller{Tenant: "clinic", Subject: "u", Session: &hash, ExpiresAt: time.Unix(0, 0)})
}

func application() context.Context {
	return caller.With(context.Background(), &caller.Caller{Tenant: "clinic", Subject: "app", Roles: []string{"application"}, ExpiresAt: time.Unix(0, 0)})
}

// run returns the data of a document, or the code of its first error.
func (g *gateway) run(t *testing.T, ctx context.Context, document string, variables map[string]any) (map[string]any, fault.Code) {
	t.Helper()
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := g.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: document, Variables: variables})
	require.Empty(t, errs)
	var code fault.Code
	g.exec.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		if code == "" {
			code = fault.Public(err).Code
		}
		return graphql.DefaultErrorPresenter(ctx, err)
	})
	responses, ctx := g.exec.DispatchOperation(ctx, op)
	var data map[string]any
	require.NoError(t, json.Unmarshal(responses(ctx).Data, &data))
	return data, code
}

func in(v any, steps ...any) any {
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			v = v.(map[string]any)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	return v
}

// TestStory runs every field of the contract against a real vault.
func TestStory(t *testing.T) {
	g := newGateway(t)
	user, app := session("s"), application()
	signed := "{method url headers{name value} expiresAt}"
	data, code := g.run(t, user, `mutation($in:TokenizeInput){tokenize(input:$in){token expiresAt upload`+signed+`}}`, map[string]any{"in": map[string]any{
		"size": json.Number("2147483649"), "ttl": "30m",
		"metadata": map[string]any{"filename": "a.txt", "contentType": "text/plain", "lastModified": "2026-05-04T12:00:00+02:00", "custom": map[string]any{"n": json.Number("1.50")}},
	}})
	require.Empty(t, code)
	require.Equal(t, []any{map[string]any{"name": "Content-Type", "value": "text/plain"}, map[string]any{"name": "X-B", "value": "b"}}, in(data, "tokenize", "upload", "headers"))
	require.Equal(t, "1970-01-01T00:01:00Z", in(data, "tokenize", "upload", "expiresAt"))
	require.NotNil(t, in(data, "tokenize", "expiresAt"))
	token := in(data, "tokenize", "token").(string)
	data, code = g.run(t, user, `mutation{tokenize{token expiresAt} tokenizeBatch(inputs:[{},{size:1}]){token upload{method}}}`, nil)
	require.Empty(t, code)
	require.Nil(t, in(data, "tokenize", "expiresAt"))
	bare := in(data, "tokenizeBatch", 1, "token").(string)

	vars := map[string]any{"t": token, "l": []any{token, "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8", bare}}
	meta := "metadata{filename contentType lastModified custom}"
	data, code = g.run(t, user, `mutation($t:TokenID!,$l:[TokenID!]!){detokenize(token:$t){token download`+signed+meta+`}
		detokenizeBatch(tokens:$l){__typename ...on DetokenizePayload{token `+meta+`} ...on TokenFailure{token code message}}}`, vars)
	require.Empty(t, code)
	want := map[string]any{"filename": "a.txt", "contentType": "text/plain", "lastModified": "2026-05-04T10:00:00Z", "custom": map[string]any{"n": 1.5}}
	require.Equal(t, want, in(data, "detokenize", "metadata"))
	require.Equal(t, "https://store.example/y", in(data, "detokenize", "download", "url"))
	require.Equal(t, []any{}, in(data, "detokenize", "download", "headers"))
	require.Equal(t, want, in(data, "detokenizeBatch", 0, "metadata"))
	require.Equal(t, "GRANT_REQUIRED", in(data, "detokenizeBatch", 1, "code"))
	require.Equal(t, map[string]any{"__typename": "DetokenizePayload", "token": bare, "metadata": nil}, in(data, "detokenizeBatch", 2))

	data, code = g.run(t, app, `query($t:TokenID!){token(id:$t){id createdAt expiresAt `+meta+`} viewer{subject roles tenant sessionHash expiresAt}}`, vars)
	require.Empty(t, code)
	require.Equal(t, want, in(data, "token", "metadata"))
	require.Equal(t, map[string]any{"subject": "app", "roles": []any{"application"}, "tenant": "clinic", "sessionHash": nil, "expiresAt": "1970-01-01T00:00:00Z"}, data["viewer"])
	data, _ = g.run(t, user, `{viewer{roles sessionHash}}`, nil)
	require.Len(t, in(data, "viewer", "sessionHash"), 64)
	data, _ = g.run(t, context.Background(), `{viewer{tenant}}`, nil)
	require.Nil(t, data["viewer"])

	const none = "tok-00000000-0000-4000-8000-000000000000"
	data, code = g.run(t, app, `mutation($t:TokenID!){createGrants(input:{sessionId:"s2",grants:[{tokens:[$t],kinds:[STORE,READ],duration:"10m"},{tokens:[$t,"`+none+`"]},{tokens:["`+none+`"]}]}){grants{expiresAt missing}}}`, vars)
	require.Empty(t, code)
	created := in(data, "createGrants", "grants").([]any)
	require.Len(t, created, 3)
	require.NotNil(t, in(created[0], "expiresAt"))
	require.Equal(t, []any{}, in(created[0], "missing"))
	require.NotNil(t, in(created[1], "expiresAt"))
	require.Equal(t, []any{none}, in(created[1], "missing"))
	require.Equal(t, map[string]any{"expiresAt": nil, "missing": []any{none}}, created[2])
	vars["c"] = []any{}
	for _, token := range vars["l"].([]any) {
		vars["c"] = append(vars["c"].([]any), map[string]any{"token": token, "kind": "STORE"})
	}
	data, code = g.run(t, app, `query($c:[GrantCheckInput!]!){verifyGrants(input:{sessionId:"s2",checks:$c}){valid missing{token kind}}}`, vars)
	require.Empty(t, code)
	require.Equal(t, map[string]any{"valid": false, "missing": vars["c"].([]any)[1:]}, data["verifyGrants"])
	data, code = g.run(t, app, `mutation{endSession(input:{sessionId:"s2"}){revoked}}`, nil)
	require.Empty(t, code)
	require.EqualValues(t, 2, in(data, "endSession", "revoked"))
	data, code = g.run(t, app, `mutation($t:TokenID!){createGrants(input:{sessionId:"s2",grants:[{tokens:[$t],kinds:[STORE,READ]}]}){grants{missing}}}`, vars)
	require.Empty(t, code)
	require.Equal(t, map[string]any{"missing": []any{}}, in(data, "createGrants", "grants").([]any)[0])
	data, code = g.run(t, app, `mutation($t:TokenID!){a:revokeGrants(input:{sessionId:"s2",kinds:[READ]}){revoked} b:revokeGrants(input:{tokens:[$t]}){revoked} deleteTokens(tokens:[$t]){deleted}}`, vars)
	require.Empty(t, code)
	require.EqualValues(t, []any{1.0, 3.0, 1.0}, []any{in(data, "a", "revoked"), in(data, "b", "revoked"), in(data, "deleteTokens", "deleted")})
	data, _ = g.run(t, app, `query($t:TokenID!){token(id:$t){id}}`, vars)
	require.Nil(t, data["token"])
}

// TestAnnotations compares the schema's own @token with the gateway's behaviour.
func TestAnnotations(t *testing.T) {
	g := newGateway(t)
	kinds := func(d ast.DirectiveList) (list []string) {
		for _, c := range d.ForName("token").Arguments.ForName("grants").Value.Children {
			list = append(list, c.Value.Raw)
		}
		return list
	}
	data, _ := g.run(t, session("s"), `mutation{tokenize{token}}`, nil)
	token := in(data, "tokenize", "token")
	vars := map[string]any{"l": []any{token}}
	created := kinds(g.schema.Types["TokenizePayload"].Fields.ForName("token").Directives)
	for _, kind := range []string{"READ", "STORE"} {
		data, _ := g.run(t, application(), `query($t:TokenID!){verifyGrants(input:{sessionId:"s",checks:[{token:$t,kind:`+kind+`}]}){valid}}`, map[string]any{"t": token})
		require.Equal(t, true, in(data, "verifyGrants", "valid"))
		require.Contains(t, created, kind)
	}
	required := kinds(g.schema.Mutation.Fields.ForName("detokenize").Arguments.ForName("token").Directives)
	require.Equal(t, []string{"READ"}, required)
	for _, drop := range []string{"STORE", "READ"} {
		g.run(t, application(), `mutation($l:[TokenID!]!){revokeGrants(input:{tokens:$l,kinds:[`+drop+`]}){revoked}}`, vars)
		_, code := g.run(t, session("s"), `mutation($t:TokenID!){detokenize(token:$t){token}}`, map[string]any{"t": vars["l"].([]any)[0]})
		require.Equal(t, drop == "READ", code == fault.GrantRequired)
	}
}

func TestUploadInParts(t *testing.T) {
	g := newGateway(t)
	s := session("s")
	data, code := g.run(t, s, `mutation { beginUpload(input: {size: 3}) { token encryption { key } parts { minSize maxSize maxNumber } uploadUntil expiresAt } }`, nil)
	require.Empty(t, code)
	begun := data["beginUpload"].(map[string]any)
	require.Equal(t, map[string]any{"minSize": 1.0, "maxSize": 10.0, "maxNumber": 3.0}, begun["parts"])
	require.Nil(t, begun["encryption"])
	token := map[string]any{"t": begun["token"]}
	data, code = g.run(t, s, `mutation($t: TokenID!) { uploadParts(token: $t, parts: [{number: 1, size: 3}]) { number request { method url headers { name } expiresAt } } }`, token)
	require.Empty(t, code)
	require.Equal(t, []any{map[string]any{"number": 1.0, "request": map[string]any{
		"method": "PUT", "url": "https://store.example/part", "headers": []any{}, "expiresAt": "1970-01-01T00:01:00Z",
	}}}, data["uploadParts"])
	data, code = g.run(t, s, `query($t: TokenID!) { uploadStatus(token: $t) { parts { number size } encryption { key } limits { maxNumber } uploadUntil } }`, token)
	require.Empty(t, code)
	require.Equal(t, map[string]any{
		"parts": []any{map[string]any{"number": 1.0, "size": 3.0}}, "encryption": nil, "limits": map[string]any{"maxNumber": 3.0}, "uploadUntil": begun["uploadUntil"],
	}, data["uploadStatus"])
	data, code = g.run(t, s, `mutation($t: TokenID!) { completeUpload(token: $t, size: 3) { token expiresAt } }`, token)
	require.Empty(t, code)
	require.Equal(t, map[string]any{"token": begun["token"], "expiresAt": nil}, data["completeUpload"])
	_, code = g.run(t, s, `mutation($t: TokenID!) { abortUpload(token: $t) { aborted } }`, token)
	require.Equal(t, fault.GrantRequired, code)
	data, code = g.run(t, s, `mutation { beginUpload { token } }`, nil)
	require.Empty(t, code)
	data, code = g.run(t, s, `mutation($t: TokenID!) { abortUpload(token: $t) { aborted } }`, map[string]any{"t": data["beginUpload"].(map[string]any)["token"]})
	require.Empty(t, code)
	require.Equal(t, map[string]any{"aborted": true}, data["abortUpload"])
}
