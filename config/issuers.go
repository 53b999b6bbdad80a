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
	// Name of another issuer: this issuer's callers belong to that issuer's tenant. For an identity provider whose users get grants
	// from the application, which is the other issuer. The same id at both issuers is the same session. Default: none.
	Tenant string `yaml:"tenant"`
	// Value of the iss claim. Required.
	Issuer string `yaml:"issuer"`
	// Value that the aud claim contains. Default: http.public_url.
	Audience string `yaml:"audience"`
	// Claim that has the audience if a provider's tokens have no aud, such as azp or client_id: one string, which must equal
	// audience. A JWT that has aud as well is then refused. Default: none.
	AudienceClaim string `yaml:"audience_claim"`
	// Signature algorithms that are accepted; asymmetric ones only. Ed25519 (RFC 9864) and EdDSA mean the same. Default: ES256, EdDSA,
	// RS256, PS256.
	Algorithms []string `yaml:"algorithms"`
	// Accepted values of the typ header, such as at+jwt; an empty string allows its absence. logout+jwt and cloakroom-sign-in+jwt are
	// never accepted. Default: JWT.
	Types []string `yaml:"types"`
	// Claim with the id of the end user's session. Default: sid.
	SessionClaim string `yaml:"session_claim"`
	Claims       Claims `yaml:"claims"`
	// Longest time between iat and exp; a JWT with a longer life is refused. Default: 24h.
	MaxLifetime time.Duration `yaml:"max_lifetime"`
	// Whether application and admin in the roles claim are accepted. Set it for the application's own issuer only: an identity
	// provider's roles are its users' roles, and its callers are sessions. Default: false.
	TrustRoles bool `yaml:"trust_roles"`
	// Whether a proxy adds this issuer's JWTs, as Authorization, to requests that a browser sends with the proxy's cookie, as Oathkeeper
	// does. The page's origin is then checked, as for cookies. Default: false.
	Ambient bool `yaml:"ambient"`
	// Finds the keys by OpenID Connect Discovery: /.well-known/openid-configuration below issuer, an https URL (in development also
	// http on loopback), names their jwks_uri. Default: false.
	Discovery bool `yaml:"discovery"`
	// URL of the issuer's keys. Required: this, jwks or discovery.
	JWKSURL string `yaml:"jwks_url"`
	// The issuer's keys themselves: a JWK Set as JSON text. It needs a usable key, and must have no private or symmetric key.
	// Required: this, jwks_url or discovery.
	JWKS string `yaml:"jwks"`
	// File with certificates of CAs (PEM) for the issuer's servers; none: the system's. Default: none.
	CAFile string `yaml:"ca_file"`
	// Interval at which the keys are fetched. A key that the issuer has removed stops working within it, also for remembered JWTs.
	// Default: 5m.
	JWKSRefresh time.Duration `yaml:"jwks_refresh"`
	// How long known keys are trusted while the issuer can't be reached. Afterwards its JWTs are refused until it answers. Default:
	// 1h.
	JWKSMaxAge time.Duration `yaml:"jwks_max_age"`

	// Accepts the issuer's logout tokens at /session/back-channel-logout. Default: false.
	BackChannelLogout bool `yaml:"back_channel_logout"`
	// Value that the aud claim of logout tokens contains: the provider's id for the client; none: the issuer's audience. Default: none.
	LogoutAudience string `yaml:"logout_audience"`
	// Accepted values of the typ header of logout tokens. Add JWT for a provider that sends no other. Default: logout+jwt.
	LogoutTypes []string `yaml:"logout_types"`

	SignIn     IssuerSignIn     `yaml:"sign_in"`
	Detokenize IssuerDetokenize `yaml:"detokenize"`
}

// TenantName returns the tenant of the issuer's callers.
func (i *Issuer) TenantName() string { return cmp.Or(i.Tenant, i.Name) }

// Claims are JMESPath expressions that find the caller's session, subject and roles in the claims. An empty expression means the
// default claim.
type Claims struct {
	// Expression for the session's id instead of session_claim, such as ext.session.id: one string. Default: none.
	Session string `yaml:"session"`
	// Expression for the subject instead of sub: one string. Default: none.
	Subject string `yaml:"subject"`
	// Expression for roles instead of the claim roles: a list of strings, or one string. Default: none.
	Roles string `yaml:"roles"`
	// A JMESPath condition, such as token_use == 'access': a JWT for which it is not true is refused. Default: none.
	Require string `yaml:"require"`
}

// Credentials are rules for all JWTs.
type Credentials struct {
	// Number of verified JWTs that are kept in memory, so that a signature is checked once and not for each request. The cache has half
	// a KiB for each; longer JWTs leave room for fewer. Default: 50000.
	Remember int `yaml:"remember"`
	// How far iat and nbf may be in the future. exp has no leeway. Default: 5s.
	ClockSkew time.Duration `yaml:"clock_skew"`
	// Most bytes of a JWT, from 1024 to 65536. A longer JWT is refused with LIMIT_EXCEEDED. All headers of a request may have 16 KiB
	// besides; proxies in front of the gateway have their own limits. Default: 16384.
	MaxSize int `yaml:"max_size"`
	// A header in which a proxy passes an issuer's JWT, such as OIDC_id_token, besides Authorization. The JWT is verified in the same
	// way, and the page's origin is checked as for a cookie. Default: none.
	Header string `yaml:"header"`
	// Interval at which a replica reads the sessions that other replicas have ended. After ten times as long without an answer from the
	// database, every credential is refused with UNAVAILABLE. Default: 1s.
	EndedPoll time.Duration `yaml:"ended_poll"`
	// Ended sessions in memory, about 100 bytes each. They are kept until all their credentials and grants have expired. A further end
	// is refused with LIMIT_EXCEEDED. Default: 1000000.
	MaxEnded int `yaml:"max_ended"`
}

// TrustedProxy is a proxy that names the caller in plain headers. There is none if all but the lifetime is empty.
type TrustedProxy struct {
	// Tenant of the proxy's sessions: a separate name or, so that an application can create grants for them, the name of that
	// application's issuer. Default: none.
	Tenant string `yaml:"tenant"`
	// Networks of the proxy's connections, such as 10.1.2.3/32. X-Forwarded-For is ignored. Default: none.
	Peers []string `yaml:"peers"`
	// The header with the id of the user's session. Default: none.
	SessionHeader string `yaml:"session_header"`
	// The header with the user's name. Default: none.
	SubjectHeader string `yaml:"subject_header"`
	// The header with the secret that authenticates the proxy. Default: none.
	SecretHeader string `yaml:"secret_header"`
	// That secret, of 32 characters or more. Never printed. It must not be sent in clear: it needs peers on loopback, or http.tls.
	// Default: none.
	Secret Secret `yaml:"secret"`
	// File with certificates of CAs (PEM). The proxy needs a certificate that one of them has issued, in addition to the secret or
	// instead of it. Needs http.tls. Default: none.
	ClientCAFile string `yaml:"client_ca_file"`
	// DNS name or URI in the proxy's certificate; none: any. Default: none.
	ClientName string `yaml:"client_name"`
	// Longest life of a session at the proxy. Default: 24h.
	MaxLifetime time.Duration `yaml:"max_lifetime"`
}

// enabled reports whether any setting of a trusted proxy is set.
func (t *TrustedProxy) enabled() bool {
	return t.Tenant != "" || len(t.Peers) > 0 || t.SessionHeader != "" || t.SubjectHeader != "" || t.SecretHeader != "" ||
		t.Secret != "" || t.ClientCAFile != "" || t.ClientName != ""
}

// DefaultIssuer returns the defaults of an issuer's settings.
func DefaultIssuer() Issuer {
	return Issuer{
		Algorithms: []string{"ES256", "EdDSA", "RS256", "PS256"}, Types: []string{"JWT"}, SessionClaim: "sid", MaxLifetime: 24 * time.Hour,
		JWKSRefresh: 5 * time.Minute, JWKSMaxAge: time.Hour, LogoutTypes: []string{jose.LogoutType},
		Detokenize: IssuerDetokenize{From: FromAnywhere},
	}
}
