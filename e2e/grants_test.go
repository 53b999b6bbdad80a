package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/dev"
)

const unknownToken = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"

// refusal returns all parts of an answer that a client sees and that could differ.
func refusal(t *testing.T, r stack.Response) stack.Answer {
	t.Helper()
	require.Equal(t, "GRANT_REQUIRED", r.Code(), "%s", r.Raw)
	header := r.Header.Clone()
	require.NotEmpty(t, header.Get("X-Request-Id"))
	header.Del("X-Request-Id")
	header.Del("Date")
	header.Del("Cloakroom-Session-Hash") // the caller's own
	return stack.Answer{Status: r.Status, Header: header, Body: r.Raw}
}

// A session that may not read a token can't find out whether the token exists or existed.
func TestEveryRefusalIsTheSame(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) {
		c.Tokens.SweepInterval = time.Hour // expired rows are still in the database
	}))
	me, other := s.Session(t), s.Session(t)
	app := s.ApplicationJWT(t)
	allow := func(t *testing.T, session *stack.Session, token, duration string) stack.Response {
		t.Helper()
		return s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{
			"sessionId": session.ID(t), "grants": []any{stack.Vars{"tokens": []string{token}, "duration": duration}}}}).OK(t)
	}
	unknown := refusal(t, s.Detokenize(t, me.JWT, unknownToken))
	refused := func(t *testing.T, jwt, token string) {
		t.Helper()
		assert.Equal(t, unknown, refusal(t, s.Detokenize(t, jwt, token)))
		assert.Nil(t, s.Query(t, jwt, stack.Describe, stack.Vars{"id": token}).OK(t).At("token"))
	}

	t.Run("a session without a grant", func(t *testing.T) {
		token, _ := s.Store(t, me.JWT, []byte("mine"), nil)
		refused(t, other.JWT, token)
	})
	t.Run("after the grant has expired", func(t *testing.T) {
		token, _ := s.Store(t, me.JWT, []byte("for a moment"), nil)
		require.Equal(t, []any{}, allow(t, other, token, "5s").At("createGrants", "grants", 0, "missing"))
		s.Detokenize(t, other.JWT, token).OK(t)
		stack.Await(t, "the grant's end", func() bool { return s.Detokenize(t, other.JWT, token).Code() != "" })
		refused(t, other.JWT, token)
	})
	t.Run("after the grant was revoked", func(t *testing.T) {
		token, _ := s.Store(t, me.JWT, []byte("no longer"), nil)
		allow(t, me, token, "10m")
		r := s.Query(t, app, stack.RevokeGrants, stack.Vars{"input": stack.Vars{"sessionId": me.ID(t), "tokens": []any{token}}}).OK(t)
		assert.EqualValues(t, 2, r.At("revokeGrants", "revoked"))
		refused(t, me.JWT, token)
	})
	t.Run("after the token's end", func(t *testing.T) {
		r := s.Query(t, me.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"ttl": "1s"}}).OK(t)
		token := r.At("tokenize", "token").(string)
		require.NotNil(t, r.At("tokenize", "expiresAt"))
		allow(t, me, token, "10m")
		stack.Await(t, "the token's end", func() bool { // in its last second no download can be signed
			return s.Query(t, me.JWT, stack.Describe, stack.Vars{"id": token}).OK(t).At("token") == nil
		})
		refused(t, me.JWT, token)
	})
	t.Run("after the token was deleted", func(t *testing.T) {
		token, _ := s.Store(t, me.JWT, []byte("gone"), nil)
		allow(t, me, token, "10m")
		s.Query(t, app, stack.DeleteTokens, stack.Vars{"tokens": []any{token}}).OK(t)
		refused(t, me.JWT, token)
	})
}

func TestDeletingATokenTakesItsObjectAway(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	kept, _ := s.Store(t, me.JWT, []byte("stays"), nil)
	require.Len(t, objectFiles(t, s), 1)
	token, _ := s.Store(t, me.JWT, []byte("goes"), nil)
	require.Len(t, objectFiles(t, s), 2)
	download := stack.Signed(t, s.Detokenize(t, me.JWT, token).OK(t).At("detokenize", "download"))
	require.Equal(t, "goes", string(s.Send(t, download, nil).Body))

	app := s.ApplicationJWT(t)
	remove := func(tokens ...any) any {
		return s.Query(t, app, stack.DeleteTokens, stack.Vars{"tokens": tokens}).OK(t).At("deleteTokens", "deleted")
	}
	assert.EqualValues(t, 1, remove(token, unknownToken, token))
	assert.Len(t, objectFiles(t, s), 1)
	assert.Equal(t, http.StatusNotFound, s.Send(t, download, nil).Status, "with a download that was signed before")
	assert.EqualValues(t, 0, remove(token))
	assert.Equal(t, "stays", string(s.Read(t, me.JWT, kept)))
}

func TestAnExpiredTokensObjectIsSweptAway(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.Tokens.SweepInterval = time.Second }))
	me := s.Session(t)
	r := s.Query(t, me.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"ttl": "10s", "size": 1}}).OK(t)
	require.Equal(t, http.StatusOK, s.Send(t, stack.Signed(t, r.At("tokenize", "upload")), []byte("x")).Status)
	require.Len(t, objectFiles(t, s), 1)
	stack.Await(t, "the sweeper", func() bool { return len(objectFiles(t, s)) == 0 })
}

func TestAnApplicationLetsAnotherSessionRead(t *testing.T) {
	s := stack.Start(t)
	doctor, nurse := s.Session(t), s.Session(t)
	app := s.ApplicationJWT(t)
	token, _ := s.Store(t, doctor.JWT, []byte("blood type 0"), stack.Vars{"filename": "blood.txt"})

	r := s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": nurse.ID(t),
		"grants": []any{stack.Vars{"tokens": []string{token, unknownToken}, "duration": "5m"}, stack.Vars{"tokens": []string{unknownToken}}}}}).OK(t)
	require.Len(t, r.At("createGrants", "grants"), 2)
	assert.Equal(t, []any{unknownToken}, r.At("createGrants", "grants", 0, "missing"), "a token that does not exist gets no grant")
	assert.Equal(t, map[string]any{"expiresAt": nil, "missing": []any{unknownToken}}, r.At("createGrants", "grants", 1))
	end, err := time.Parse(time.RFC3339, r.At("createGrants", "grants", 0, "expiresAt").(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(5*time.Minute), end, 30*time.Second)
	assert.Equal(t, "blood type 0", string(s.Read(t, nurse.JWT, token)))

	t.Run("an existing grant is never shortened", func(t *testing.T) {
		r := s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": nurse.ID(t),
			"grants": []any{stack.Vars{"tokens": []string{token}, "duration": "1s"}}}}).OK(t)
		assert.Equal(t, end.Format(time.RFC3339Nano), r.At("createGrants", "grants", 0, "expiresAt"))
	})
	t.Run("no grant outlives its token", func(t *testing.T) {
		made := s.Query(t, doctor.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"ttl": "2m"}}).OK(t)
		r := s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": nurse.ID(t),
			"grants": []any{stack.Vars{"tokens": []any{made.At("tokenize", "token")}, "duration": "1h", "kinds": []any{"STORE"}}}}}).OK(t)
		assert.Equal(t, made.At("tokenize", "expiresAt"), r.At("createGrants", "grants", 0, "expiresAt"))
	})
	t.Run("verifyGrants names what is missing, in order", func(t *testing.T) {
		other := s.Reserve(t, doctor.JWT)
		ask := func(session *stack.Session, kind string) stack.Response {
			return s.Query(t, app, stack.VerifyGrants, stack.Vars{"input": stack.Vars{
				"sessionId": session.ID(t), "checks": stack.Checks(kind, unknownToken, token, other)}}).OK(t)
		}
		assert.Equal(t, stack.Checks("READ", unknownToken, other), ask(nurse, "READ").At("verifyGrants", "missing"))
		assert.Equal(t, stack.Checks("STORE", unknownToken, token, other), ask(nurse, "STORE").At("verifyGrants", "missing"))
		assert.Equal(t, stack.Checks("STORE", unknownToken), ask(doctor, "STORE").At("verifyGrants", "missing"))
		assert.Equal(t, false, ask(doctor, "STORE").At("verifyGrants", "valid"))
	})
	t.Run("each check of several kinds has its own result", func(t *testing.T) {
		checks := append(stack.Checks("STORE", token), append(stack.Checks("READ", token, unknownToken), stack.Checks("STORE", token)...)...)
		r := s.Query(t, app, stack.VerifyGrants, stack.Vars{"input": stack.Vars{"sessionId": nurse.ID(t), "checks": checks}}).OK(t)
		assert.Equal(t, []any{checks[0], checks[2], checks[3]}, r.At("verifyGrants", "missing"), "the nurse may only READ")
	})
	t.Run("the application reads the token's metadata without a grant", func(t *testing.T) {
		r := s.Query(t, app, stack.Describe, stack.Vars{"id": token}).OK(t)
		assert.Equal(t, "blood.txt", r.At("token", "metadata", "filename"))
		assert.Nil(t, s.Query(t, app, stack.Describe, stack.Vars{"id": unknownToken}).OK(t).At("token"))
	})
	t.Run("revoking one kind leaves the other", func(t *testing.T) {
		r := s.Query(t, app, stack.RevokeGrants, stack.Vars{"input": stack.Vars{"tokens": []any{token}, "kinds": []any{"READ"}}}).OK(t)
		assert.EqualValues(t, 2, r.At("revokeGrants", "revoked"), "the doctor's and the nurse's")
		assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, nurse.JWT, token).Code())
		assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, doctor.JWT, token).Code())
		held := s.Query(t, app, stack.VerifyGrants, stack.Vars{"input": stack.Vars{"sessionId": doctor.ID(t), "checks": stack.Checks("STORE", token)}}).OK(t)
		assert.Equal(t, true, held.At("verifyGrants", "valid"))
	})
}

// An anonymous session's tokens belong to the login's session after the login, and to no other session.
func TestALoginKeepsWhatWasTokenizedBefore(t *testing.T) {
	s := stack.Start(t)
	before, after := s.Session(t), s.Session(t)
	app := s.ApplicationJWT(t)
	first, _ := s.Store(t, before.JWT, []byte("typed before the login"), nil)
	tokens := []string{first}
	for range 70 { // so many that their grants are a list
		tokens = append(tokens, s.Reserve(t, before.JWT))
	}
	wanted := []any{stack.Vars{"tokens": tokens, "duration": "1h", "kinds": []any{"READ", "STORE"}}}
	s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": before.ID(t), "grants": wanted}}).OK(t)
	assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, after.JWT, first).Code())

	carry := func() any {
		return s.Query(t, app, stack.CarryGrants, stack.Vars{"input": stack.Vars{"fromSessionId": before.ID(t), "toSessionId": after.ID(t)}}).
			OK(t).At("carryGrants", "carried")
	}
	assert.EqualValues(t, 2*len(tokens), carry())
	assert.Equal(t, "typed before the login", string(s.Read(t, after.JWT, first)))
	for _, token := range tokens {
		s.Detokenize(t, after.JWT, token).OK(t)
		assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, before.JWT, token).Code())
	}
	verify := s.Query(t, app, stack.VerifyGrants, stack.Vars{"input": stack.Vars{"sessionId": after.ID(t), "checks": stack.Checks("STORE", tokens...)}}).OK(t)
	assert.Equal(t, true, verify.At("verifyGrants", "valid"))
	assert.EqualValues(t, 0, carry())
}

// TestTheEnvironmentReachesDevelopment: settings that the development stack does not set itself.
func TestTheEnvironmentReachesDevelopment(t *testing.T) {
	s := stack.Start(t, func(o *dev.Options) { o.Environ = []string{"CLOAKROOM_GRANTS_DEFAULT_DURATION=1s", "HOME=/"} })
	session := s.Session(t)
	token := s.Reserve(t, session.JWT)
	stack.Await(t, "the grant's end", func() bool { return s.Detokenize(t, session.JWT, token).Code() == "GRANT_REQUIRED" })
}
