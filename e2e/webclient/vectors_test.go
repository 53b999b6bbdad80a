package webclient_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

var update = flag.Bool("update", false, "write web/client/test/vectors.json")

const (
	vectorsFile = "../../web/client/test/vectors.json"
	first       = 1<<20 - 40 - 16 // bytes of plaintext in segment 0
	next        = 1<<20 - 16      // in each later segment
)

// sizes of values, around the bounds of segments.
var sizes = []int{0, 1, 15, 16, 17, 1000, first - 1, first, first + 1, first + next - 1, first + next, first + next + 1, first + 2*next}

// vector is one ciphertext by tink-go. Salt and nonce prefix determine it, so that long ones need only a hash.
type vector struct {
	Size           int    `json:"size"`
	Seed           uint32 `json:"seed"`
	Key            []byte `json:"key"`
	AssociatedData []byte `json:"associatedData"`
	Header         []byte `json:"header"`
	SHA256         string `json:"sha256"`
	Ciphertext     []byte `json:"ciphertext,omitempty"`
}

// plaintext is a value that is computed from its seed: the high bytes of a linear congruential generator.
func plaintext(size int, seed uint32) []byte {
	value := make([]byte, size)
	for i := range value {
		seed = seed*1664525 + 1013904223
		value[i] = byte(seed >> 24)
	}
	return value
}

func random(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return b
}

func tink(t *testing.T, key []byte) *subtle.AESGCMHKDF {
	t.Helper()
	aead, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, 1<<20, 0)
	require.NoError(t, err)
	return aead
}

func sealByTink(t *testing.T, key, associatedData, value []byte) []byte {
	t.Helper()
	var sealed bytes.Buffer
	w, err := tink(t, key).NewEncryptingWriter(&sealed, associatedData)
	require.NoError(t, err)
	_, err = w.Write(value)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return sealed.Bytes()
}

func openByTink(t *testing.T, key, associatedData, sealed []byte) ([]byte, error) {
	t.Helper()
	r, err := tink(t, key).NewDecryptingReader(bytes.NewReader(sealed), associatedData)
	require.NoError(t, err)
	return io.ReadAll(r)
}

func newVectors(t *testing.T) []vector {
	t.Helper()
	vectors := make([]vector, 0, len(sizes))
	for i, size := range sizes {
		v := vector{Size: size, Seed: uint32(i + 1), Key: random(t, 32), AssociatedData: random(t, 16)}
		if i == 1 {
			v.AssociatedData = []byte{}
		}
		sealed := sealByTink(t, v.Key, v.AssociatedData, plaintext(size, v.Seed))
		sum := sha256.Sum256(sealed)
		v.Header, v.SHA256 = sealed[:40], hex.EncodeToString(sum[:])
		if size < 100 {
			v.Ciphertext = sealed
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func writeVectors(t *testing.T, path string, vectors []vector) {
	t.Helper()
	text, err := json.MarshalIndent(vectors, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
}

// The vectors of the client's own tests are tink-go's: it opens them. `go test ./e2e/webclient -run TestVectors -update` writes them anew.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t, vectorsFile, newVectors(t))
	}
	text, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.Len(t, vectors, len(sizes))
	opened := 0
	for i, v := range vectors {
		require.Equal(t, sizes[i], v.Size)
		if v.Ciphertext == nil {
			continue
		}
		t.Run(strconv.Itoa(v.Size), func(t *testing.T) {
			value, err := openByTink(t, v.Key, v.AssociatedData, v.Ciphertext)
			require.NoError(t, err)
			assert.Equal(t, plaintext(v.Size, v.Seed), append([]byte{}, value...))
		})
		opened++
	}
	require.Positive(t, opened)
}

// The client opens what tink-go has just sealed, and seals the same bytes with the same salt and nonce prefix.
func TestTheClientOpensTinksCiphertexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors.json")
	writeVectors(t, path, newVectors(t))
	nodeTests(t, []string{"CLOAKROOM_VECTORS=" + path}, "vectors.test.js")
}

// tink-go opens what the client has sealed, and refuses it with other associated data.
func TestTinkOpensTheClientsCiphertexts(t *testing.T) {
	key, associatedData := random(t, 32), random(t, 24)
	for _, size := range sizes {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			value := plaintext(size, 7)
			sealed := runScript(t, "seal.js", append(append(append([]byte{}, key...), associatedData...), value...))
			opened, err := openByTink(t, key, associatedData, sealed)
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, opened))
			_, err = openByTink(t, key, []byte("other"), sealed)
			require.Error(t, err)
		})
	}
}
