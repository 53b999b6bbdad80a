package vault

// Param names an argument of the vault's methods. The path of a fault about an argument begins with its Param, followed by
// indexes and fields of the vault's inputs. The caller maps a Param to the client's name of the argument.
type Param string

// The arguments in paths of faults.
const (
	ParamInputs     Param = "inputs" // without an index in methods that take one only
	ParamTokens     Param = "tokens" // as ParamInputs
	ParamRequests   Param = "requests"
	ParamChecks     Param = "checks"
	ParamSession    Param = "sessionID"
	ParamFrom       Param = "fromSessionID"
	ParamTo         Param = "toSessionID"
	ParamRevocation Param = "revocation"
	ParamParts      Param = "parts"
	ParamSize       Param = "size"
)

// singlePath and listPath return the path of a token or an input: of a single one, and of the i-th in a list.
func singlePath(p Param) func(int) []any { return func(int) []any { return []any{p} } }
func listPath(p Param) func(int) []any   { return func(i int) []any { return []any{p, i} } }
