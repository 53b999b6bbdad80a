package jose

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a set. Its bytes are bounded by whoever fetches it.
const (
	maxKeys    = 64   // that are usable
	maxMembers = 1000 // usable or not: each is decoded
)

// Key is a public key for signatures.
type Key struct {
	ID         string // kid; "" where it has none
	Algorithm  string // canonical; "" where the set leaves it open
	Public     crypto.PublicKey
	Thumbprint Thumbprint
}

// Thumbprint names a public key: SHA-256 over its required members (RFC 7638).
type Thumbprint [sha256.Size]byte

func (k Key) equal(other Key) bool {
	return k.ID == other.ID && k.Algorithm == other.Algorithm && k.Thumbprint == other.Thumbprint
}

// Set is one version of an issuer's public keys; it is never changed.
type Set struct {
	keys []Key
	left []Left
	sum  [sha256.Size]byte // of what it was parsed from, to notice a change
}

// Left is a member of a set that is not used.
type Left struct {
	KeyID  string // bounded; "" where it has none
	Kind   Kind
	Detail string // bounded text of the set's, such as the name of an unknown kty; it may be empty
}

// Kind says why a member is not used.
type Kind string

// Kinds of members that are left out (RFC 7517, section 5).
const (
	Malformed   Kind = "malformed, or without a required member"
	UnknownType Kind = "of an unknown kty"
	UnknownCrv  Kind = "of an unknown crv"
	UnknownAlg  Kind = "for an alg that is not accepted"
	Symmetric   Kind = "symmetric"
	Private     Kind = "private, and published; neither it nor its public half counts"
	OtherUse    Kind = "not for verifying signatures"
	Weak        Kind = "of an RSA size or exponent that is not accepted"
	OffCurve    Kind = "not a point of its curve"
)

// Secret reports whether the member holds what must not be published.
func (l Left) Secret() bool { return l.Kind == Private || l.Kind == Symmetric }

// String says what was left out and why, in one line of printable ASCII.
func (l Left) String() string {
	s := "a key"
	if l.KeyID != "" {
		s = fmt.Sprintf("key %+q", l.KeyID)
	}
	if s += ": " + string(l.Kind); l.Detail != "" {
		s += fmt.Sprintf(" (%+q)", l.Detail)
	}
	return s
}

// ParseSet reads a JWK set (RFC 7517, section 5), or one key that stands for a set. Members that can't be used are
// left out, and Left says which; a member that is private takes its public half along, for whoever has read the set can
// sign with it. A set without a usable key is an error that says so, and quotes no key. The set of such an error is
// not nil where there were members, so that Left can be asked.
func ParseSet(b []byte) (*Set, error) {
	members, err := membersOf(b)
	if err != nil {
		return nil, err
	}
	if len(members) > maxMembers {
		return nil, fmt.Errorf("the JWKS has %d members, of %d at most", len(members), maxMembers)
	}
	s := &Set{sum: sha256.Sum256(b)}
	var published []Thumbprint
	for _, raw := range members {
		k, left := parseKey(raw)
		switch {
		case left == nil && !slices.ContainsFunc(s.keys, k.equal): // some sets name a key twice
			s.keys = append(s.keys, *k)
		case left != nil:
			s.left = append(s.left, *left)
			if left.Kind == Private && k != nil {
				published = append(published, k.Thumbprint)
			}
		}
	}
	s.keys = slices.DeleteFunc(s.keys, func(k Key) bool { return slices.Contains(published, k.Thumbprint) })
	switch {
	case len(s.keys) > maxKeys:
		return nil, fmt.Errorf("the JWKS has %d keys for signatures, of %d at most", len(s.keys), maxKeys)
	case len(s.keys) == 0:
		return s, fmt.Errorf("the JWKS has no usable key for verifying signatures%s", s.summary())
	}
	return s, nil
}

func membersOf(b []byte) ([]json.RawMessage, error) {
	var set map[string]json.RawMessage // not a struct: names are told apart by case
	if json.Unmarshal(b, &set) != nil || set == nil {
		return nil, errors.New("not a JWKS: it must be a JSON object with a list keys") // the parser's text may quote it
	}
	keys, ok := set["keys"]
	if !ok && set["kty"] != nil {
		return []json.RawMessage{b}, nil
	}
	var members []json.RawMessage
	if !ok || json.Unmarshal(keys, &members) != nil || members == nil {
		return nil, errors.New("not a JWKS: it must have a list keys")
	}
	return members, nil
}

// summary says of the first members why they are left out.
func (s *Set) summary() string {
	if len(s.left) == 0 {
		return ": it is empty"
	}
	const most = 3
	var all []string
	for _, l := range s.left[:min(len(s.left), most)] {
		all = append(all, l.String())
	}
	if more := len(s.left) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return "; left out: " + strings.Join(all, ", ")
}

// Left returns the members that are not used.
func (s *Set) Left() []Left { return s.left }

// Keys returns the keys, in the order of the set.
func (s *Set) Keys() []Key { return slices.Clone(s.keys) }

// Same reports whether both were parsed from the same bytes.
func (s *Set) Same(other *Set) bool { return other != nil && s.sum == other.sum }

var errNoKey = errors.New("no key of the issuer fits the JWT")

// Find returns the key for a header's alg and kid: that of the kid or, where it names none, the only one that fits.
// Two different keys that fit are an error: a key is never tried out.
func (s *Set) Find(alg, kid string) (Key, error) {
	found := -1
	for n, k := range s.keys {
		if (kid == "" || k.ID == kid) && k.Fits(alg) {
			if found >= 0 {
				return Key{}, errNoKey
			}
			found = n
		}
	}
	if found < 0 {
		return Key{}, errNoKey
	}
	return s.keys[found], nil
}

// Holds reports whether the set has the key.
func (s *Set) Holds(t Thumbprint) bool {
	return slices.ContainsFunc(s.keys, func(k Key) bool { return k.Thumbprint == t })
}

// SecretMember returns a member of a JWK set, as text, that is private or symmetric; nil where there is none.
func SecretMember(jwks string) *Left {
	set, _ := ParseSet([]byte(jwks)) // what is left out is told beside an error too
	if set == nil {
		return nil
	}
	for _, l := range set.Left() {
		if l.Secret() {
			return &l
		}
	}
	return nil
}
