package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// TestTokenIDs: a row's tokens are read back, and a cut one is left out.
func TestTokenIDs(t *testing.T) {
	b := models.Batch{Revoke: &models.Revocation{Tokens: []ids.Digest{{1}, {2}}}}
	rows := b.Revoked(&models.Result{Revoked: 1})
	require.Len(t, rows, 1)
	require.Equal(t, []ids.Digest{{1}, {2}}, rows[0].TokenIDs())
	rows[0].Tokens = rows[0].Tokens[:63]
	require.Equal(t, []ids.Digest{{1}}, rows[0].TokenIDs())
	require.Empty(t, (&models.Revoked{}).TokenIDs())
}
