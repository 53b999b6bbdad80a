package config

import (
	"cmp"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// Issuer is one trusted signer of JWTs.
type Issuer struct {
	// The tenant, unless tenant is set. Tokens and grants belong to it: never change it. Required.
	Name string `yaml:"name"`
	// The name of another issuer, whose tenant this one's callers are of: an identity provider's users, of the application that grants
	// to them. A session is the same id at either. Default: none.
	Tenant string `yaml:"tenant"`
	// What the iss claim says. Required.
	Issuer string `yaml:"issuer"`
	// What the aud claim contains. Default: http.public_url.
	Audience string `yaml:"audience"`
	// The claim that says the audience where a provider's tokens have no aud, such as azp or client_id: one string, which must be
	// audience. A JWT that has aud as well is then refused. Default: none.
	AudienceClaim string `yaml:"audience_claim"`
	// Signature algorithms that are accepted; asymmetric ones only. Ed25519 (RFC 9864) and EdDSA are one. Default: ES256, EdDSA,
	// RS256, PS256.
	Algorithms []string `yaml:"algorithms"`
	// What the typ header may say, such as at+jwt; an empty string allows its absence. logout+jwt and cloakroom-sign-in+jwt are never
	// accepted. Default: JWT.
	Types []string `yaml:"types"`
	// The claim that holds the id of the end user's session. Default: sid.
	SessionClaim string `yaml:"session_claim"`
	Claims       Claims `yaml:"claims"`
	// Longest time between iat and exp; a JWT that lives longer is refused. Default: 24h.
	MaxLifetime time.Duration `yaml:"max_lifetime"`
	// Whether application or admin in the roles claim raises a caller. For the application's own issuer; an identity provider's roles
	// are its users', and all its callers are sessions. Default: false.
	TrustRoles bool `yaml:"trust_roles"`
	// Whether a proxy adds this issuer's JWTs, as Authorization, to what a browser sends by its cookie, as Oathkeeper does. They are
	// then held against the page's origin, as cookies are. Default: false.
	Ambient bool `yaml:"ambient"`
	// Finds the keys by OpenID Connect Discovery: /.well-known/openid-configuration below issuer, an https URL (in development also
	// http on loopback), names their jwks_uri. Default: false.
	Discovery bool `yaml:"discovery"`
	// Where the issuer's keys are. Required: this, jwks or discovery.
	JWKSURL string `yaml:"jwks_url"`
	// The issuer's keys themselves: a JWK Set as JSON text. It needs a usable key, and may hold no private or symmetric one.
	// Required: this, jwks_url or discovery.
	JWKS string `yaml:"jwks"`
	// Certificates (PEM) that the issuer's servers are checked against; none: the system's. Default: none.
	CAFile string `yaml:"ca_file"`
	// How often the keys are fetched: within it, a key that the issuer has removed stops working, for remembered JWTs too. Default:
	// 5m.
	JWKSRefresh time.Duration `yaml:"jwks_refresh"`
	// How long known keys are trusted while the issuer can't be reached. After that its JWTs are refused until it answers. Default:
	// 1h.
	JWKSMaxAge time.Duration `yaml:"jwks_max_age"`

	// Accepts the issuer's logout tokens at /session/back-channel-logout. Default: false.
	BackChannelLogout bool `yaml:"back_channel_logout"`
	// What their aud claim contains: the id of the client that the provider knows; none: the issuer's audience. Default: none.
	LogoutAudience string `yaml:"logout_audience"`
	// What their typ is. Add JWT for a provider that sends no other. Default: logout+jwt.
	LogoutTypes []string `yaml:"logout_types"`

	SignIn IssuerSignIn `yaml:"sign_in"`
}

// TenantName returns the tenant of the issuer's callers.
func (i *Issuer) TenantName() string { return cmp.Or(i.Tenant, i.Name) }

// Claims are JMESPath expressions that find a caller's parts in the claims; an empty one is the claim's own name.
type Claims struct {
	// A JMESPath expression that finds the session's id instead, such as ext.session.id: one string. Default: none.
	Session string `yaml:"session"`
	// The same for the subject, instead of sub: one string. Default: none.
	Subject string `yaml:"subject"`
	// The same for roles, instead of roles: a list of strings, or one. Default: none.
	Roles string `yaml:"roles"`
	// A JMESPath condition: a JWT for which it does not find true is refused, such as token_use == 'access'. Default: none.
	Require string `yaml:"require"`
}

// Credentials are rules for all JWTs.
type Credentials struct {
	// How many verified JWTs are kept in memory, so that a signature is checked once and not per request. Half a KiB is reckoned for
	// each; longer ones leave room for fewer. Default: 50000.
	Remember int `yaml:"remember"`
	// By how much iat and nbf may lie ahead. exp has no leeway. Default: 5s.
	ClockSkew time.Duration `yaml:"clock_skew"`
	// Bytes of a JWT, from 1024 to 65536. A longer one is refused with LIMIT_EXCEEDED. All headers of a request may have 16 KiB
	// besides; what stands in front of the gateway has limits of its own. Default: 16384.
	MaxSize int `yaml:"max_size"`
	// A header in which a proxy passes an issuer's JWT, such as OIDC_id_token, besides Authorization. It is verified alike, and held
	// against the page's origin as a cookie is. Default: none.
	Header string `yaml:"header"`
	// How often a replica reads which sessions others have ended. After ten times as long without an answer from the database, every
	// credential is refused with UNAVAILABLE. Default: 1s.
	EndedPoll time.Duration `yaml:"ended_poll"`
	// Ended sessions kept in memory, some 100 bytes each, until no credential or grant of theirs can live; further ones are refused
	// with LIMIT_EXCEEDED. Default: 1000000.
	MaxEnded int `yaml:"max_ended"`
}

// TrustedProxy is a proxy that says in plain headers who asks; empty but for the lifetime: there is none.
type TrustedProxy struct {
	// The tenant of its sessions: a name of its own or, so that an application can grant them something, the name of that
	// application's issuer. Default: none.
	Tenant string `yaml:"tenant"`
	// Networks that its connections come from, such as 10.1.2.3/32. X-Forwarded-For is not looked at. Default: none.
	Peers []string `yaml:"peers"`
	// The header with the id of the user's session. Default: none.
	SessionHeader string `yaml:"session_header"`
	// The header with the user's name. Default: none.
	SubjectHeader string `yaml:"subject_header"`
	// The header with the secret that proves the proxy. Default: none.
	SecretHeader string `yaml:"secret_header"`
	// That secret, of 32 characters or more. Never printed. It must not travel in clear: peers on loopback, or http.tls. Default:
	// none.
	Secret Secret `yaml:"secret"`
	// Certificates (PEM); the proxy proves itself by one of theirs, beside the secret or instead of it. Needs http.tls. Default: none.
	ClientCAFile string `yaml:"client_ca_file"`
	// DNS name or URI that the proxy's certificate has; none: any. Default: none.
	ClientName string `yaml:"client_name"`
	// How long a session at the proxy lives at most. Default: 24h.
	MaxLifetime time.Duration `yaml:"max_lifetime"`
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
