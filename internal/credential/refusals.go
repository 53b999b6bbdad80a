package credential

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// logEvery is how often one kind of refusal is logged.
const logEvery = 10 * time.Second

// refusals logs why credentials are refused. Any client can cause refusals, so each kind is logged at most once in logEvery,
// with the number omitted meanwhile. A kind has only names from the settings and members of closed sets, which limits log
// lines and memory.
type refusals struct {
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	seen map[kind]*seen
}

// kind is a group of refusals that is logged on its own.
type kind struct {
	what   string // credential, assertion, logout token
	issuer string // a configured name
	reason Reason
	near   bool // see Authenticator.near
}

type seen struct {
	logged time.Time
	since  int // omitted since then
}

func newRefusals(log *slog.Logger, now func() time.Time) *refusals {
	return &refusals{logger: log, now: now, seen: map[kind]*seen{}}
}

// log logs at WARN why a credential is refused: the reason, the issuer, and what was expected and given.
func (f *refusals) log(ctx context.Context, what string, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		r = &Refusal{Reason: ReasonForm, Given: quote(err.Error())} // an error of the headers: its text is constant, except for a certificate's names
	}
	left, ok := f.due(kind{what, r.Issuer, r.Reason, r.near})
	if !ok {
		return
	}
	attributes := []slog.Attr{slog.String("what", what), slog.String("reason", string(r.Reason)), slog.String("issuer", r.Issuer)}
	if r.cause != nil {
		attributes = append(attributes, slog.String("error", r.cause.Error()))
	}
	f.logger.LogAttrs(ctx, slog.LevelWarn, "a credential was refused",
		append(attributes, slog.String("expected", r.Want), slog.String("given", r.Given), slog.Int("not_logged", left))...)
}

// due reports whether a refusal of the kind is to be logged now, and how many were omitted since the last one.
func (f *refusals) due(k kind) (left int, ok bool) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.seen[k]
	switch {
	case s == nil:
		f.seen[k] = &seen{logged: now}
		return 0, true
	case now.Sub(s.logged) < logEvery:
		s.since++
		return 0, false
	}
	left, s.logged, s.since = s.since, now, 0
	return left, true
}
