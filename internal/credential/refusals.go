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
	seen map[kind]*logState
}

// kind is a group of refusals that is logged on its own.
type kind struct {
	what    string // credential, assertion, logout token
	issuer  string // a configured name
	reason  Reason
	similar bool // see Authenticator.similar
}

type logState struct {
	logged  time.Time
	omitted int // omitted omitted then
}

func newRefusals(log *slog.Logger, now func() time.Time) *refusals {
	return &refusals{logger: log, now: now, seen: map[kind]*logState{}}
}

// log logs at WARN why a credential is refused: the reason, the issuer, and what was expected and given.
func (f *refusals) log(ctx context.Context, what string, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		r = &Refusal{Reason: ReasonForm, Given: quote(err.Error())} // an error of the headers: its text is constant, except for a certificate's names
	}
	omitted, ok := f.shouldLog(kind{what, r.Issuer, r.Reason, r.similar})
	if !ok {
		return
	}
	attributes := []slog.Attr{slog.String("what", what), slog.String("reason", string(r.Reason)), slog.String("issuer", r.Issuer)}
	if r.cause != nil {
		attributes = append(attributes, slog.String("error", r.cause.Error()))
	}
	f.logger.LogAttrs(ctx, slog.LevelWarn, "a credential was refused",
		append(attributes, slog.String("expected", r.Want), slog.String("given", r.Given), slog.Int("not_logged", omitted))...)
}

// shouldLog reports whether a refusal of the kind is to be logged now, and how many were omitted since the last one.
func (f *refusals) shouldLog(k kind) (omitted int, ok bool) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.seen[k]
	switch {
	case s == nil:
		f.seen[k] = &logState{logged: now}
		return 0, true
	case now.Sub(s.logged) < logEvery:
		s.omitted++
		return 0, false
	}
	omitted, s.logged, s.omitted = s.omitted, now, 0
	return omitted, true
}
