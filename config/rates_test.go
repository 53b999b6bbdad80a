package config_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

func TestVerifyRates(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		says   string
	}{
		"a negative rate":                 {func(c *config.Config) { c.Rates.TokensRead.Session.PerSecond = -1 }, "rates.tokens_read.session.per_second"},
		"a rate that is no number":        {func(c *config.Config) { c.Rates.TokensRead.Session.PerSecond = math.NaN() }, "rates.tokens_read.session.per_second"},
		"an endless rate":                 {func(c *config.Config) { c.Rates.SignIns.Address.PerSecond = math.Inf(1) }, "rates.sign_ins.address.per_second"},
		"a burst below the longest list":  {func(c *config.Config) { c.Rates.TokensReserved.Session.Burst = 999 }, "tokens.max_batch"},
		"a burst below the largest value": {func(c *config.Config) { c.Objects.MaxSize = 5 << 30; c.Rates.BytesReserved.Session.Burst = 1 << 30 }, "objects.max_size"},
		"no burst":                        {func(c *config.Config) { c.Rates.AnonymousRequests.Address.Burst = 0 }, "rates.anonymous_requests.address.burst"},
		"no buckets":                      {func(c *config.Config) { c.Rates.Remember = 0 }, "rates.remember"},
		"a hop that is no network":        {func(c *config.Config) { c.HTTP.TrustedHops = []string{"10.0.0.1"} }, "http.trusted_hops"},
		"a hop as wide as the internet":   {func(c *config.Config) { c.HTTP.TrustedHops = []string{"0.0.0.0/0"} }, "http.trusted_hops"},
		"a header of another name":        {func(c *config.Config) { c.HTTP.ClientHeader = "X-Real-IP" }, "http.client_header"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			c.change(cfg)
			require.ErrorContains(t, cfg.Verify(), c.says)
		})
	}
	t.Run("all of them off", func(t *testing.T) {
		cfg := config.Default()
		cfg.Rates = config.Rates{}
		require.NotContains(t, cfg.Verify().Error(), "rates.")
	})
}
