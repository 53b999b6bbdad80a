package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/internal/disktest"
)

const endSession = `mutation($id: ID!) { endSession(input: {sessionId: $id}) { revoked } }`

// TestAFullDisk: while the disk of database and store is full, and another program takes all freed space, revocations,
// deletions and session ends still work and survive a kill; new values are refused, and readiness and metrics show it; the
// gateway starts; and everything works again, without a restart, once there is space.
func TestAFullDisk(t *testing.T) {
	disktest.On(t, 64<<20, func(t *testing.T, dir string) {
		p := stack.Launch(t, stack.Data(dir))
		me, other := p.Session(t), p.Session(t)
		kept, _ := p.Store(t, me.JWT, []byte("kept"), nil)
		late, _ := p.Store(t, me.JWT, []byte("late"), nil)
		deleted, _ := p.Store(t, me.JWT, []byte("deleted"), nil)
		revoked, _ := p.Store(t, me.JWT, []byte("revoked"), nil)
		foreign, _ := p.Store(t, other.JWT, []byte("foreign"), nil)
		upload := stack.Signed(t, p.Query(t, me.JWT, stack.Tokenize, nil).OK(t).At("tokenize", "upload"))
		requireWhole(t, p.Stack)
		// The example application is no part of this test: its database needs a file of 32 KiB to open.
		room := filepath.Join(dir, "room")
		require.NoError(t, os.WriteFile(room, make([]byte, 4<<20), 0o600))
		filler := disktest.Fill(t, dir)
		app := p.ApplicationJWT(t)

		t.Run("new values are refused", func(t *testing.T) {
			requireRefused(t, p.Stack, me.JWT)
			answer := p.Send(t, upload, make([]byte, 100_000))
			assert.Equal(t, http.StatusInsufficientStorage, answer.Status)
			assert.Equal(t, "30", answer.Header.Get("Retry-After"))
			left, err := os.ReadDir(filepath.Join(dir, "objects", "values", "tmp"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
		t.Run("reads go on", func(t *testing.T) {
			assert.Equal(t, "kept", string(p.Read(t, me.JWT, kept)))
		})
		t.Run("revocation and deletion go on", func(t *testing.T) {
			r := p.Query(t, app, stack.RevokeGrants, stack.Vars{"input": stack.Vars{"tokens": []any{revoked}}}).OK(t)
			assert.EqualValues(t, 2, r.At("revokeGrants", "revoked"))
			r = p.Query(t, app, stack.DeleteTokens, stack.Vars{"tokens": []any{deleted}}).OK(t)
			assert.EqualValues(t, 1, r.At("deleteTokens", "deleted"))
			r = p.Query(t, app, endSession, stack.Vars{"id": other.ID(t)}).OK(t)
			assert.EqualValues(t, 2, r.At("endSession", "revoked"))
		})
		p.Kill(t)
		require.NoError(t, os.Remove(room))

		p = stack.Launch(t, stack.Data(dir), stack.At(p.Stack))
		t.Run("it starts, and revoked and ended things stay so", func(t *testing.T) {
			assert.Equal(t, "UNAUTHENTICATED", p.Detokenize(t, other.JWT, foreign).Code())
			for _, token := range []string{deleted, revoked} {
				assert.Equal(t, "GRANT_REQUIRED", p.Detokenize(t, me.JWT, token).Code())
			}
			assert.Equal(t, "kept", string(p.Read(t, me.JWT, kept)))
			requireRefused(t, p.Stack, me.JWT)
			p.Query(t, app, stack.DeleteTokens, stack.Vars{"tokens": []any{late}}).OK(t)
		})
		t.Run("everything works again once there is space", func(t *testing.T) {
			filler.Free()
			requireWhole(t, p.Stack)
			assert.Equal(t, http.StatusOK, p.Send(t, upload, []byte("later")).Status)
			token, _ := p.Store(t, me.JWT, []byte("new"), nil)
			assert.Equal(t, "new", string(p.Read(t, me.JWT, token)))
		})
	})
}

func requireRefused(t *testing.T, s *stack.Stack, jwt string) {
	t.Helper()
	stack.Await(t, "readiness to show it", func() bool {
		ready := s.Get(t, s.GatewayURL+"/readyz")
		require.Equal(t, http.StatusOK, ready.Status, "it still revokes and reads")
		return string(ready.Body) == `{"status":"degraded","parts":{"database":"ok","keys":"ok","objects":"ok","space":"degraded"}}`+"\n"
	})
	stack.Await(t, "the metrics to show it", func() bool { return metric(t, s, `cloakroom_space_refusing{what="values"}`) == "1" })
	r := s.Query(t, jwt, stack.Tokenize, nil)
	require.Equal(t, "UNAVAILABLE", r.Code())
	require.Equal(t, "30", r.Header.Get("Retry-After"))
	require.Contains(t, string(r.Raw), `"retryAfter":30`)
}

// requireWhole waits for space, and for the complete reserve.
func requireWhole(t *testing.T, s *stack.Stack) {
	t.Helper()
	stack.Await(t, "room", func() bool {
		return metric(t, s, `cloakroom_space_refusing{what="values"}`) == "0" && metric(t, s, `cloakroom_space_refusing{what="rows"}`) == "0"
	})
}
