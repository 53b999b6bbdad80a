package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/directives"
)

const (
	fuzzJWT   = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	fuzzToken = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"
)

// transport gives every request the same answer, without a network.
type transport struct {
	status      int
	contentType string
	body        string
}

func (f transport) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", f.contentType)
	w.WriteHeader(f.status)
	_, _ = w.WriteString(f.body)
	return w.Result(), nil
}

// FuzzAnswers: for every answer, no method panics, no grant counts as held unless the answer says so, results are
// complete, and no error shows the JWT.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"data":{"createGrants":{"grants":[{"expiresAt":"2030-01-01T00:00:00Z","missing":[]}]}}}`,
		`{"data":{"createGrants":{"grants":[{"expiresAt":null,"missing":["` + fuzzToken + `"]}]}}}`,
		`{"data":{"verifyGrants":{"valid":true,"missing":[]}}}`,
		`{"data":{"verifyGrants":{"valid":false,"missing":[{"token":"` + fuzzToken + `","kind":"STORE"}]}}}`,
		`{"data":{"tokenize":{"token":"` + fuzzToken + `","upload":{"method":"PUT","url":"https://s.example/?sig=1","headers":[{"name":"A","value":"b"}],"expiresAt":"2030-01-01T00:00:00Z"},"expiresAt":null}}}`,
		`{"data":{"detokenizeBatch":[{"__typename":"TokenFailure","token":"` + fuzzToken + `","code":"GRANT_REQUIRED","message":"no"}]}}`,
		`{"data":{"detokenizeBatch":[{"__typename":"DetokenizePayload","token":"` + fuzzToken + `","download":{"method":"GET","url":"https://s.example","headers":[],"expiresAt":"2030-01-01T00:00:00Z"},"metadata":{"custom":{"a":1}}}]}}`,
		`{"data":{"viewer":{"tenant":"t","roles":null,"expiresAt":"2030-01-01T00:00:00Z"},"token":null,"revokeGrants":{"revoked":1},"carryGrants":{"carried":0},"deleteTokens":{"deleted":-1}}}`,
		`{"errors":[{"message":"Bearer ` + fuzzJWT + `","path":["a",1,null],"extensions":{"code":"GRANT_REQUIRED"}},null]}`, `<html>`, `[]`, ``,
	} {
		f.Add(200, "application/json", body)
	}
	f.Add(503, "text/html", "<h1>")
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		if status < 200 || status > 599 || strings.ContainsAny(contentType, "\r\n") {
			return
		}
		c, err := New(Options{
			Endpoint: "https://gateway.example", Attempts: 1, MaxAnswer: 1 << 20,
			HTTPClient:  &http.Client{Transport: transport{status, contentType, body}},
			Credentials: func(context.Context) (string, time.Time, error) { return fuzzJWT, time.Time{}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		try(t, c, body)
	})
}

func try(t *testing.T, c *Client, body string) {
	ctx := t.Context()
	checks := []directives.Check{{Token: fuzzToken, Kind: directives.GrantKindRead}, {Token: fuzzToken, Kind: directives.GrantKindStore}}
	errs := make([]error, 0, 11)
	note := func(err error, sound bool) {
		if errs = append(errs, err); err == nil && !sound {
			t.Errorf("accepted as an answer: %q", body)
		}
	}
	made, err := c.Tokenize(ctx, Value{})
	note(err, made.Token != "" && made.Upload.URL != "" && made.Upload.Method != "")
	batch, err := c.TokenizeBatch(ctx, make([]Value, 2))
	note(err, len(batch) == 2 && batch[0].Token != "")
	d, err := c.Detokenize(ctx, fuzzToken)
	note(err, d.Token == fuzzToken && d.Download.URL != "")
	ds, err := c.DetokenizeBatch(ctx, []string{fuzzToken})
	note(err, len(ds) == 1 && ds[0].Token == fuzzToken && (ds[0].Err != nil) != (ds[0].Download.URL != ""))
	known, err := c.Token(ctx, fuzzToken)
	note(err, known == nil || known.ID == fuzzToken)
	who, err := c.Viewer(ctx)
	note(err, who.Tenant != "")
	granted, err := c.CreateGrants(ctx, "s", []directives.Grant{{Tokens: []string{fuzzToken}, Kinds: []directives.GrantKind{directives.GrantKindRead}}})
	note(err, len(granted) == 1 && granted[0].ExpiresAt.IsZero() == slices.Equal(granted[0].Missing, []string{fuzzToken}))
	missing, err := c.VerifyGrants(ctx, "s", checks[:1])
	note(err, len(missing) == 1 || strings.Contains(strings.ToLower(body), "valid") || strings.Contains(body, `\u`))
	missing, err = c.VerifyGrants(ctx, "s", checks)
	note(err, len(missing) > 0 || strings.Contains(strings.ToLower(body), "valid") || strings.Contains(body, `\u`))
	n, err := c.RevokeGrants(ctx, Revocation{Session: "s"})
	note(err, n >= 0)
	n, err = c.CarryGrants(ctx, "s", "t")
	note(err, n >= 0)
	n, err = c.EndSession(ctx, "s")
	note(err, n >= 0)
	n, err = c.DeleteTokens(ctx, []string{fuzzToken})
	note(err, n >= 0)
	for _, err := range errs {
		if err != nil && (strings.Contains(err.Error(), fuzzJWT) || strings.Contains(err.Error(), fuzzToken)) {
			t.Errorf("shows a secret: %s", err)
		}
	}
}
