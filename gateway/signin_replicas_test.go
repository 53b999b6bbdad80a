package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// TestEndOnReplicas: other replicas soon refuse the cookie of an ended login or session, also after a restart.
func TestEndOnReplicas(t *testing.T) {
	w := newWorld(t, false, unhurriedPoll)
	w.cfg.Objects.Embedded.Dir = t.TempDir()
	replica := w.open(t)
	refuses := func(g *gateway.Gateway, value string) func() bool {
		return func() bool {
			r := newRequest(t, "GET", w.url+"/session/verify", nil, "Cookie", w.cookieName("session")+"="+value)
			return serve(g, r).Code == http.StatusUnauthorized
		}
	}
	login, session := w.signIn(t, w.clinic), w.signIn(t, w.bank)
	require.False(t, refuses(replica, login)())
	require.False(t, refuses(replica, session)())
	require.Equal(t, http.StatusOK, w.end(t, nil, "Origin", w.clinic.URL, "Cookie", w.cookieName("session")+"="+login).StatusCode)
	application := "Bearer " + w.bank.session(map[string]any{"roles": []string{"application"}})
	got := w.graphql(t, nil, fmt.Sprintf(`{"query":"mutation { endSession(input: {sessionId: %s}) { revoked } }"}`, strings.ReplaceAll(fmt.Sprintf("%q", w.bank.sid), `"`, `\"`)), "Authorization", application)
	require.Empty(t, got.code(), got.body)
	w.cfg.Objects.Embedded.Dir = t.TempDir()
	restarted := w.open(t)
	for _, value := range []string{login, session} {
		require.True(t, refuses(w.Gateway, value)())
		require.True(t, refuses(restarted, value)())
		require.Eventually(t, refuses(replica, value), 30*time.Second, 20*time.Millisecond)
	}
	// A new sign-in of an ended session makes a cookie that is refused.
	require.True(t, refuses(w.Gateway, w.signIn(t, w.bank))())
}

// TestOneStateOneSession: of fifty concurrent posts of one answer, to two replicas, exactly one gets a session.
func TestOneStateOneSession(t *testing.T) {
	w := newWorld(t, false, nil)
	w.cfg.Objects.Embedded.Dir = t.TempDir()
	replica := httptest.NewServer(w.open(t))
	defer replica.Close()
	for range 3 {
		state, browser := w.begin(t, w.clinic)
		answers := [2]string{w.clinic.assertion(state), w.clinic.assertion(state)}
		var all sync.WaitGroup
		statuses := make(chan int, 50)
		begin := make(chan struct{})
		for n := range 50 {
			r := w.form(t, w.clinic.URL, browser, state, answers[n/2%2])
			if n%2 == 1 {
				r.URL.Host = strings.TrimPrefix(replica.URL, "http://")
			}
			all.Go(func() {
				<-begin
				statuses <- w.do(t, r, nil).StatusCode
			})
		}
		close(begin)
		all.Wait()
		close(statuses)
		count := map[int]int{}
		for s := range statuses {
			count[s]++
		}
		require.Equal(t, map[int]int{http.StatusSeeOther: 1, http.StatusForbidden: 49}, count)
	}
	require.Equal(t, 3, w.rows(t)["sign_in_states"])
}

// TestUnfinishedSignInsStoreNothing, nor do refused answers.
func TestUnfinishedSignInsStoreNothing(t *testing.T) {
	w := newWorld(t, false, nil)
	before := w.rows(t)
	for n := range 200 {
		state, browser := w.begin(t, w.clinic)
		got := w.do(t, w.form(t, w.clinic.URL, browser, state, w.bank.assertion(state)), nil)
		require.Equal(t, http.StatusUnauthorized, got.StatusCode, n)
		require.Equal(t, http.StatusUnauthorized, w.verify(t, state).StatusCode)
	}
	require.Equal(t, before, w.rows(t))
	metrics := w.do(t, newRequest(t, "GET", w.url+"/metrics", nil), nil).body
	require.Contains(t, metrics, `cloakroom_sign_ins_total{outcome="started"} 200`)
	require.Contains(t, metrics, `cloakroom_sign_ins_total{outcome="assertion"} 200`)
	require.Contains(t, metrics, `cloakroom_credentials_total{outcome="refused"} 200`)
	w.checkLog(t)
}
