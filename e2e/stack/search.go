package stack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// window is the shortest piece of a secret that counts as the secret.
const window = 12

// Needles are pieces of secrets to search for, in every form in which a program could have written them.
type Needles struct {
	names  []string
	pieces [][]byte
}

// Add looks for every window of a secret: as it is, in hex, as a list of decimal numbers, in base64 of
// both alphabets at each of the three alignments.
func (n *Needles) Add(name string, secret []byte) {
	n.windows(name, secret)
	n.windows(name+" in hex", []byte(hex.EncodeToString(secret)))
	n.windows(name+" in HEX", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	decimal := strings.Trim(fmt.Sprint(string(secret)), "[]") // as Go prints bytes
	n.windows(name+" in decimal", []byte(decimal))
	n.windows(name+" in decimal", []byte(strings.ReplaceAll(decimal, " ", ",")))
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range min(3, len(secret)) {
			// Whole triples only: their encoding does not depend on the bytes around them.
			rest := secret[shift:]
			n.windows(name+" in base64", []byte(encoding.EncodeToString(rest[:len(rest)/3*3])))
		}
	}
}

func (n *Needles) windows(name string, secret []byte) {
	if len(secret) < window {
		return
	}
	for i := range len(secret) - window + 1 {
		n.names = append(n.names, name)
		n.pieces = append(n.pieces, secret[i:i+window])
	}
}

// Find returns the names of the secrets that have a piece in the hay.
func (n *Needles) Find(hay []byte) (found []string) {
	// One pass over the hay for any number of needles: each of its windows is looked up.
	known := make(map[[window]byte]string, len(n.pieces))
	for i, piece := range n.pieces {
		known[[window]byte(piece)] = n.names[i]
	}
	for i := range max(0, len(hay)-window+1) {
		if name, ok := known[[window]byte(hay[i:i+window])]; ok && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// FindInFolder searches the name and the bytes of every file, and returns the secrets found, by file.
func (n *Needles) FindInFolder(t testing.TB, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	files := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if names := n.Find(bytes.Join([][]byte{[]byte(path), content}, []byte{0})); len(names) > 0 {
			found[path] = names
		}
		return nil
	}))
	require.NotZero(t, files, "nothing to search in %s", root)
	return found
}
