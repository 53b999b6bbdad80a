package credential

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// cachedJWT is a cache entry: the caller of a verified JWT, and the version of the issuer's keys that verified it.
type cachedJWT struct {
	caller *caller.Caller
	issuer *issuer
	keys   *jose.Set
}

// jwtCache is the cache of verified JWTs, by the SHA-256 of each.
type jwtCache = otter.Cache[[sha256.Size]byte, *cachedJWT]

// Sizes of a cache entry, in bytes: without its text, and the average from which the cache's limit is calculated.
const (
	entryBytes   = 256
	averageBytes = 512
)

// newJWTCache limits the cache by bytes: to the given number of entries of average length, and to fewer longer ones. A
// provider's user may be able to choose the length.
func newJWTCache(entries int) (*jwtCache, error) {
	return otter.New(&otter.Options[[sha256.Size]byte, *cachedJWT]{
		MaximumWeight: uint64(max(entries, 1)) * averageBytes,
		Weigher:       func(_ [sha256.Size]byte, m *cachedJWT) uint32 { return m.bytes() },
		Executor:      inline,
	})
}

// inline runs a cache's maintenance in the goroutine that causes it: waking another one costs more than the maintenance.
func inline(maintain func()) { maintain() }

// bytes estimates the memory that a cache entry holds.
func (m *cachedJWT) bytes() uint32 {
	n := entryBytes + len(m.caller.Subject)
	for _, role := range m.caller.Roles {
		n += len(role) + 16
	}
	return uint32(max(n, averageBytes))
}
