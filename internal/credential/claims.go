package credential

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

var (
	errExpired = errors.New("the JWT has expired")
	errClaims  = errors.New("a claim is missing or invalid")
)

// maxID bounds subjects and session ids, in bytes.
const maxID = 1024

// claims are the registered claims (RFC 7519, section 4.1); nil if absent.
type claims struct {
	iss, sub      *string
	aud           *audience
	exp, iat, nbf *numericDate
}

func registered(o object) (c claims, err error) {
	var errs [6]error
	c.iss, errs[0] = member[string](o, "iss")
	c.sub, errs[1] = member[string](o, "sub")
	c.aud, errs[2] = member[audience](o, "aud")
	c.exp, errs[3] = member[numericDate](o, "exp")
	c.iat, errs[4] = member[numericDate](o, "iat")
	c.nbf, errs[5] = member[numericDate](o, "nbf")
	return c, errors.Join(errs[:]...)
}

// audience is a string or a list of strings (RFC 7519, section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if decodeValue(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return (*list)(a).UnmarshalJSON(b)
}

// list is a list of strings; a null in it is refused, and not read as an empty string.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var members []*string
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for _, m := range members {
		if m == nil {
			return errClaims
		}
		*l = append(*l, *m)
	}
	return nil
}

// numericDate is seconds since 1970, perhaps with a fraction (RFC 7519, section 2).
type numericDate struct{ time.Time }

func (n *numericDate) UnmarshalJSON(b []byte) error {
	if b[0] != '-' && (b[0] < '0' || b[0] > '9') { // only JSON numbers begin with these
		return errClaims
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	if f < 0 || f > 253402300799 { // year 9999
		return errClaims
	}
	s, frac := math.Modf(f)
	n.Time = time.Unix(int64(s), int64(frac*1e9)).UTC()
	return nil
}

// knownRoles returns the roles that the gateway knows, application and admin; an identity provider's others mean nothing
// here.
func knownRoles(all []string) (found []string) {
	for _, r := range all {
		if (r == caller.RoleApplication || r == caller.RoleAdmin) && !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	return found
}

// validID reports whether s may be a subject, a session id or a jti. It refuses U+FFFD too: the decoder substitutes it for
// half of a surrogate pair, so that different ids would become equal.
func validID(s string) bool {
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) })
}
