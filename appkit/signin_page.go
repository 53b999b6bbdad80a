package appkit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

// submitScript runs while the page loads, so that the next page replaces this one in the browser's history and Back
// skips it.
const submitScript = "document.forms[0].submit()"

var submitHash = func() string {
	sum := sha256.Sum256([]byte(submitScript))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

type formData struct{ Action, State, Assertion string }

var formPage = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Signing in</title></head>
<body>
<form method="post" action="{{.Action}}">
<input type="hidden" name="state" value="{{.State}}">
<input type="hidden" name="assertion" value="{{.Assertion}}">
<noscript><p>One more step to sign in.</p><button>Continue</button></noscript>
</form>
<script>` + submitScript + `</script>
</body>
</html>
`))

type messageData struct{ Message, Code, Home string }

var messagePage = template.Must(template.New("message").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Not signed in</title></head>
<body>
<h1>Not signed in</h1>
<p>{{.Message}}</p>
<p><a href="{{.Home}}" target="_top">Go to the application</a> <small>{{.Code}}</small></p>
</body>
</html>
`))

// pagePolicy returns a Content-Security-Policy. Browsers apply form-action also to every redirect after the form's post, so
// it has to allow the pages where a sign-in may end.
func pagePolicy(script string, origins []string) string {
	list := strings.Join(origins, " ")
	return strings.Join([]string{
		"default-src 'none'", script, "base-uri 'none'", "form-action " + list, "frame-ancestors " + list,
	}, "; ")
}

// answerPage answers with a page that gives the reason why there is no sign-in.
func (k *Kit) answerPage(w http.ResponseWriter, status int, code, message string) {
	render(w, status, messagePage, messageData{Message: message, Code: code, Home: k.signIn.home})
}

func render(w http.ResponseWriter, status int, page *template.Template, data any) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil { // can't fail: the templates are constant, and the data strings
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
