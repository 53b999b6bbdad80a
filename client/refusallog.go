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

// refusedEvery is how often a refusal of the client's own credential is logged: every call is refused in the same way.
const refusedEvery = 10 * time.Second

// refusalLog logs that the gateway does not accept the client's own credential: a mistake of the
// application or its operator, which its users can't fix.
type refusalLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	logged time.Time
	since  int
}

// log logs the gateway's message with the JWT's iss and aud, which have to equal the gateway's settings. Nothing else of
// the JWT is read.
func (r *refusalLog) log(ctx context.Context, err error, jwt string) {
	now := r.now()
	r.mu.Lock()
	if !r.logged.IsZero() && now.Sub(r.logged) < refusedEvery {
		r.since++
		r.mu.Unlock()
		return
	}
	since := r.since
	r.logged, r.since = now, 0
	r.mu.Unlock()
	iss, aud := namesOf(jwt)
	r.logger.WarnContext(ctx, "the gateway refuses this application's own credential; its log says why, and `cloakroom doctor` explains it",
		slog.String("error", err.Error()), slog.String("iss", iss), slog.String("aud", aud), slog.Int("not_logged", since))
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
