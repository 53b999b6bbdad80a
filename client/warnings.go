package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// warnEvery is how often each kind of warning is logged at most: while it lasts, every call fails in the same way.
const warnEvery = 10 * time.Second

// warnings are logged for failures that the application's users can't fix.
type warnings struct {
	logger   *slog.Logger
	now      func() time.Time
	endpoint string

	refused, unavailable warning
}

// warning is one kind of warning.
type warning struct {
	mu     sync.Mutex
	logged time.Time
	since  int
}

// due reports whether the warning is to be logged, with how often it was not logged since the last time.
func (w *warning) due(now time.Time) (notLogged int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.logged.IsZero() && now.Sub(w.logged) < warnEvery {
		w.since++
		return 0, false
	}
	notLogged, w.logged, w.since = w.since, now, 0
	return notLogged, true
}

// refusal logs that the gateway does not accept the client's own credential, with the JWT's iss and aud, which have to
// equal the gateway's settings. Nothing else of the JWT is read.
func (w *warnings) refusal(ctx context.Context, err error, jwt string) {
	n, ok := w.refused.due(w.now())
	if !ok {
		return
	}
	iss, aud := namesOf(jwt)
	w.logger.WarnContext(ctx, "the gateway refuses this application's own credential; its log says why, and `cloakroom doctor` explains it",
		slog.String("error", err.Error()), slog.String("iss", iss), slog.String("aud", aud), slog.Int("not_logged", n))
}

// outage logs that a call had no answer, or UNAVAILABLE. The error has no URL of the request.
func (w *warnings) outage(ctx context.Context, err error) {
	if n, ok := w.unavailable.due(w.now()); ok {
		w.logger.WarnContext(ctx, "the gateway is not available", slog.String("error", err.Error()), slog.String("endpoint", w.endpoint), slog.Int("not_logged", n))
	}
}

// namesOf returns iss and aud (RFC 7519, section 4.1) of the client's own JWT, for the log.
func namesOf(jwt string) (iss, aud string) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return "", ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", ""
	}
	var claims struct {
		Iss string          `json:"iss"`
		Aud json.RawMessage `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", ""
	}
	return redact(claims.Iss), redact(string(claims.Aud))
}
