package guard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// Guard is one condition that a request has to meet. Check returns a fault, perhaps with a status by WithStatus.
type Guard struct {
	Name  string // as docs/api.md has it
	Check func(*Visit) error
}

// Visit is a request on its way through the guards of its route.
type Visit struct {
	Answer  http.Header
	Request *http.Request
	Caller  *caller.Caller // found by Credential; nil without credentials
}

// Admit checks the request by its route's methods and guards, in their order. It returns the caller, nil without
// credentials, or the first guard's error.
type Admit func() (*caller.Caller, error)

// Handler answers the requests of a route. It calls admit before any other work, and answers admit's error in its own form.
type Handler func(w http.ResponseWriter, r *http.Request, admit Admit)

// Route is one row of the table of routes.
type Route struct {
	Path      string
	Methods   []string // nil: the handler's own
	AnyOrigin bool     // pages of any origin may send requests: a guard of the route compares the Origin
	Guards    []Guard
	Timeout   time.Duration // of a request, guards included; 0: the handler's own
	Handler   Handler
}

// ServeHTTP implements http.Handler.
func (t *Route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.Timeout > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), t.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	t.Handler(w, r, func() (*caller.Caller, error) { return t.admit(w, r) })
}

func (t *Route) admit(w http.ResponseWriter, r *http.Request) (*caller.Caller, error) {
	if t.Methods != nil && !slices.Contains(t.Methods, r.Method) {
		allow := strings.Join(t.Methods, ", ")
		w.Header().Set("Allow", allow)
		return nil, WithStatus(http.StatusMethodNotAllowed, fault.New(fault.BadUserInput, "Use another method: %s.", allow))
	}
	v := Visit{Answer: w.Header(), Request: r}
	for i := range t.Guards {
		if err := t.Guards[i].Check(&v); err != nil {
			return nil, err
		}
	}
	return v.Caller, nil
}

// statusError is a fault whose HTTP status is not that of its code.
type statusError struct {
	fault  error
	status int
}

func (e statusError) Error() string { return e.fault.Error() }
func (e statusError) Unwrap() error { return e.fault }

// WithStatus returns err, a fault, with an HTTP status that replaces the one of its code.
func WithStatus(status int, err error) error { return statusError{err, status} }

// Status returns the status of an error by WithStatus; 0: that of its code.
func Status(err error) int {
	var s statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 0
}
