package jose

// Types of JWTs that an issuer signs for other purposes; they are never credentials.
const (
	// AssertionType is the type of a sign-in assertion.
	AssertionType = "cloakroom-sign-in+jwt"
	// LogoutType is the type of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4). Many providers
	// send JWT instead.
	LogoutType = "logout+jwt"
)
