package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// TestModes: a value keeps the mode that it was made in, whatever the mode of new values is.
func TestModes(t *testing.T) {
	f := newFixture(t)
	user := session("clinic", "s")
	both := map[objects.Mode]*vault.Vault{}
	for _, mode := range []objects.Mode{objects.SSEC, objects.Client} {
		o := f.options
		o.Mode = mode
		v, err := vault.New(o)
		require.NoError(t, err)
		both[mode] = v
	}
	in := vault.TokenizeInput{Size: ptr(int64(1000)), Metadata: &vault.Metadata{ContentType: ptr("text/plain"), Filename: ptr("a.txt")}}
	var tokens []ids.Token
	for _, mode := range []objects.Mode{objects.SSEC, objects.Client} {
		made, err := both[mode].Tokenize(user, in)
		require.NoError(t, err)
		require.Equal(t, mode == objects.Client, made.Encryption != nil)
		tokens = append(tokens, made.Token)
	}
	for name, v := range map[string]*vault.Vault{"new values in mode SSEC": both[objects.SSEC], "new values in mode Client": both[objects.Client]} {
		t.Run(name, func(t *testing.T) {
			f.store.downloads = nil
			read, err := v.DetokenizeBatch(user, tokens)
			require.NoError(t, err)
			require.NoError(t, read[0].Err)
			require.NoError(t, read[1].Err)
			require.Nil(t, read[0].Encryption)
			stored, ciphertext := f.store.downloads[0], f.store.downloads[1]
			require.Equal(t, objects.SSEC, stored.Mode)
			require.NotZero(t, stored.Key)
			require.Equal(t, []string{"text/plain", "a.txt"}, []string{stored.ContentType, stored.Filename})
			require.Equal(t, objects.Client, ciphertext.Mode)
			require.Zero(t, ciphertext.Key, "the store gets no key")
			require.Empty(t, ciphertext.ContentType+ciphertext.Filename, "the store gets no metadata")
			require.NotZero(t, read[1].Encryption.Key)
			require.Equal(t, ciphertext.Object, read[1].Encryption.AssociatedData)
			require.Equal(t, "a.txt", *read[1].Metadata.Filename)
			require.Equal(t, int64(1000), f.store.uploads[stored.Object].Size)
			require.Equal(t, int64(1000+40+16), f.store.uploads[ciphertext.Object].Size)
			require.Empty(t, f.store.uploads[ciphertext.Object].ContentType)
		})
	}
	t.Run("a size is needed in mode Client", func(t *testing.T) {
		requireFault(t, second(both[objects.Client].Tokenize(user, vault.TokenizeInput{})), fault.BadUserInput, vault.ParamInputs, "size")
		require.NoError(t, second(both[objects.SSEC].Tokenize(user, vault.TokenizeInput{})))
	})
}
