package config

import (
	"cmp"
	"time"
)

// Issuer is one trusted signer of JWTs.
type Issuer struct {
	Name          string        `koanf:"name"`   // never change it: tokens belong to it, unless tenant is set
	Tenant        string        `koanf:"tenant"` // another issuer's name, whose tenant its callers are of; empty: its own
	Issuer        string        `koanf:"issuer"` // the iss claim
	Audience      string        `koanf:"audience"`
	AudienceClaim string        `koanf:"audience_claim"` // says the audience in the place of aud, which is then absent
	Algorithms    []string      `koanf:"algorithms"`
	Types         []string      `koanf:"types"` // accepted typ; "" allows its absence
	SessionClaim  string        `koanf:"session_claim"`
	Claims        Claims        `koanf:"claims"`
	MaxLifetime   time.Duration `koanf:"max_lifetime"`
	TrustRoles    bool          `koanf:"trust_roles"` // roles makes a caller an application; for the application's own issuer
	Ambient       bool          `koanf:"ambient"`     // a proxy adds its JWTs, from a browser's cookie
	Discovery     bool          `koanf:"discovery"`   // the keys' URL is in the issuer's metadata
	JWKSURL       string        `koanf:"jwks_url"`    // instead of discovery
	JWKS          string        `koanf:"jwks"`        // inline, instead of both
	CAFile        string        `koanf:"ca_file"`     // PEM; empty: the system's
	JWKSRefresh   time.Duration `koanf:"jwks_refresh"`
	JWKSMaxAge    time.Duration `koanf:"jwks_max_age"` // of keys, while the issuer can't be reached

	BackChannelLogout bool     `koanf:"back_channel_logout"` // accept its logout tokens
	LogoutAudience    string   `koanf:"logout_audience"`     // of these; empty: audience
	LogoutTypes       []string `koanf:"logout_types"`        // of their typ

	SignIn IssuerSignIn `koanf:"sign_in"`
}

// TenantName returns the tenant of the issuer's callers.
func (i *Issuer) TenantName() string { return cmp.Or(i.Tenant, i.Name) }

// Claims are JMESPath expressions that find a caller's parts in the claims; an empty one is the claim's own name.
type Claims struct {
	Session string `koanf:"session"`
	Subject string `koanf:"subject"`
	Roles   string `koanf:"roles"`
	Require string `koanf:"require"` // must find true
}

// Credentials are rules for all JWTs.
type Credentials struct {
	Remember  int           `koanf:"remember"` // how many verified JWTs are kept in memory
	ClockSkew time.Duration `koanf:"clock_skew"`
	MaxSize   int           `koanf:"max_size"`   // bytes of a JWT
	Header    string        `koanf:"header"`     // in which a proxy passes a JWT, besides Authorization
	EndedPoll time.Duration `koanf:"ended_poll"` // how soon a session that another replica ends has ended here
	MaxEnded  int           `koanf:"max_ended"`  // ended sessions that are kept in memory
}

// TrustedProxy is a proxy that says in plain headers who asks; empty but for the lifetime: there is none.
type TrustedProxy struct {
	Tenant        string        `koanf:"tenant"`
	Peers         []string      `koanf:"peers"` // networks that its connections come from
	SessionHeader string        `koanf:"session_header"`
	SubjectHeader string        `koanf:"subject_header"`
	SecretHeader  string        `koanf:"secret_header"` // it proves itself by this header's secret,
	Secret        Secret        `koanf:"secret"`
	ClientCAFile  string        `koanf:"client_ca_file"` // by a certificate of these (PEM), or by both
	ClientName    string        `koanf:"client_name"`    // DNS name or URI in that certificate; empty: any
	MaxLifetime   time.Duration `koanf:"max_lifetime"`   // of a session at the proxy
}

// enabled reports whether any setting of a trusted proxy is there.
func (t *TrustedProxy) enabled() bool {
	return t.Tenant != "" || len(t.Peers) > 0 || t.SessionHeader != "" || t.SubjectHeader != "" || t.SecretHeader != "" ||
		t.Secret != "" || t.ClientCAFile != "" || t.ClientName != ""
}

// Types of JWTs that an issuer signs for something else than asking the gateway; they never are credentials.
const (
	// AssertionType is that of a sign-in assertion.
	AssertionType = "cloakroom-sign-in+jwt"
	// LogoutType is that of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4). Many providers
	// send JWT instead.
	LogoutType = "logout+jwt"
)

// DefaultIssuer returns an issuer's settings where nothing else is said.
func DefaultIssuer() Issuer {
	return Issuer{
		Algorithms: []string{"ES256", "EdDSA", "RS256", "PS256"}, Types: []string{"JWT"}, SessionClaim: "sid", MaxLifetime: 24 * time.Hour,
		JWKSRefresh: 5 * time.Minute, JWKSMaxAge: time.Hour, LogoutTypes: []string{LogoutType},
	}
}
