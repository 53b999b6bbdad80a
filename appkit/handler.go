package appkit

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

const (
	jwksPath    = Path + "jwks.json"
	sessionPath = Path + "session"
	signInPath  = Path + "sign-in"

	jwksCacheControl = "public, max-age=60" // verifiers see a new key within a minute
	preflightSeconds = "600"
)

// Codes of the gateway's published enum that the kit answers with.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeBadUserInput    = "BAD_USER_INPUT"
	codeInternal        = "INTERNAL"
)

// ServeHTTP implements http.Handler.
func (k *Kit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	case jwksPath:
		k.serveJWKS(w, r)
	case sessionPath:
		k.serveSession(w, r)
	case signInPath:
		k.serveSignIn(w, r)
	default:
		refuse(w, http.StatusNotFound, codeBadUserInput, "there is nothing at this path")
	}
}

func (k *Kit) serveJWKS(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuseMethod(w, "GET, HEAD")
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", jwksCacheControl)
	_, _ = w.Write(k.options.Keys.jwks())
}

func (k *Kit) serveSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Origin")
	switch k.judge(r) {
	case refused:
		refuse(w, http.StatusForbidden, codeForbidden,
			"this page's origin may not get session tokens; add it to the application's AllowedOrigins")
		return
	case crossOrigin:
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	case sameOrigin:
	}
	switch r.Method {
	case http.MethodPost:
		k.answerSession(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", "POST, OPTIONS")
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.Header().Set("Access-Control-Max-Age", preflightSeconds)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuseMethod(w, "POST, OPTIONS")
	}
}

func (k *Kit) answerSession(w http.ResponseWriter, r *http.Request) {
	session, err := k.session(w, r)
	if errors.Is(err, ErrNoSession) {
		refuse(w, http.StatusUnauthorized, codeUnauthenticated, "sign in to the application first")
		return
	}
	var token string
	var expiresAt time.Time
	if err == nil {
		token, expiresAt, err = k.SessionToken(r.Context(), session)
	}
	if err != nil {
		k.options.Logger.ErrorContext(r.Context(), "no session token", slog.Any("error", err))
		refuse(w, http.StatusInternalServerError, codeInternal, "internal error")
		return
	}
	answer(w, http.StatusOK, struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expiresAt"`
	}{token, expiresAt})
}

func refuseMethod(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	refuse(w, http.StatusMethodNotAllowed, codeBadUserInput, "use "+allowed)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	type extensions struct {
		Code string `json:"code"`
	}
	type problem struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	answer(w, status, struct {
		Errors []problem `json:"errors"`
	}{[]problem{{message, extensions{code}}}})
}

func answer(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil { // only a year beyond 9999 can't be encoded
		status, encoded = http.StatusInternalServerError, []byte(`{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
