package keyring

import (
	"context"
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// ErrMismatch is returned by Check where a keyset is not the one that sealed the database.
var ErrMismatch = errors.New("keyring: the keyset is not the one that this database was sealed with")

var checkID = ids.Digest{} // no token's row: a token would have to hash to zero

// NewCheck returns a mark to keep in the database, by which Check knows the keyset again.
func (k *Keyring) NewCheck() ([]byte, error) { return k.wrap(version1, checkID, []byte("cloakroom")) }

// Check returns ErrMismatch unless this keyset, at some version of it, made the mark.
func (k *Keyring) Check(mark []byte) error {
	if _, _, err := k.unwrap(checkID, mark); err != nil {
		return ErrMismatch
	}
	return nil
}

// Ready reports whether the keys still open what they seal.
func (k *Keyring) Ready(context.Context) error {
	mark, err := k.NewCheck()
	if err != nil {
		return err
	}
	return k.Check(mark)
}
