package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// Another application that the same gateway trusts can do nothing with this application's tokens.
func TestTenantsCanNotNameEachOthersTokens(t *testing.T) {
	lab := stack.NewTenant(t, "lab")
	s := stack.Start(t, lab.Trusted(t))
	me := s.Session(t)
	token, _ := s.Store(t, me.JWT, []byte("the clinic's"), nil)
	labApp := lab.ApplicationJWT(t, s.GatewayURL)
	labSession := lab.SessionJWT(t, s.GatewayURL, "a session of the lab")
	of := func(session string, more stack.Vars) stack.Vars {
		more["sessionId"] = session
		return stack.Vars{"input": more}
	}

	t.Run("not grant", func(t *testing.T) {
		for _, session := range []string{appkit.SessionID("a session of the lab"), me.ID(t)} {
			r := s.Query(t, labApp, stack.CreateGrants, of(session, stack.Vars{"grants": []any{stack.Vars{"tokens": []string{token}}}})).OK(t)
			assert.Equal(t, []any{map[string]any{"expiresAt": nil, "missing": []any{token}}}, r.At("createGrants", "grants"))
		}
	})
	t.Run("not detokenize", func(t *testing.T) {
		assert.Equal(t, refusal(t, s.Detokenize(t, labSession, unknownToken)), refusal(t, s.Detokenize(t, labSession, token)))
	})
	t.Run("not describe", func(t *testing.T) {
		for _, jwt := range []string{labApp, labSession} {
			assert.Nil(t, s.Query(t, jwt, stack.Describe, stack.Vars{"id": token}).OK(t).At("token"))
		}
	})
	t.Run("not verify", func(t *testing.T) {
		r := s.Query(t, labApp, stack.VerifyGrants, of(me.ID(t), stack.Vars{"checks": stack.Checks("STORE", token)})).OK(t)
		assert.Equal(t, stack.Checks("STORE", token), r.At("verifyGrants", "missing"))
	})
	t.Run("not revoke", func(t *testing.T) {
		for _, by := range []stack.Vars{
			{"tokens": []any{token}}, {"sessionId": me.ID(t)}, {"sessionId": me.ID(t), "tokens": []any{token}},
		} {
			r := s.Query(t, labApp, stack.RevokeGrants, stack.Vars{"input": by}).OK(t)
			assert.EqualValues(t, 0, r.At("revokeGrants", "revoked"))
		}
	})
	t.Run("not carry", func(t *testing.T) {
		r := s.Query(t, labApp, stack.CarryGrants, stack.Vars{"input": stack.Vars{"fromSessionId": me.ID(t), "toSessionId": "lab"}}).OK(t)
		assert.EqualValues(t, 0, r.At("carryGrants", "carried"))
	})
	t.Run("not delete", func(t *testing.T) {
		r := s.Query(t, labApp, stack.DeleteTokens, stack.Vars{"tokens": []any{token}}).OK(t)
		assert.EqualValues(t, 0, r.At("deleteTokens", "deleted"))
	})
	t.Run("not by the same session id", func(t *testing.T) {
		// The lab signs a JWT whose sid is the clinic's session: the hash of a session holds its tenant.
		labToken := s.Reserve(t, labSession)
		r := s.Query(t, labApp, stack.CreateGrants, of(me.ID(t), stack.Vars{"grants": []any{stack.Vars{"tokens": []string{labToken}}}})).OK(t)
		assert.Equal(t, []any{}, r.At("createGrants", "grants", 0, "missing"))
		assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, me.JWT, labToken).Code())
	})
	assert.Equal(t, "the clinic's", string(s.Read(t, me.JWT, token)), "after all attempts")
}

func TestEachFieldBelongsToOneKindOfCaller(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	app := s.ApplicationJWT(t)
	token := s.Reserve(t, me.JWT)
	upload, _ := s.Begin(t, me.JWT, nil)
	abort, _ := s.Begin(t, me.JWT, nil)
	complete, _ := s.Begin(t, me.JWT, nil)
	s.PutPart(t, me.JWT, complete, 1, []byte("x"))
	id := me.ID(t)
	ofSession := map[string]string{
		"tokenize":        `mutation { tokenize { token } }`,
		"tokenizeBatch":   `mutation { tokenizeBatch(inputs: [{}]) { token } }`,
		"detokenize":      `mutation { detokenize(token: "` + token + `") { token } }`,
		"detokenizeBatch": `mutation { detokenizeBatch(tokens: ["` + token + `"]) { __typename } }`,
		"beginUpload":     `mutation { beginUpload { token } }`,
		"uploadParts":     `mutation { uploadParts(token: "` + upload + `", parts: [{number: 1, size: 1}]) { number } }`,
		"uploadStatus":    `{ uploadStatus(token: "` + upload + `") { uploadUntil } }`,
		"completeUpload":  `mutation { completeUpload(token: "` + complete + `", size: 1) { token } }`,
		"abortUpload":     `mutation { abortUpload(token: "` + abort + `") { aborted } }`,
	}
	ofApplication := map[string]string{
		"createGrants": `mutation { createGrants(input: {sessionId: "` + id + `", grants: [{tokens: ["` + token + `"]}]}) { grants { missing } } }`,
		"verifyGrants": `{ verifyGrants(input: {sessionId: "` + id + `", checks: [{token: "` + token + `"}]}) { valid } }`,
		"revokeGrants": `mutation { revokeGrants(input: {sessionId: "other"}) { revoked } }`,
		"carryGrants":  `mutation { carryGrants(input: {fromSessionId: "other", toSessionId: "` + id + `"}) { carried } }`,
		"endSession":   `mutation { endSession(input: {sessionId: "other"}) { revoked } }`,
		"deleteTokens": `mutation { deleteTokens(tokens: ["` + unknownToken + `"]) { deleted } }`,
	}
	ofBoth := map[string]string{"token": `{ token(id: "` + token + `") { id } }`}
	for _, test := range []struct {
		caller, jwt                       string
		ofSession, ofApplication, ofEvery string
	}{
		{"a session", me.JWT, "", "FORBIDDEN", ""},
		{"an application", app, "FORBIDDEN", "", ""},
		{"no credential", "", "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"},
	} {
		for _, group := range []struct {
			fields map[string]string
			want   string
		}{{ofSession, test.ofSession}, {ofApplication, test.ofApplication}, {ofBoth, test.ofEvery}} {
			for field, query := range group.fields {
				t.Run(test.caller+" asks for "+field, func(t *testing.T) {
					r := s.Query(t, test.jwt, query, nil)
					assert.Equal(t, group.want, r.Code(), "%s", r.Raw)
					if group.want != "" {
						assert.Equal(t, "["+field+"]", r.Path())
						assert.Nil(t, r.At(field))
					}
				})
			}
		}
	}
}

func TestTheViewerIsWhoTheCredentialsName(t *testing.T) {
	s := stack.Start(t)
	me, other := s.Session(t), s.Session(t)
	view := func(jwt string) map[string]any {
		v, _ := s.Query(t, jwt, stack.Viewer, nil).OK(t).At("viewer").(map[string]any)
		return v
	}
	assert.Nil(t, view(""))
	mine := view(me.JWT)
	require.NotEmpty(t, mine["sessionHash"])
	assert.NotContains(t, mine["sessionHash"], me.ID(t))
	assert.Empty(t, mine["roles"])
	assert.Equal(t, "clinic", mine["tenant"])
	assert.Equal(t, "anonymous", mine["subject"])
	assert.NotEqual(t, mine["sessionHash"], view(other.JWT)["sessionHash"])
	before := me.JWT
	me.Renew(t)
	require.NotEqual(t, before, me.JWT)
	assert.Equal(t, mine["sessionHash"], view(me.JWT)["sessionHash"], "another JWT, the same session")

	app := view(s.ApplicationJWT(t))
	assert.Nil(t, app["sessionHash"])
	assert.Equal(t, []any{"application"}, app["roles"])
	assert.Equal(t, s.AppURL, app["subject"])
}

func TestAnyBadCredentialIsRefusedEvenWhereNoneIsNeeded(t *testing.T) {
	lab, stranger := stack.NewTenant(t, "lab"), stack.NewTenant(t, "stranger")
	s := stack.Start(t, lab.Trusted(t))
	me := s.Session(t)
	for name, jwt := range map[string]string{
		"rubbish":                    "rubbish",
		"an issuer without trust":    stranger.SessionJWT(t, s.GatewayURL, "x"),
		"a fourth part":              me.JWT + ".x",
		"a changed signature":        me.JWT[:len(me.JWT)-10] + "AAAAAAAAAA",
		"another gateway's audience": lab.SessionJWT(t, "https://elsewhere.example", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Query(t, jwt, `{ __typename }`, nil)
			assert.Equal(t, 401, r.Status)
			assert.Equal(t, "UNAUTHENTICATED", r.Code())
			assert.Nil(t, r.Data)
			assert.Contains(t, r.Header.Get("WWW-Authenticate"), "Bearer")
		})
	}
}
