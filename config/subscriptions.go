package config

// Subscriptions bound the subscriptions on this replica. Each holds a connection, or a stream of HTTP/2, and about 300 bytes for each token
// that it watches: 64 tokens on average.
type Subscriptions struct {
	// Subscriptions open at once. Keep it below http.max_connections, so that other requests find room. Default: 4096.
	Max int `yaml:"max"`
	// The same for each tenant. Default: 2048.
	MaxPerTenant int `yaml:"max_per_tenant"`
	// The same for each session: its tabs. Default: 16.
	MaxPerSession int `yaml:"max_per_session"`
}

func (c *Config) verifySubscriptions(p *problems) {
	s := c.Subscriptions
	between(p, "subscriptions.max", s.Max, 1, 1_000_000)
	between(p, "subscriptions.max_per_tenant", s.MaxPerTenant, 1, 1_000_000)
	between(p, "subscriptions.max_per_session", s.MaxPerSession, 1, 1000)
}
