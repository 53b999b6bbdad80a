package credential

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// remembered is what a verified JWT said, and by which version of its issuer's keys.
type remembered struct {
	caller *caller.Caller
	issuer *issuer
	keys   *jose.Set
}

// memory has the verified JWTs, by the SHA-256 of each.
type memory = otter.Cache[[sha256.Size]byte, *remembered]

// Bytes of an entry without its text, and of one that the memory's size is reckoned by.
const (
	entryBytes   = 256
	averageBytes = 512
)

// newMemory bounds the memory by bytes: so many entries of average length, and fewer of longer ones, whose length a
// provider's user may have a say in.
func newMemory(entries int) (*memory, error) {
	return otter.New(&otter.Options[[sha256.Size]byte, *remembered]{
		MaximumWeight: uint64(max(entries, 1)) * averageBytes,
		Weigher:       func(_ [sha256.Size]byte, m *remembered) uint32 { return m.bytes() },
	})
}

// bytes estimates what an entry keeps from being collected.
func (m *remembered) bytes() uint32 {
	n := entryBytes + len(m.caller.Subject)
	for _, role := range m.caller.Roles {
		n += len(role) + 16
	}
	return uint32(max(n, averageBytes))
}
