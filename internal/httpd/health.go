package httpd

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	readyTimeout = 2 * time.Second
	readyFor     = time.Second // an answer is reused for this long, so that clients can't load the parts
)

// healthz answers that the process runs.
func healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok", nil) })
}

// readyz answers which parts work: 200 if all that the gateway needs do, else 503. The log has the reason.
func readyz(checks []Check, log *slog.Logger) http.Handler {
	var mu sync.Mutex
	var last map[string]string
	var status int
	var at time.Time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) > readyFor {
			status, last = ask(r.Context(), checks, log)
			at = time.Now()
		}
		word := "ok"
		switch {
		case status != http.StatusOK:
			word = "unavailable"
		case slices.Contains(slices.Collect(maps.Values(last)), "degraded"):
			word = "degraded"
		}
		writeStatus(w, status, word, last)
	})
}

func ask(ctx context.Context, checks []Check, log *slog.Logger) (int, map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	status, parts := http.StatusOK, map[string]string{}
	for _, c := range checks {
		parts[c.Name] = "ok"
		switch err := c.Ask(ctx); {
		case err != nil && c.Degrades:
			parts[c.Name] = "degraded"
		case err != nil:
			log.ErrorContext(ctx, "a part does not answer", slog.String("part", c.Name), slog.Any("error", err))
			parts[c.Name], status = "unavailable", http.StatusServiceUnavailable
		}
	}
	return status, parts
}

func writeStatus(w http.ResponseWriter, status int, word string, parts map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Status string            `json:"status"`
		Parts  map[string]string `json:"parts,omitempty"`
	}{word, parts})
}
