package appkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Keys are the keys of one application: one signs, all are published. Safe for concurrent use, also while they
// are replaced.
type Keys struct {
	folder    string     // of LoadKeys; "" for NewKeys
	reloading sync.Mutex // with two Reloads at a time, the older keys could win
	current   atomic.Pointer[keySet]
}

// keySet is one version of the keys; it is never changed.
type keySet struct {
	keys      []timedKey // the latest first
	published []byte     // the public JSON Web Key Set
}

// timedKey is a key, and the time from which it signs; zero: from the beginning.
type timedKey struct {
	*Key
	from time.Time
}

// NewKeys makes a set: newest signs, and the older keys stay published so that their JWTs still
// verify. Errors, which have no sentinel: a key is nil, or is given twice.
func NewKeys(newest *Key, older ...*Key) (*Keys, error) {
	keys := &Keys{}
	if err := keys.Replace(newest, older...); err != nil {
		return nil, err
	}
	return keys, nil
}

// Replace replaces all keys, under the rules of NewKeys; on an error nothing changes. To introduce a newest key that
// verifiers have not fetched yet, use LoadKeys instead. Its errors are those of NewKeys.
func (k *Keys) Replace(newest *Key, older ...*Key) error {
	timed := make([]timedKey, 0, 1+len(older))
	for _, key := range append([]*Key{newest}, older...) {
		timed = append(timed, timedKey{Key: key})
	}
	return k.replace(timed)
}

func (k *Keys) replace(keys []timedKey) error {
	set := jwk.NewSet()
	for i, key := range keys {
		if key.Key == nil || key.private == nil {
			return fmt.Errorf("keys: key %d is missing: make one with LoadOrCreateKey", i)
		}
		if _, known := set.LookupKeyID(key.ID()); known {
			return fmt.Errorf("keys: key %s is given twice: give each key once", key.ID())
		}
		if err := set.AddKey(key.public); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	published, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	k.current.Store(&keySet{keys: slices.Clone(keys), published: published})
	return nil
}

// signer returns the newest key whose time is past. If every key's time is in the future, a clock is wrong or
// earlier keys were deleted too soon; then the key with the earliest time signs: verifiers have had it the
// longest, and without a signer no session would get a token.
func (k *Keys) signer(now time.Time) (*Key, error) {
	set := k.current.Load()
	if set == nil {
		return nil, errors.New("there is no signing key: make Keys with NewKeys or LoadKeys")
	}
	for _, key := range set.keys {
		if !key.from.After(now) {
			return key.Key, nil
		}
	}
	return set.keys[len(set.keys)-1].Key, nil
}

func (k *Keys) jwks() []byte {
	if set := k.current.Load(); set != nil {
		return set.published
	}
	return nil
}

// JWKS returns the public JSON Web Key Set, the newest key first.
func (k *Keys) JWKS() []byte { return slices.Clone(k.jwks()) }

// Format implements fmt.Formatter: no verb prints a secret.
func (k *Keys) Format(state fmt.State, _ rune) {
	if k == nil || k.current.Load() == nil {
		_, _ = fmt.Fprint(state, "[no signing keys]")
		return
	}
	_, _ = fmt.Fprintf(state, "[signing keys %s]", k.jwks())
}
