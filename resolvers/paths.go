package resolvers

import (
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// arguments maps the vault's parameters to the contract's arguments, as paths below the GraphQL field.
type arguments map[vault.Param][]any

var (
	oneInput  = arguments{vault.ParamInputs: {"input"}}
	inputList = arguments{vault.ParamInputs: {"inputs"}}
	oneToken  = arguments{vault.ParamTokens: {"token"}}
	tokenID   = arguments{vault.ParamTokens: {"id"}}
	tokenList = arguments{vault.ParamTokens: {"tokens"}}

	uploadArguments = arguments{vault.ParamTokens: {"token"}, vault.ParamParts: {"parts"}, vault.ParamSize: {"size"}}

	grantInput = arguments{
		vault.ParamRequests: {"input", "grants"}, vault.ParamChecks: {"input", "checks"}, vault.ParamTokens: {"input", "tokens"}, vault.ParamRevocation: {"input"},
		vault.ParamSession: {"input", "sessionId"}, vault.ParamFrom: {"input", "fromSessionId"}, vault.ParamTo: {"input", "toSessionId"},
	}
)

// in returns a fault of the vault with the contract's path, and any other error unchanged.
func (a arguments) in(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Path) == 0 {
		return err
	}
	param, ok := f.Path[0].(vault.Param)
	if !ok {
		return err
	}
	named := *f
	named.Path = append(append([]any{}, a[param]...), f.Path[1:]...)
	return &named
}
