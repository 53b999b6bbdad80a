package e2e_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// The audit suite of the GraphQL-over-HTTP working group finds nothing, recommendations included.
func TestTheHTTPAuditIsPassedWhole(t *testing.T) {
	if _, err := os.Stat("httpaudit/node_modules/graphql-http"); err != nil {
		t.Fatal("the audit suite is not installed: run make tools")
	}
	s := stack.Start(t)
	for name, bearer := range map[string]string{"without a credential": "", "as a session": s.Session(t).JWT} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "node", "httpaudit/audit.mjs", s.GatewayURL+"/graphql", bearer).CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "61 of 61 audits ok")
		})
	}
}
