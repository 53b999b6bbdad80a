package signin

import (
	"errors"
	"html/template"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Outcomes of sign-ins: a metric label, so clients can't add values.
const (
	started   = "started"
	completed = "completed"
	ended     = "ended"
)

// refusal is the reason why a navigation ends on an error page.
type refusal struct {
	outcome string
	status  int
	code    fault.Code
	advice  string // for the user
	cause   error  // for the log
	backTo  string // a link; set only if the sign-in is known to be this browser's
}

func (r *refusal) because(err error) *refusal {
	with := *r
	with.cause = err
	return &with
}

func (r *refusal) linked(target string) *refusal {
	with := *r
	with.backTo = target
	return &with
}

func newRefusal(outcome string, status int, code fault.Code, advice string) *refusal {
	return &refusal{outcome: outcome, status: status, code: code, advice: advice}
}

var (
	badMethod = newRefusal("malformed", http.StatusMethodNotAllowed, fault.BadUserInput,
		"Go back to the application, and try again from there.")
	badRequest = newRefusal("malformed", http.StatusBadRequest, fault.BadUserInput,
		"The request is malformed. Go back to the application, and try again from there.")
	badForm = newRefusal("malformed", http.StatusUnsupportedMediaType, fault.BadUserInput,
		"The application did not send its answer as a form. Go back to the application, and try again from there.")
	tooLarge = newRefusal("malformed", http.StatusRequestEntityTooLarge, fault.LimitExceeded,
		"The application's answer is longer than the gateway accepts.")
	notNavigation = newRefusal("malformed", http.StatusForbidden, fault.Forbidden,
		"A page or a frame can open this address; a script can't fetch it.")
	noProvider = newRefusal("provider", http.StatusBadRequest, fault.BadUserInput,
		"There is no provider of this name here. The application that sent you has to name its provider.")
	badTarget = newRefusal("return_to", http.StatusBadRequest, fault.BadUserInput,
		"This gateway does not allow the address to return to.")
	badOrigin = newRefusal("origin", http.StatusForbidden, fault.Forbidden,
		"The answer did not come from the application's sign-in page. Go back to the application, and try again from there.")
	badState = newRefusal("state", http.StatusForbidden, fault.Forbidden,
		"This sign-in was not started here. Go back to the application, and try again from there.")
	otherBrowser = newRefusal("browser", http.StatusForbidden, fault.Forbidden,
		"This sign-in was not started in this browser, or its cookies are blocked. Allow them, go back to the application, and try again from there.")
	expired = newRefusal("expired", http.StatusForbidden, fault.Forbidden,
		"This sign-in took too long. Go back, and try again.")
	notAccepted = newRefusal("assertion", http.StatusUnauthorized, fault.Unauthenticated,
		"The application's answer was not accepted. Go back, and sign in again.")
	replayed = newRefusal("replayed", http.StatusForbidden, fault.Forbidden,
		"This sign-in has been used already. Go back; if you are not signed in there, try again.")
	tooMany = newRefusal("limited", http.StatusTooManyRequests, fault.RateLimited,
		"Too many sign-ins in a short time. Wait a moment, go back, and try again.")
	unavailable = newRefusal("unavailable", http.StatusServiceUnavailable, fault.Unavailable,
		"The gateway can't do this at the moment. Go back, and try again later.")
)

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign-in failed</title></head>
<body>
<h1>Sign-in failed</h1>
<p>{{.Advice}}</p>
{{if .BackTo}}<p><a href="{{.BackTo}}" rel="noreferrer">Go back</a></p>
{{end}}<p><small>{{.Code}}</small></p>
</body>
</html>
`))

// navigation sets the headers of every answer to a navigation.
func (f *Flow) navigation(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; "+f.ancestors)
}

// redirect sends a navigation on, by GET (RFC 9110, section 15.4.4).
func (f *Flow) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// refusePage answers a navigation with a page that says what to do. A client that accepts JSON and no HTML gets an error in
// GraphQL's form.
func (f *Flow) refusePage(w http.ResponseWriter, r *http.Request, refused *refusal) {
	f.opts.Observer.SignIn(refused.outcome)
	level := slog.LevelInfo
	if refused.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	cause := ""
	if refused.cause != nil {
		cause = refused.cause.Error()
	}
	f.opts.Logger.LogAttrs(r.Context(), level, "a sign-in was refused", slog.String("path", r.URL.Path), slog.String("outcome", refused.outcome), slog.String("error", cause))
	h := w.Header()
	h.Add("Vary", "Accept")
	wait := time.Duration(0)
	switch refused.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		wait = fault.Public(refused.cause).RetryAfter
	case http.StatusServiceUnavailable:
		wait = unavailableFor
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if wantsJSON(r) {
		public := fault.New(refused.code, "%s", refused.advice)
		public.RetryAfter = wait
		f.opts.Refuse(w, r, refused.status, public)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(refused.status)
	_ = page.Execute(w, struct {
		Advice, BackTo string
		Code           fault.Code
	}{refused.advice, refused.backTo, refused.code})
}

// unavailableFor is the Retry-After if the gateway failed.
const unavailableFor = 5 * time.Second

// wantsJSON reports whether the client accepts JSON and no HTML: a browser that navigates accepts HTML.
func wantsJSON(r *http.Request) bool {
	json := false
	for _, part := range guard.AcceptRanges(r.Header.Values("Accept")) {
		media, _, err := mime.ParseMediaType(part)
		switch {
		case err != nil:
		case media == "text/html":
			return false
		case media == "application/json", media == "application/graphql-response+json":
			json = true
		}
	}
	return json
}

// Error returns the outcome, for the log only.
func (r *refusal) Error() string { return "sign-in refused: " + r.outcome }

// refusalOf returns the refusal for a guard's error.
func refusalOf(err error) *refusal {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return refused
	case guard.Status(err) == http.StatusMethodNotAllowed:
		return badMethod
	case guard.Status(err) == http.StatusUnsupportedMediaType:
		return badForm.because(err)
	case fault.Public(err).Code == fault.RateLimited:
		return tooMany.because(err)
	}
	return notNavigation
}

var errRepeated = errors.New("a parameter is missing, or occurs more than once")
