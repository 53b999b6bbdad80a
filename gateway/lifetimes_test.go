package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLifetimes: an end outlives every credential that it stops, cookies too.
func TestLifetimes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Grants.MaxDuration, cfg.SignIn.Cookie.Lifetime, cfg.Credentials.ClockSkew = time.Minute, 12*time.Hour, 5*time.Second
	short, long := DefaultIssuer(), DefaultIssuer()
	short.Name, short.MaxLifetime, long.Name, long.MaxLifetime = "short", time.Minute, "long", 24*time.Hour
	cfg.Issuers = []Issuer{short, long}
	require.Equal(t, map[string]time.Duration{"short": time.Minute + 5*time.Second, "long": 24*time.Hour + 5*time.Second}, lifetimes(cfg))
	cfg.Issuers[0].SignIn.Enabled, cfg.Issuers[1].SignIn.Enabled = true, true
	require.Equal(t, map[string]time.Duration{"short": 12*time.Hour + 5*time.Minute + 5*time.Second, "long": 24*time.Hour + 5*time.Second}, lifetimes(cfg))
	cfg.Grants.MaxDuration = 48 * time.Hour
	require.Equal(t, map[string]time.Duration{"short": 48*time.Hour + 5*time.Second, "long": 48*time.Hour + 5*time.Second}, lifetimes(cfg), "and every grant")
}
