package credential

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

func TestSignatureIsCheckedOnce(t *testing.T) {
	f := newFixture(t, nil)
	jwt := good(claimsOf())
	_, err := f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			_, err := f.Authenticate(bearer(jwt))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	require.Equal(t, 1, f.seen.of(Verified))
	require.Equal(t, 100, f.seen.of(Remembered))
}

// TestCachedJWTsExpire: a cached JWT expires at exp, to the nanosecond, with the message for expired JWTs.
func TestCachedJWTsExpire(t *testing.T) {
	f := newFixture(t, nil)
	jwt := good(claimsOf())
	_, err := f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	f.clock.advance(10*time.Minute - 1)
	_, err = f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	f.clock.advance(1)
	for range 2 { // removed from the cache, and refused again
		_, err = f.Authenticate(bearer(jwt))
		require.ErrorIs(t, err, errExpired)
		require.Contains(t, fault.Public(err).Message, "expired")
	}
	require.Equal(t, 1, f.seen.of(Verified))
}

// TestRefusalsAreNotCached: a refused JWT is checked again each time, and accepted once it is valid.
func TestRefusalsAreNotCached(t *testing.T) {
	f := newFixture(t, nil)
	early := good(claimsOf("iat", fmt.Sprint(start.Unix()+60), "exp", fmt.Sprint(start.Unix()+120)))
	for range 2 {
		_, err := f.Authenticate(bearer(early))
		require.Error(t, err)
	}
	f.clock.advance(time.Minute)
	_, err := f.Authenticate(bearer(early))
	require.NoError(t, err)
}

// TestCacheKeyIsTheWholeJWT: a JWT with another signature of the same claims is another JWT.
func TestCacheKeyIsTheWholeJWT(t *testing.T) {
	f := newFixture(t, nil)
	for range 2 { // ECDSA signs differently each time
		_, err := f.Authenticate(bearer(good(claimsOf())))
		require.NoError(t, err)
	}
	require.Equal(t, 2, f.seen.of(Verified))
	jwt := good(claimsOf())
	_, err := f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	for i := range len(jwt) {
		changed := []byte(jwt)
		changed[i] = map[bool]byte{true: 'B', false: 'A'}[jwt[i] == 'A']
		_, err := f.Authenticate(bearer(string(changed)))
		require.Error(t, err, "byte %d", i)
	}
}

// TestCacheIsBounded: the cache stays within its limit under many more JWTs.
func TestCacheIsBounded(t *testing.T) {
	const remember, sessions = 50, 1000
	f := newFixture(t, func(o *Options) { o.Remember = remember })
	for i := range sessions {
		jwt := token("EdDSA", testKeys()["ed"], `{"alg":"EdDSA","kid":"k3","typ":"JWT"}`, claimsOf("sid", fmt.Sprintf(`"s%d"`, i)))
		_, err := f.Authenticate(bearer(jwt))
		require.NoError(t, err)
	}
	f.cache.CleanUp() // evictions run in the background
	require.LessOrEqual(t, f.cache.EstimatedSize(), remember)
	require.Equal(t, sessions, f.seen.of(Verified))
}
