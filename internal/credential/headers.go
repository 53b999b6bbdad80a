package credential

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

var (
	errNotOne  = errors.New("not one bearer token")
	errSeveral = errors.New("several credentials that differ")
)

// credential returns the JWT that the request bears, "" where it bears none, and whether a proxy passed it.
// More than one is never chosen from: who sees another one than we do would see another caller.
func (a *Authenticator) credential(h http.Header) (jwt string, proxied bool, err error) {
	if values := h["Authorization"]; len(values) > 0 {
		if jwt, err = bearerOf(values); err != nil {
			return "", false, err
		}
	}
	if a.header == "" || len(h[a.header]) == 0 {
		return jwt, false, nil
	}
	passed, err := passedIn(h[a.header])
	switch {
	case err != nil:
		return "", false, err
	case jwt != "" && jwt != passed:
		return "", false, errSeveral
	}
	return passed, true, nil
}

// bearerOf reads the Authorization headers (RFC 6750, section 2.1).
func bearerOf(values []string) (string, error) {
	scheme, jwt, _ := strings.Cut(values[0], " ")
	if len(values) != 1 || !strings.EqualFold(scheme, "Bearer") || jwt == "" {
		return "", errNotOne
	}
	return jwt, nil
}

// passedIn reads a proxy's header; some write the scheme in front.
func passedIn(values []string) (string, error) {
	if len(values) != 1 || values[0] == "" {
		return "", errNotOne
	}
	if strings.Contains(values[0], " ") {
		return bearerOf(values)
	}
	return values[0], nil
}

// accepts reports whether a JWT of the type, "" for none, may be a credential of the issuer's.
func accepts(types []string, typ string) bool {
	return slices.ContainsFunc(types, func(accepted string) bool { return strings.EqualFold(accepted, typ) })
}
