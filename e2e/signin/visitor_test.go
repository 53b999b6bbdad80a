package signin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

var escape = url.QueryEscape

// visitor is one browser tab on the clinic's site.
type visitor struct {
	*world
	page *browser.Page
}

// reply is an answer of the gateway.
type reply struct {
	Status int
	Hash   string // the header Cloakroom-Session-Hash, if a page may read it
	Body   string
}

func (r reply) field(t require.TestingT, path ...string) any {
	var value any
	require.NoError(t, json.Unmarshal([]byte(r.Body), &value), r.Body)
	for _, name := range path {
		if list, ok := value.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			value = list[0]
		}
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// code returns the first error's code; "" if there is none.
func (r reply) code(t require.TestingT) string {
	code, _ := r.field(t, "errors", "extensions", "code").(string)
	return code
}

// login logs in at the clinic with its form, sent by a script as the page's own could.
func (v *visitor) login(email string) {
	v.t.Helper()
	require.Equal(v.t, "200", v.page.Resolve(fmt.Sprintf(
		`fetch("/login", {method: "POST", body: new URLSearchParams({email: %q, password: %q})}).then((r) => String(r.status))`,
		email, clinic.DemoPassword)))
}

func (v *visitor) logout() {
	v.t.Helper()
	require.Equal(v.t, "200", v.page.Resolve(`fetch("/logout", {method: "POST"}).then((r) => String(r.status))`))
}

func (v *visitor) ensureURL(returnTo string) string {
	return v.gatewayURL + "/session/ensure?provider=clinic&return_to=" + escape(v.appURL+returnTo)
}

// signInOnTop signs in by a top-level navigation, which returns to the path.
func (v *visitor) signInOnTop(returnTo string) {
	v.t.Helper()
	v.page.Eval(fmt.Sprintf("location = %q", v.ensureURL(returnTo)))
	v.page.Await("the way back", fmt.Sprintf("location.href === %q && document.readyState === 'complete'", v.appURL+returnTo))
}

// signInInFrame signs in in a frame of the clinic's page, and waits until it has ended there.
func (v *visitor) signInInFrame() {
	v.t.Helper()
	v.startInFrame()
	v.page.Await("the end of the sign-in", `frame.contentDocument?.location.pathname === "/signed-in"`)
	v.page.Eval(`frame.remove()`)
}

func (v *visitor) startInFrame() {
	v.page.Eval(fmt.Sprintf(`(() => { window.frame = document.createElement("iframe"); frame.src = %q; document.body.append(frame) })()`,
		v.ensureURL("/signed-in")))
}

// fetch sends a request to the gateway from the clinic's page, with cookies.
func (v *visitor) fetch(path, init string) (r reply) {
	v.t.Helper()
	text := v.page.Resolve(fmt.Sprintf(`fetch(%q, {credentials: "include", ...%s}).then(async (r) => JSON.stringify(
		{status: r.status, hash: r.headers.get("Cloakroom-Session-Hash") ?? "", body: await r.text()}))`, v.gatewayURL+path, init))
	require.NoError(v.t, json.Unmarshal([]byte(text), &r))
	return r
}

// fetchInside sends a request to the gateway from a page of the gateway's origin, in a frame of the clinic's page.
func (v *visitor) fetchInside(path, init string) (r reply) {
	v.t.Helper()
	text := v.page.Resolve(fmt.Sprintf(`new Promise((done) => {
		const frame = document.body.appendChild(document.createElement("iframe"));
		addEventListener("message", (message) => { frame.remove(); done(message.data) }, {once: true});
		frame.onload = () => frame.contentWindow.postMessage({path: %q, init: %s}, "*");
		frame.src = %q;
	})`, path, init, v.gatewayURL+"/inside"))
	require.NoError(v.t, json.Unmarshal([]byte(text), &r))
	return r
}

func (v *visitor) verify() reply { return v.fetch("/session/verify", `{}`) }

// hash returns the hash of the gateway cookie's session.
func (v *visitor) hash() string {
	v.t.Helper()
	r := v.verify()
	require.Equal(v.t, http.StatusOK, r.Status, r.Body)
	hash, _ := r.field(v.t, "sessionHash").(string)
	require.NotEmpty(v.t, hash)
	require.Equal(v.t, hash, r.Hash)
	return hash
}

func operation(query, header string) string {
	body, _ := json.Marshal(map[string]string{"query": query})
	return fmt.Sprintf(`{method: "POST", headers: {"Content-Type": "application/json"%s}, body: %q}`, header, body)
}

func pin(hash string) string { return fmt.Sprintf(`, "Cloakroom-Session-Hash": %q`, hash) }

const tokenize = `mutation { tokenize { token } }`

func detokenize(token string) string {
	return fmt.Sprintf(`mutation { detokenize(token: %q) { token } }`, token)
}

// token makes a token with only the cookie as credential.
func (v *visitor) token() string {
	v.t.Helper()
	r := v.fetch("/graphql", operation(tokenize, ""))
	token, _ := r.field(v.t, "data", "tokenize", "token").(string)
	require.NotEmpty(v.t, token, r.Body)
	return token
}

// opens detokenizes with the cookie, and returns "" on success, or the error's code.
func (v *visitor) opens(token string) string {
	v.t.Helper()
	return v.fetch("/graphql", operation(detokenize(token), "")).code(v.t)
}

// carry begins a sign-in and returns its last form, without sending it.
func (v *visitor) carry() url.Values {
	v.t.Helper()
	browse := v.web.Client(v.t)
	get := func(to, cookie string) *http.Response {
		r, err := http.NewRequest(http.MethodGet, to, nil)
		require.NoError(v.t, err)
		r.Header.Set("Cookie", cookie)
		answer, err := browse.Do(r)
		require.NoError(v.t, err)
		return answer
	}
	begun := get(v.ensureURL("/signed-in"), "")
	require.NoError(v.t, begun.Body.Close())
	require.Equal(v.t, http.StatusSeeOther, begun.StatusCode)
	signIn, err := begun.Location()
	require.NoError(v.t, err)
	page := get(signIn.String(), "__Host-cloakroom_clinic_login="+v.lastCookie("__Host-cloakroom_clinic_login"))
	body, err := io.ReadAll(page.Body)
	require.NoError(v.t, errors.Join(err, page.Body.Close()))
	_, assertion, found := strings.Cut(string(body), `name="assertion" value="`)
	require.True(v.t, found, "%s", body)
	assertion, _, _ = strings.Cut(assertion, `"`)
	return url.Values{"state": {signIn.Query().Get("state")}, "assertion": {assertion}}
}
