package appkit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

// submitScript runs while the page loads, so that what it opens takes the page's place in the browser's history: Back
// leads past it.
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

// pagePolicy is a Content-Security-Policy. Browsers hold form-action against every redirect that follows the form's post too, so
// it has to allow the pages where a sign-in may end.
func pagePolicy(script string, origins []string) string {
	list := strings.Join(origins, " ")
	return strings.Join([]string{
		"default-src 'none'", script, "base-uri 'none'", "form-action " + list, "frame-ancestors " + list,
	}, "; ")
}

// messagePage answers with a page that says why there is no sign-in.
func (k *Kit) messagePage(w http.ResponseWriter, status int, code, message string) {
	render(w, status, messagePage, messageData{Message: message, Code: code, Home: k.signIn.home})
}

func render(w http.ResponseWriter, status int, page *template.Template, data any) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil { // the pages are fixed, and the data strings
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
