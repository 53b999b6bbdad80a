package session

// Paths of the sign-in flow's endpoints.
const (
	VerifyPath = "/session/verify"
	EnsurePath = "/session/ensure"
	CreatePath = "/session/create"
	EndPath    = "/session/end"
)
