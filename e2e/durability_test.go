package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// A token that a client got exists, even if the process is killed next.
func TestEveryAnsweredTokenSurvivesAKill(t *testing.T) {
	p := stack.Launch(t)
	me := p.Session(t)
	body, err := json.Marshal(stack.Vars{"query": `mutation { tokenize { token } }`})
	require.NoError(t, err)
	var answered atomic.Int64
	var mu sync.Mutex
	var tokens []any
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for { // until the process dies
				r, err := p.TryPost(me.JWT, body)
				if err != nil {
					return
				}
				mu.Lock()
				tokens = append(tokens, r.At("tokenize", "token"))
				mu.Unlock()
				answered.Add(1)
			}
		})
	}
	stack.Await(t, "answers", func() bool { return answered.Load() >= 500 })
	p.Kill(t)
	clients.Wait()
	require.GreaterOrEqual(t, len(tokens), 500)

	again := stack.Launch(t, stack.Data(p.Data), stack.At(p.Stack))
	me.Renew(t)
	const batch = `mutation($tokens: [TokenID!]!) { detokenizeBatch(tokens: $tokens) { __typename } }`
	for len(tokens) > 0 {
		part := tokens[:min(1000, len(tokens))]
		tokens = tokens[len(part):]
		r := again.Query(t, me.JWT, batch, stack.Vars{"tokens": part}).OK(t)
		for i, token := range part {
			require.Equal(t, "DetokenizePayload", r.At("detokenizeBatch", i, "__typename"), "%s is lost", token)
		}
	}
}

func TestASecondStartKeepsTheData(t *testing.T) {
	p := stack.Launch(t)
	me := p.Session(t)
	token, _ := p.Store(t, me.JWT, []byte("kept"), nil)
	before := me.ID(t)
	p.Interrupt(t)
	require.Zero(t, p.Exit(t, stack.Patience))

	again := stack.Launch(t, stack.Data(p.Data), stack.At(p.Stack))
	assert.Equal(t, "kept", string(again.Read(t, me.JWT, token)), "with the JWT from before the restart")
	me.Renew(t)
	assert.Equal(t, before, me.ID(t))
	assert.Equal(t, "kept", string(again.Read(t, me.JWT, token)))
}

// After Ctrl-C, a running upload and operation finish, new ones are refused, and the process ends soon.
func TestCtrlCFinishesRunningRequests(t *testing.T) {
	p := stack.Launch(t)
	me := p.Session(t)
	value := strings.Repeat("half and half ", 1<<16)
	r := p.Query(t, me.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"size": len(value)}}).OK(t)

	slow := newSlowBody(value)
	uploaded := make(chan *http.Response, 1)
	go func() {
		uploaded <- p.Stream(t, stack.Signed(t, r.At("tokenize", "upload")), slow, int64(len(value)))
	}()
	<-slow.half
	operation := halfARequest(t, p.GatewayURL, me.JWT, `{"query":"mutation { tokenize { token } }"}`)

	p.Interrupt(t)
	begin := time.Now()
	stack.Await(t, "the listener to close", func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(p.GatewayURL, "http://"))
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	assert.Equal(t, http.StatusOK, operation().Status)
	close(slow.goOn)
	response := <-uploaded
	_ = response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Zero(t, p.Exit(t, stack.Patience), "%s", p.Logs)
	assert.Less(t, time.Since(begin), 10*time.Second)

	again := stack.Launch(t, stack.Data(p.Data), stack.At(p.Stack))
	assert.Equal(t, value, string(again.Read(t, me.JWT, r.At("tokenize", "token").(string))))
}

// slowBody returns its first half, and waits for the test before the second.
type slowBody struct {
	first, second *strings.Reader
	once          sync.Once
	half, goOn    chan struct{}
}

func newSlowBody(s string) *slowBody {
	return &slowBody{
		first: strings.NewReader(s[:len(s)/2]), second: strings.NewReader(s[len(s)/2:]),
		half: make(chan struct{}), goOn: make(chan struct{}),
	}
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err != io.EOF {
		return n, err
	}
	b.once.Do(func() { close(b.half) })
	<-b.goOn
	return b.second.Read(p)
}

// halfARequest sends half of a POST, and returns a function that sends the rest and reads the answer. The gateway
// has begun with the request when this returns, since it has answered 100 Continue.
func halfARequest(t *testing.T, url, jwt, body string) func() stack.Answer {
	t.Helper()
	host := strings.TrimPrefix(url, "http://")
	connection, err := net.Dial("tcp", host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = fmt.Fprintf(connection, "POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", host, jwt, len(body))
	require.NoError(t, err)
	in := bufio.NewReader(connection)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = in.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(connection, body[:len(body)/2])
	require.NoError(t, err)
	return func() stack.Answer {
		_, err := io.WriteString(connection, body[len(body)/2:])
		require.NoError(t, err)
		response, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		got, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return stack.Answer{Status: response.StatusCode, Header: response.Header, Body: got}
	}
}
