package clinic_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

func TestLoginAndLogout(t *testing.T) {
	s := newStack(t)
	p := s.visitor(t)
	for _, wrong := range []url.Values{
		{}, {"email": {clinic.DrAdams}}, {"email": {clinic.DrAdams}, "password": {"Cloakroom"}},
		{"email": {"nobody@clinic.example"}, "password": {clinic.DemoPassword}},
		{"email": {clinic.DrAdams}, "password": {strings.Repeat("x", 100)}},
	} {
		require.Equal(t, "/?login=refused", p.form("/login", wrong, "same-origin"))
	}
	require.Nil(t, p.must(`{ viewer { name } }`, nil)["viewer"])

	p = s.login(t, clinic.DrAdams)
	require.Equal(t, map[string]any{"name": "Dr. Adams", "role": "DOCTOR"}, p.must(`{ viewer { name role } }`, nil)["viewer"])
	stolen := s.visitor(t)
	app, err := url.Parse(s.appURL)
	require.NoError(t, err)
	stolen.client.Jar.SetCookies(app, p.client.Jar.Cookies(app))
	require.NotNil(t, stolen.must(`{ viewer { name } }`, nil)["viewer"])
	require.Equal(t, "/", p.form("/logout", nil, "same-origin"))
	require.Nil(t, p.must(`{ viewer { name } }`, nil)["viewer"])
	require.Nil(t, stolen.must(`{ viewer { name } }`, nil)["viewer"], "the session lives on after logout")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := newStack(t)
	p := s.login(t, clinic.DrAdams)
	for _, site := range []string{"cross-site", "same-site"} {
		require.Contains(t, p.form("/logout", nil, site), "403")
		require.Contains(t, p.form("/login", url.Values{"email": {clinic.DrBaker}, "password": {clinic.DemoPassword}}, site), "403")
	}
	require.NotNil(t, p.must(`{ viewer { name } }`, nil)["viewer"])
	// A form's content type is not accepted as an operation.
	r, err := http.NewRequest(http.MethodPost, s.appURL+"/graphql?new=1", strings.NewReader(`{"query":"{ viewer { name } }"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "text/plain")
	answer, err := p.client.Do(r)
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, http.StatusUnsupportedMediaType, answer.StatusCode)
	require.NotNil(t, p.must(`{ viewer { name } }`, nil)["viewer"])
}

func TestANewSessionEndsTheLogin(t *testing.T) {
	s := newStack(t)
	p := s.login(t, clinic.DrAdams)
	answer, err := p.client.Post(s.appURL+"/.cloakroom/session?new=1", "", nil)
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, 200, answer.StatusCode)
	require.Nil(t, p.must(`{ viewer { name } }`, nil)["viewer"])
}

func TestLoginsAreBoundedExpireAndAreKeptAsHashes(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	app := newClinic(t, func(o *clinic.Options) { o.DataDir, o.Now = folder, func() time.Time { return now } })
	login := func() *http.Cookie {
		form := url.Values{"email": {clinic.DrAdams}, "password": {clinic.DemoPassword}}.Encode()
		r, _ := http.NewRequest(http.MethodPost, baseURL+"/login", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := serve(app, r)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode)
		return answer.Cookies()[0]
	}
	isIn := func(cookie *http.Cookie) bool {
		r, _ := http.NewRequest(http.MethodPost, baseURL+"/graphql", strings.NewReader(`{"query":"{ viewer { name } }"}`))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(cookie)
		body, err := io.ReadAll(serve(app, r).Body)
		require.NoError(t, err)
		return strings.Contains(string(body), "Dr. Adams")
	}
	first := login()
	require.True(t, first.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, first.SameSite)
	require.True(t, isIn(first))
	for range 9 {
		now = now.Add(time.Second)
		login()
	}
	require.True(t, isIn(first))
	now = now.Add(time.Second)
	last := login()
	require.False(t, isIn(first), "the oldest of eleven is ended")
	require.True(t, isIn(last))
	for _, name := range []string{clinic.DatabaseFile, clinic.DatabaseFile + "-wal"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		require.False(t, bytes.Contains(content, []byte(last.Value)))
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	now = now.Add(12 * time.Hour)
	require.False(t, isIn(last), "it expires")
}

// stream subscribes, and returns the notes' bodies; the channel is closed when the stream ends.
func (p *person) stream() <-chan string { return p.streamAt(p.stack.appURL) }

// streamAt subscribes at another address of the clinic.
func (p *person) streamAt(url string) <-chan string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, url+"/graphql",
		strings.NewReader(`{"query":"subscription { noteAdded { body patientName } }"}`))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	answer, err := p.client.Do(r)
	require.NoError(p.t, err)
	bodies := make(chan string, 10)
	lines := bufio.NewScanner(answer.Body)
	require.True(p.t, lines.Scan(), "the first line says that the subscription is open")
	go func() {
		defer close(bodies)
		defer func() { _ = answer.Body.Close() }()
		for lines.Scan() {
			var event struct {
				Data   struct{ NoteAdded struct{ Body string } }
				Errors []any
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if ok && json.Unmarshal([]byte(data), &event) == nil && len(event.Errors) == 0 {
				bodies <- event.Data.NoteAdded.Body
			}
		}
	}()
	return bodies
}

func receive(t *testing.T, from <-chan string) (string, bool) {
	t.Helper()
	select {
	case s, ok := <-from:
		return s, ok
	case <-time.After(time.Minute):
		t.Fatal("no event arrived")
		return "", false
	}
}

// hurried serves the clinic at one more address, with deadlines of a few seconds. cutOff returns when the deadlines of
// requests that began before it have passed.
func (s *stack) hurried(t *testing.T) (url string, cutOff func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.serve(t, l, 5*time.Second)
	return "http://" + l.Addr().String(), func() {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		_, err = io.WriteString(c, "POST /graphql HTTP/1.1\r\n") // an incomplete request
		require.NoError(t, err)
		_, _ = io.ReadAll(c) // until the server closes the connection
	}
}

func TestASubscriptionGrantsEachNoteToThoseWhoMayReadIt(t *testing.T) {
	s := newStack(t)
	adams, writer := s.login(t, clinic.DrAdams), s.login(t, clinic.DrAdams)
	baker, pat := s.login(t, clinic.DrBaker), s.login(t, clinic.Pat)
	url, cutOff := s.hurried(t)
	toAdams, toBaker, toPat := adams.streamAt(url), baker.streamAt(url), pat.streamAt(url)
	cutOff() // a subscription lasts longer than a request's deadlines

	id := pat.must(`{ patients { id } }`, nil)["patients"].([]any)[0].(map[string]any)["id"]
	const add = `mutation($id: ID!, $token: TokenID!) { addNote(patient: $id, note: {body: $token}) { id } }`
	for _, token := range writer.tokens(2) {
		writer.must(add, map[string]any{"id": id, "token": token})
		for p, events := range map[*person]<-chan string{adams: toAdams, pat: toPat} {
			got, _ := receive(t, events)
			require.Equal(t, token, got)
			require.True(t, p.mayRead(token))
		}
		require.False(t, baker.mayRead(token))
	}
	require.Empty(t, toBaker)

	require.Equal(t, "/", pat.form("/logout", nil, "same-origin"))
	_, open := receive(t, toPat)
	require.False(t, open, "logout ends the subscription")
	s.clinic.Stop()
	for _, events := range []<-chan string{toAdams, toBaker} {
		_, open := receive(t, events)
		require.False(t, open)
	}
}

func TestAVisitorCannotSubscribe(t *testing.T) {
	s := newStack(t)
	_, open := receive(t, s.visitor(t).stream())
	require.False(t, open)
}
