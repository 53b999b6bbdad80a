package keyring

import (
	"context"
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// ErrMismatch is returned if the keyset is not the one that sealed the database.
var ErrMismatch = errors.New("keyring: the keyset is not the one that this database was sealed with")

var checkID = ids.Digest{} // no token's row: a token would have to hash to zero

// NewCheck returns a mark to store in the database, by which Check recognizes the keyset.
func (k *Keyring) NewCheck() ([]byte, error) { return k.wrap(version1, checkID, []byte("cloakroom")) }

// Check returns ErrMismatch unless this keyset or an earlier version of it made the mark.
func (k *Keyring) Check(mark []byte) error {
	if _, _, err := k.unwrap(checkID, mark); err != nil {
		return ErrMismatch
	}
	return nil
}

// Ready returns an error unless the keys open a mark that they sealed.
func (k *Keyring) Ready(context.Context) error {
	mark, err := k.NewCheck()
	if err != nil {
		return err
	}
	return k.Check(mark)
}
