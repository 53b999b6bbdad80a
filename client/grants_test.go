package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives/grantstest"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// Runs the contract suite against one gateway: over GraphQL, and in process.
func TestGrants(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	remote := backend(t, g)
	local := remote
	local.Requests = nil
	var err error
	local.Grants, err = g.Grants(gatewaytest.Own)
	require.NoError(t, err)

	t.Run("over GraphQL", func(t *testing.T) { grantstest.Run(t, remote) })
	t.Run("in process", func(t *testing.T) { grantstest.Run(t, local) })
}
