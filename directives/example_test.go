package directives_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cloakroomhq/cloakroom/directives"
)

// allowAll accepts every grant and check. It replaces a client.Client, or a gateway in the same process.
type allowAll struct{}

func (allowAll) CreateGrants(_ context.Context, _ string, wanted []directives.Grant) (made []directives.Granted, err error) {
	for range wanted { // one answer for each, in which no token is missing
		made = append(made, directives.Granted{ExpiresAt: time.Now().Add(time.Minute)})
	}
	return made, nil
}

func (allowAll) VerifyGrants(context.Context, string, []directives.Check) (missing []directives.Check, err error) {
	return nil, nil
}

type userKey struct{}

// One value is installed in two places of a gqlgen server: as the function of the directive, and as an extension.
func Example() {
	tokens, err := directives.New(directives.Options{
		Grants:  allowAll{},
		Session: func(ctx context.Context) (id string, ok bool) { id, ok = ctx.Value(userKey{}).(string); return id, ok },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// graph.NewExecutableSchema(graph.Config{Resolvers: resolvers, Directives: graph.DirectiveRoot{Token: tokens.Directive}})
	// server.Use(tokens)
	fmt.Println(tokens.ExtensionName())

	_, err = directives.New(directives.Options{Grants: allowAll{}})
	fmt.Println(err)
	// Output:
	// CloakroomTokens
	// directives: Options.Session is missing: say how to find a request's session
}
