package credential

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// remembered is a cache entry: the caller of a verified JWT, and the version of the issuer's keys that verified it.
type remembered struct {
	caller *caller.Caller
	issuer *issuer
	keys   *jose.Set
}

// memory is the cache of verified JWTs, by the SHA-256 of each.
type memory = otter.Cache[[sha256.Size]byte, *remembered]

// Sizes of a cache entry, in bytes: without its text, and the average from which the cache's limit is calculated.
const (
	entryBytes   = 256
	averageBytes = 512
)

// newMemory limits the cache by bytes: to the given number of entries of average length, and to fewer longer ones. A
// provider's user may be able to choose the length.
func newMemory(entries int) (*memory, error) {
	return otter.New(&otter.Options[[sha256.Size]byte, *remembered]{
		MaximumWeight: uint64(max(entries, 1)) * averageBytes,
		Weigher:       func(_ [sha256.Size]byte, m *remembered) uint32 { return m.bytes() },
	})
}

// bytes estimates the memory that a cache entry holds.
func (m *remembered) bytes() uint32 {
	n := entryBytes + len(m.caller.Subject)
	for _, role := range m.caller.Roles {
		n += len(role) + 16
	}
	return uint32(max(n, averageBytes))
}
