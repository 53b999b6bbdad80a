package logout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
	"github.com/cloakroomhq/cloakroom/internal/revocation/logout"
)

const secret = "eyJ.SECRET.sig"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// provider has the content of a logout token, and records the calls that it leads to.
type provider struct {
	says       *credential.Logout
	down       error
	disconnect func() // disconnects the provider while its token is verified
	log        bytes.Buffer
	ended      []string
	counts     map[string]int

	limited bool
}

func (p *provider) VerifyLogout(ctx context.Context, token string) (*credential.Logout, error) {
	if p.disconnect != nil {
		p.disconnect()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if token != secret {
		return nil, errors.New("not accepted")
	}
	return p.says, nil
}

func (p *provider) EndSession(ctx context.Context, tenant, sessionID, reason string) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if reason != caller.EndedByBackChannel {
		return 0, errors.New("another reason: " + reason)
	}
	p.ended = append(p.ended, tenant+" session "+sessionID)
	return 1, p.down
}

func (p *provider) EndSubject(_ context.Context, tenant, subject string, before time.Time) error {
	p.ended = append(p.ended, tenant+" subject "+subject+" "+before.Format(time.RFC3339Nano))
	return p.down
}

func (p *provider) Admit(*http.Request) error {
	if p.limited {
		return fault.Limited(7 * time.Second)
	}
	return nil
}

func (p *provider) Refused(*http.Request) error { p.counts["charged"]++; return nil }

func (p *provider) Logout(outcome string) { p.counts[outcome]++ }

func (p *provider) send(method, contentType, body string) *httptest.ResponseRecorder {
	p.counts = map[string]int{}
	h := logout.New(logout.Options{
		Verifier: p, Ender: p, Rates: p, Observer: p, Timeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if p.disconnect != nil {
		p.disconnect = cancel
	}
	r := httptest.NewRequestWithContext(ctx, method, "/session/back-channel-logout?logout_token="+secret, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	route := guard.Route{Methods: []string{http.MethodPost}, Guards: []guard.Guard{guard.Form}, Handler: h.Handle}
	route.ServeHTTP(w, r)
	return w
}

const form = "application/x-www-form-urlencoded"

// TestDisconnectedProviderEndsTheSession: the logout finishes even if the provider disconnects and net/http cancels the
// request's context.
func TestDisconnectedProviderEndsTheSession(t *testing.T) {
	p := &provider{says: &credential.Logout{Tenant: "clinic", Session: "s1", IssuedAt: noon}, disconnect: func() {}}
	require.Equal(t, http.StatusOK, p.send(http.MethodPost, form, "logout_token="+secret).Code)
	require.Equal(t, []string{"clinic session s1"}, p.ended)
}

func TestHandlerEndsSessionsAndSubjects(t *testing.T) {
	at := noon.Add(300 * time.Millisecond)
	for want, says := range map[string]credential.Logout{
		"clinic session s1":                     {Tenant: "clinic", Session: "s1", IssuedAt: at},
		"clinic session s2":                     {Tenant: "clinic", Session: "s2", Subject: "u", IssuedAt: at},
		"bank subject u 2026-05-04T12:00:01Z":   {Tenant: "bank", Subject: "u", IssuedAt: at},
		"clinic subject u 2026-05-04T12:00:01Z": {Tenant: "clinic", Subject: "u", IssuedAt: noon},
	} {
		t.Run(want, func(t *testing.T) {
			p := &provider{says: &says}
			for range 2 { // a token that is sent again has the same effect
				w := p.send(http.MethodPost, form+"; charset=utf-8", "other=1&other=2&logout_token="+secret)
				require.Equal(t, http.StatusOK, w.Code)
				require.Empty(t, w.Body.String())
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.Equal(t, map[string]int{"accepted": 1}, p.counts)
			}
			require.Equal(t, []string{want, want}, p.ended)
			require.NotContains(t, p.log.String(), "SECRET")
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ contentType, body string }{
		"only in the query":    {form, ""},
		"twice":                {form, "logout_token=" + secret + "&logout_token=" + secret},
		"another field":        {form, "token=" + secret},
		"in capitals":          {form, "LOGOUT_TOKEN=" + secret},
		"no type":              {"", "logout_token=" + secret},
		"JSON":                 {"application/json", `{"logout_token":"` + secret + `"}`},
		"a form as JSON":       {"application/json", "logout_token=" + secret},
		"text":                 {"text/plain", "logout_token=" + secret},
		"multipart":            {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=logout_token\r\n\r\n" + secret + "\r\n--x--\r\n"},
		"a malformed form":     {form, "logout_token=" + secret + "%zz"},
		"a semicolon":          {form, "logout_token=" + secret + ";a=b"},
		"too long":             {form, "logout_token=" + secret + "&x=" + strings.Repeat("x", 16<<10)},
		"a token not accepted": {form, "logout_token=SECRET.SECRET.SECRET"},
		"an empty token":       {form, "logout_token="},
		"a space in the token": {form, "logout_token=+" + secret},
		"an array-like name":   {form, "logout_token[]=" + secret},
		"not UTF-8":            {form, "logout_token=\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{says: &credential.Logout{Tenant: "clinic", Session: "s1"}}
			w := p.send(http.MethodPost, test.contentType, test.body)
			require.Equal(t, http.StatusBadRequest, w.Code, name)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"), name)
			var answer struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), name)
			require.Equal(t, "invalid_request", answer.Error, name)
			require.NotEmpty(t, answer.Description, name)
			require.Empty(t, p.ended, name)
			require.Equal(t, 1, p.counts["refused"], name)
			require.Len(t, p.counts, 1+p.counts["charged"], name)
			require.NotContains(t, w.Body.String()+p.log.String(), "SECRET", name)
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		p := &provider{says: &credential.Logout{Tenant: "clinic", Session: "s1"}}
		w := p.send(method, form, "logout_token="+secret)
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "POST", w.Header().Get("Allow"))
		require.Empty(t, p.ended)
	}
}

// TestFailedLogout: the response tells the provider that the logout failed and may be sent again.
func TestFailedLogout(t *testing.T) {
	p := &provider{says: &credential.Logout{Tenant: "clinic", Session: "s1"}, down: errors.New("down")}
	w := p.send(http.MethodPost, form, "logout_token="+secret)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), `"temporarily_unavailable"`)
	require.NotContains(t, w.Body.String(), "down")
	require.Equal(t, map[string]int{"failed": 1}, p.counts)
}

func TestRateOfRefusedTokens(t *testing.T) {
	p := &provider{says: &credential.Logout{Tenant: "clinic", Session: "s1", IssuedAt: noon}}
	t.Run("a refused token is charged", func(t *testing.T) {
		require.Equal(t, http.StatusBadRequest, p.send(http.MethodPost, form, "logout_token=forged").Code)
		require.Equal(t, map[string]int{"refused": 1, "charged": 1}, p.counts)
	})
	t.Run("an accepted token is not charged", func(t *testing.T) {
		require.Equal(t, http.StatusOK, p.send(http.MethodPost, form, "logout_token="+secret).Code)
		require.Equal(t, map[string]int{"accepted": 1}, p.counts)
	})
	t.Run("after too many refused tokens none is verified", func(t *testing.T) {
		p.limited, p.ended = true, nil
		a := p.send(http.MethodPost, form, "logout_token="+secret)
		require.Equal(t, http.StatusTooManyRequests, a.Code)
		require.Equal(t, "7", a.Header().Get("Retry-After"))
		require.Contains(t, a.Body.String(), "temporarily_unavailable")
		require.Empty(t, p.ended)
	})
}
