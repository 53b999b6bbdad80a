package vault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// failing is a vault.Keys whose calls fail.
type failing struct{}

var errKeys = errors.New("the keys do not answer")

func (failing) Seal(context.Context, []keyring.Secret) ([]keyring.Envelope, error) {
	return nil, errKeys
}

func (failing) Open(context.Context, []keyring.Locked) ([]keyring.Opened, error) {
	return nil, errKeys
}

// TestKeysUnavailable: calls that need the keys are UNAVAILABLE, and write nothing.
func TestKeysUnavailable(t *testing.T) {
	f := newFixture(t)
	who := session("clinic", "s")
	token := f.tokenize(t, who, 0)
	working := f.options.Keys
	f.with(t, func(o *vault.Options) { o.Keys = failing{} })
	for name, call := range map[string]func() error{
		"tokenize": func() error {
			_, err := f.TokenizeBatch(who, []vault.TokenizeInput{{}, {}})
			return err
		},
		"detokenize": func() error {
			_, err := f.DetokenizeBatch(who, []ids.Token{token})
			return err
		},
		"describe": func() error {
			_, err := f.Describe(who, token)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorIs(t, err, errKeys)
			require.Equal(t, fault.Unavailable, fault.Public(err).Code)
			require.NotContains(t, fault.Public(err).Message, errKeys.Error())
		})
	}
	require.Equal(t, 1, f.rows.calls["Write Tokens"], "only the first token")
	f.with(t, func(o *vault.Options) { o.Keys = working })
	_, err := f.Detokenize(who, token)
	require.NoError(t, err)
}
