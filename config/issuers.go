package config

import (
	"cmp"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// Issuer is one trusted signer of JWTs.
type Issuer struct {
	Name          string        `yaml:"name"`   // never change it: tokens belong to it, unless tenant is set
	Tenant        string        `yaml:"tenant"` // another issuer's name, whose tenant its callers are of; empty: its own
	Issuer        string        `yaml:"issuer"` // the iss claim
	Audience      string        `yaml:"audience"`
	AudienceClaim string        `yaml:"audience_claim"` // says the audience in the place of aud, which is then absent
	Algorithms    []string      `yaml:"algorithms"`
	Types         []string      `yaml:"types"` // accepted typ; "" allows its absence
	SessionClaim  string        `yaml:"session_claim"`
	Claims        Claims        `yaml:"claims"`
	MaxLifetime   time.Duration `yaml:"max_lifetime"`
	TrustRoles    bool          `yaml:"trust_roles"` // roles makes a caller an application; for the application's own issuer
	Ambient       bool          `yaml:"ambient"`     // a proxy adds its JWTs, from a browser's cookie
	Discovery     bool          `yaml:"discovery"`   // the keys' URL is in the issuer's metadata
	JWKSURL       string        `yaml:"jwks_url"`    // instead of discovery
	JWKS          string        `yaml:"jwks"`        // inline, instead of both
	CAFile        string        `yaml:"ca_file"`     // PEM; empty: the system's
	JWKSRefresh   time.Duration `yaml:"jwks_refresh"`
	JWKSMaxAge    time.Duration `yaml:"jwks_max_age"` // of keys, while the issuer can't be reached

	BackChannelLogout bool     `yaml:"back_channel_logout"` // accept its logout tokens
	LogoutAudience    string   `yaml:"logout_audience"`     // of these; empty: audience
	LogoutTypes       []string `yaml:"logout_types"`        // of their typ

	SignIn IssuerSignIn `yaml:"sign_in"`
}

// TenantName returns the tenant of the issuer's callers.
func (i *Issuer) TenantName() string { return cmp.Or(i.Tenant, i.Name) }

// Claims are JMESPath expressions that find a caller's parts in the claims; an empty one is the claim's own name.
type Claims struct {
	Session string `yaml:"session"`
	Subject string `yaml:"subject"`
	Roles   string `yaml:"roles"`
	Require string `yaml:"require"` // must find true
}

// Credentials are rules for all JWTs.
type Credentials struct {
	Remember  int           `yaml:"remember"` // how many verified JWTs are kept in memory
	ClockSkew time.Duration `yaml:"clock_skew"`
	MaxSize   int           `yaml:"max_size"`   // bytes of a JWT
	Header    string        `yaml:"header"`     // in which a proxy passes a JWT, besides Authorization
	EndedPoll time.Duration `yaml:"ended_poll"` // how soon a session that another replica ends has ended here
	MaxEnded  int           `yaml:"max_ended"`  // ended sessions that are kept in memory
}

// TrustedProxy is a proxy that says in plain headers who asks; empty but for the lifetime: there is none.
type TrustedProxy struct {
	Tenant        string        `yaml:"tenant"`
	Peers         []string      `yaml:"peers"` // networks that its connections come from
	SessionHeader string        `yaml:"session_header"`
	SubjectHeader string        `yaml:"subject_header"`
	SecretHeader  string        `yaml:"secret_header"` // it proves itself by this header's secret,
	Secret        Secret        `yaml:"secret"`
	ClientCAFile  string        `yaml:"client_ca_file"` // by a certificate of these (PEM), or by both
	ClientName    string        `yaml:"client_name"`    // DNS name or URI in that certificate; empty: any
	MaxLifetime   time.Duration `yaml:"max_lifetime"`   // of a session at the proxy
}

// enabled reports whether any setting of a trusted proxy is there.
func (t *TrustedProxy) enabled() bool {
	return t.Tenant != "" || len(t.Peers) > 0 || t.SessionHeader != "" || t.SubjectHeader != "" || t.SecretHeader != "" ||
		t.Secret != "" || t.ClientCAFile != "" || t.ClientName != ""
}

// DefaultIssuer returns an issuer's settings where nothing else is said.
func DefaultIssuer() Issuer {
	return Issuer{
		Algorithms: []string{"ES256", "EdDSA", "RS256", "PS256"}, Types: []string{"JWT"}, SessionClaim: "sid", MaxLifetime: 24 * time.Hour,
		JWKSRefresh: 5 * time.Minute, JWKSMaxAge: time.Hour, LogoutTypes: []string{jose.LogoutType},
	}
}
