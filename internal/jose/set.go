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

// Limits of a set. The code that fetches a set limits its bytes.
const (
	maxKeys    = 64   // that are usable
	maxMembers = 1000 // usable or not: each is decoded
)

// Key is a public key for signatures.
type Key struct {
	ID         string // kid; "": none
	Algorithm  string // canonical; "": any that fits
	Public     crypto.PublicKey
	Thumbprint Thumbprint
}

// Thumbprint identifies a public key: SHA-256 over its required members (RFC 7638).
type Thumbprint [sha256.Size]byte

func (k Key) equal(other Key) bool {
	return k.ID == other.ID && k.Algorithm == other.Algorithm && k.Thumbprint == other.Thumbprint
}

// Set is one version of an issuer's public keys; it is never changed.
type Set struct {
	keys   []Key
	unused []Unused
	sum    [sha256.Size]byte // of the text of the set, to notice a change
}

// Unused is a member of a set that is not used.
type Unused struct {
	KeyID  string // bounded; "": none
	Kind   Kind
	Detail string // bounded text from the set, such as the name of an unknown kty; it may be empty
}

// Kind says why a member is not used.
type Kind string

// Kinds of members that are not used (RFC 7517, section 5).
const (
	Malformed   Kind = "malformed, or without a required member"
	UnknownType Kind = "of an unknown kty"
	UnknownCrv  Kind = "of an unknown crv"
	UnknownAlg  Kind = "for an alg that is not accepted"
	Symmetric   Kind = "symmetric"
	Private     Kind = "private, but published; neither it nor its public half is used"
	OtherUse    Kind = "not for verifying signatures"
	Weak        Kind = "of an RSA size or exponent that is not accepted"
	OffCurve    Kind = "not a point of its curve"
)

// Secret reports whether the member is a secret, which must not be published.
func (l Unused) Secret() bool { return l.Kind == Private || l.Kind == Symmetric }

// String names the member and the reason, in one line of printable ASCII.
func (l Unused) String() string {
	s := "a key"
	if l.KeyID != "" {
		s = fmt.Sprintf("key %+q", l.KeyID)
	}
	if s += ": " + string(l.Kind); l.Detail != "" {
		s += fmt.Sprintf(" (%+q)", l.Detail)
	}
	return s
}

// ParseSet reads a JWK set (RFC 7517, section 5), or a single key in place of a set. It omits members that can't be used;
// Unused returns them. The public half of a private member is not used either, because whoever has read the set can sign with
// it. A set without a usable key is an error, which quotes no key. The set beside this error is not nil if there are
// members, so that Unused can be called.
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
		k, unused := parseKey(raw)
		switch {
		case unused == nil && !slices.ContainsFunc(s.keys, k.equal): // some sets have a key twice
			s.keys = append(s.keys, *k)
		case unused != nil:
			s.unused = append(s.unused, *unused)
			if unused.Kind == Private && k != nil {
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
	var set map[string]json.RawMessage // not a struct: names are case-sensitive
	if json.Unmarshal(b, &set) != nil || set == nil {
		return nil, errors.New("not a JWKS: it must be a JSON object with a list keys") // the parser's message may quote the text
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

// summary says why the first members are not used.
func (s *Set) summary() string {
	if len(s.unused) == 0 {
		return ": it is empty"
	}
	const most = 3
	var all []string
	for _, l := range s.unused[:min(len(s.unused), most)] {
		all = append(all, l.String())
	}
	if more := len(s.unused) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return "; not used: " + strings.Join(all, ", ")
}

// Unused returns the members that are not used.
func (s *Set) Unused() []Unused { return s.unused }

// Keys returns the keys, in the order of the set.
func (s *Set) Keys() []Key { return slices.Clone(s.keys) }

// Same reports whether both were parsed from the same bytes.
func (s *Set) Same(other *Set) bool { return other != nil && s.sum == other.sum }

var errNoKey = errors.New("no key of the issuer fits the JWT")

// Find returns the key for a header's alg and kid: the key of the kid or, if kid is "", the only one that fits. Two
// different keys that fit are an error: keys are never tried one after the other.
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

// SecretMember returns a private or symmetric member of a JWK set, which is given as text; nil if there is none.
func SecretMember(jwks string) *Unused {
	set, _ := ParseSet([]byte(jwks)) // an error's set has its unused members too
	if set == nil {
		return nil
	}
	for _, l := range set.Unused() {
		if l.Secret() {
			return &l
		}
	}
	return nil
}
