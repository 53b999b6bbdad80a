package client_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
)

var _ interface {
	directives.Grants
	directives.Revoker
} = (*client.Client)(nil)

// TestTheClientLinksNoGraphQLServer: a program that calls the gateway links no GraphQL server, and of this module only
// the packages listed here.
func TestTheClientLinksNoGraphQLServer(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
	out, err := cmd.Output()
	require.NoError(t, err)
	const own = "github.com/cloakroomhq/cloakroom/"
	require.ElementsMatch(t, []string{
		own + "client", own + "grant", own + "internal/ids", own + "internal/streamaead",
		"github.com/Khan/genqlient/graphql", "github.com/google/uuid",
		"github.com/vektah/gqlparser/v2/ast", "github.com/vektah/gqlparser/v2/gqlerror",
	}, strings.Fields(string(out)))
}
