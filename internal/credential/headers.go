package credential

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

var (
	errNotOne  = errors.New("not exactly one bearer token")
	errSeveral = errors.New("several credentials that differ")
)

// credential returns the request's JWT, "" if it has none, and whether a proxy passed it. It does not choose between
// several JWTs: another component might choose another one, and so see another caller.
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

// passedIn reads a proxy's header; some proxies write the scheme before the JWT.
func passedIn(values []string) (string, error) {
	if len(values) != 1 || values[0] == "" {
		return "", errNotOne
	}
	if strings.Contains(values[0], " ") {
		return bearerOf(values)
	}
	return values[0], nil
}

// accepts reports whether types has typ, in any case; "" stands for a JWT without typ.
func accepts(types []string, typ string) bool {
	return slices.ContainsFunc(types, func(accepted string) bool { return strings.EqualFold(accepted, typ) })
}
