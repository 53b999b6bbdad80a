package vault

// Param names an argument of the vault's methods. The path of a fault that is about one begins with it; what the client
// calls that argument is the caller's to say. After it come indexes and fields of the vault's inputs.
type Param string

// The arguments that a fault may be about.
const (
	ParamInputs     Param = "inputs" // without an index where there is one only
	ParamTokens     Param = "tokens" // as ParamInputs
	ParamRequests   Param = "requests"
	ParamChecks     Param = "checks"
	ParamSession    Param = "sessionID"
	ParamFrom       Param = "fromSessionID"
	ParamTo         Param = "toSessionID"
	ParamRevocation Param = "revocation"
)

// one and each are the paths of a token or an input: of one alone, and of a list's.
func one(p Param) func(int) []any  { return func(int) []any { return []any{p} } }
func each(p Param) func(int) []any { return func(i int) []any { return []any{p, i} } }
