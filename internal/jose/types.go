package jose

// Types of JWTs that an issuer signs for something else than asking the gateway; they never are credentials.
const (
	// AssertionType is that of a sign-in assertion.
	AssertionType = "cloakroom-sign-in+jwt"
	// LogoutType is that of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4). Many providers
	// send JWT instead.
	LogoutType = "logout+jwt"
)
