package config

import (
	"fmt"
	"math"
	"net/netip"
)

// Rates bound the work for one session, one tenant and one client's address in a time, on this replica. A default is
// written as PerSecond / Burst.
type Rates struct {
	// Buckets in memory for each rate, about 250 bytes each; the least used are dropped first. Tenants' buckets are never dropped. Default: 50000.
	Remember int `yaml:"remember"`
	// Tokens that tokenize makes. Bursts are tokens.max_batch or more. Default: 100 / 2000 of a session, 5000 / 50000 of a tenant.
	TokensReserved CallerRates `yaml:"tokens_reserved"`
	// Bytes that their values may have: the given size, otherwise objects.max_unsized_size. Bursts are objects.max_size or more.
	// Default: 64 MiB / 16 GiB of a session, 1 GiB / 256 GiB of a tenant.
	BytesReserved CallerRates `yaml:"bytes_reserved"`
	// Tokens in requests of detokenize, token and revocations, granted or not. Bursts are tokens.max_batch or more. Default: 300 / 3000 of a
	// session, 20000 / 100000 of a tenant.
	TokensRead CallerRates `yaml:"tokens_read"`
	// Sign-ins by the redirect flow: completed ones of a session and a tenant, begun ones of an address. Default: 1 / 20 of a
	// session, 500 / 5000 of a tenant, 20 / 300 of an address.
	SignIns SignInRates `yaml:"sign_ins"`
	// Refused credentials of an address. Above this rate no new signature is verified for the address, except, within the session's
	// rate, new JWTs of a session that was verified before. Default: 20 / 300 of an address, 1 / 20 of a session.
	RefusedCredentials RefusalRates `yaml:"refused_credentials"`
	// Requests to /graphql without credentials. Default: 50 / 500 of an address.
	AnonymousRequests AddressRate `yaml:"anonymous_requests"`
}

// Rate is a token bucket (the algorithm): Burst at once, then PerSecond. The comments of Rates name the defaults.
type Rate struct {
	// Units per second, 0.001 or more; 0: no bound. The unit is bytes in BytesReserved, and otherwise one piece.
	PerSecond float64 `yaml:"per_second"`
	// Most units at once.
	Burst int64 `yaml:"burst"`
}

// Off reports whether nothing is bounded.
func (r Rate) Off() bool { return r.PerSecond == 0 }

// CallerRates bound verified callers.
type CallerRates struct {
	Session Rate `yaml:"session"`
	Tenant  Rate `yaml:"tenant"`
}

// SignInRates bound sign-ins; Address applies before the user is known.
type SignInRates struct {
	Session Rate `yaml:"session"`
	Tenant  Rate `yaml:"tenant"`
	Address Rate `yaml:"address"`
}

// RefusalRates bound credentials that are refused.
type RefusalRates struct {
	Session Rate `yaml:"session"`
	Address Rate `yaml:"address"`
}

// AddressRate bounds requests without a credential.
type AddressRate struct {
	Address Rate `yaml:"address"`
}

// defaultRates returns rates that a page never reaches, and a script reaches within a second.
func defaultRates() Rates {
	return Rates{
		Remember:           50_000,
		TokensReserved:     CallerRates{Session: Rate{100, 2000}, Tenant: Rate{5000, 50_000}},
		BytesReserved:      CallerRates{Session: Rate{64 << 20, 16 << 30}, Tenant: Rate{1 << 30, 256 << 30}},
		TokensRead:         CallerRates{Session: Rate{300, 3000}, Tenant: Rate{20_000, 100_000}},
		SignIns:            SignInRates{Session: Rate{1, 20}, Tenant: Rate{500, 5000}, Address: Rate{20, 300}},
		RefusedCredentials: RefusalRates{Session: Rate{1, 20}, Address: Rate{20, 300}},
		AnonymousRequests:  AddressRate{Address: Rate{50, 500}},
	}
}

// maxRate bounds rates and bursts: floating-point numbers count exactly up to it.
const maxRate = 1 << 50

func (c *Config) verifyRates(p *problems) {
	r := &c.Rates
	// a burst below the size of one request, or one value, would refuse it for ever
	batch := int64(c.Tokens.MaxBatch)
	value := c.Objects.MaxSize
	bounded := false
	for _, s := range []struct {
		name string
		rate Rate
		most int64
		of   string
	}{
		{"tokens_reserved.session", r.TokensReserved.Session, batch, "tokens.max_batch"},
		{"tokens_reserved.tenant", r.TokensReserved.Tenant, batch, "tokens.max_batch"},
		{"bytes_reserved.session", r.BytesReserved.Session, value, "objects.max_size"},
		{"bytes_reserved.tenant", r.BytesReserved.Tenant, value, "objects.max_size"},
		{"tokens_read.session", r.TokensRead.Session, batch, "tokens.max_batch"},
		{"tokens_read.tenant", r.TokensRead.Tenant, batch, "tokens.max_batch"},
		{"sign_ins.session", r.SignIns.Session, 1, ""},
		{"sign_ins.tenant", r.SignIns.Tenant, 1, ""},
		{"sign_ins.address", r.SignIns.Address, 1, ""},
		{"refused_credentials.session", r.RefusedCredentials.Session, 1, ""},
		{"refused_credentials.address", r.RefusedCredentials.Address, 1, ""},
		{"anonymous_requests.address", r.AnonymousRequests.Address, 1, ""},
	} {
		s.rate.verify(p, "rates."+s.name, s.most, s.of)
		bounded = bounded || !s.rate.Off()
	}
	if bounded {
		between(p, "rates.remember", r.Remember, 1000, 10_000_000)
	}
}

func (r Rate) verify(p *problems, at string, most int64, of string) {
	if math.IsNaN(r.PerSecond) || r.PerSecond != 0 && (r.PerSecond < 0.001 || r.PerSecond > maxRate) {
		p.add(at+".per_second", "%v is neither 0, for no bound, nor between 0.001 and %d", r.PerSecond, int64(maxRate))
		return
	}
	if r.Off() {
		return
	}
	remedy := ""
	if of != "" {
		remedy = fmt.Sprintf("; it must be %d at least, for what %s allows in one request; raise it, or lower that", most, of)
	}
	if r.Burst < most || r.Burst > maxRate {
		p.add(at+".burst", "%d is not between %d and %d%s", r.Burst, most, int64(maxRate), remedy)
	}
}

// verifyHops refuses networks so wide that clients could set their address themselves.
func (h *HTTP) verifyHops(p *problems) {
	if h.ClientHeader != "X-Forwarded-For" && h.ClientHeader != "Forwarded" {
		p.add("http.client_header", "%q is neither X-Forwarded-For nor Forwarded; name the header that http.trusted_hops set", h.ClientHeader)
	}
	for _, s := range h.TrustedHops {
		n, err := netip.ParsePrefix(s)
		switch {
		case err != nil || n.Masked() != n || n.Addr().Is4In6():
			p.add("http.trusted_hops", "%q is not a network; write its first address and its length, such as 10.1.2.0/24 or 10.1.2.3/32", s)
		case n.Addr().Is4() && n.Bits() < 8, n.Addr().Is6() && n.Bits() < 32:
			p.add("http.trusted_hops", "%q is too wide for the proxies' networks; name only their networks", s)
		}
	}
}
