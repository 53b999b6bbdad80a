package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listed is one document of the allow-list.
type listed struct {
	where string // file, and id in a manifest
	id    string // in a manifest; "": found by its text and its SHA-256
	text  string
}

// readListed reads a folder: documents (*.graphql, *.gql), and manifests (*.json) as clients' tools write them. Any other
// JSON file is refused: skipped, its operations would be missing without notice.
func readListed(dir string) (all []listed, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		extension := filepath.Ext(name)
		if f.IsDir() || !slices.Contains([]string{".graphql", ".gql", ".json"}, extension) {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if extension != ".json" {
			all = append(all, listed{where: f.Name(), text: strings.TrimSpace(string(b))})
			continue
		}
		documents, err := readManifest(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		for _, d := range documents {
			d.where = fmt.Sprintf("%s: %q", f.Name(), d.id)
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no operation in %s; put your clients' operations there (*.graphql), or the manifests that their tools write (*.json)", dir)
	}
	return all, nil
}

var errNoManifest = errors.New("not a manifest: it must be Apollo's persisted-query-manifest, or an object of ids and texts as Relay " +
	"and graphql-codegen write it")

// readManifest reads Apollo's format, version 1; or the plain map that relay-compiler (persistConfig.file) and
// graphql-codegen's client preset (persistedDocuments) write.
func readManifest(b []byte) (all []listed, err error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, errNoManifest
	}
	if members["format"] != nil {
		return readApollo(b)
	}
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, errNoManifest
	}
	for id, text := range texts {
		if id == "" || text == "" {
			return nil, errNoManifest
		}
		all = append(all, listed{id: id, text: text})
	}
	return all, nil
}

func readApollo(b []byte) (all []listed, err error) {
	var m struct {
		Format     string
		Version    int
		Operations []struct{ ID, Body string }
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Format != "apollo-persisted-query-manifest" || m.Version != 1 {
		return nil, errNoManifest
	}
	for _, o := range m.Operations {
		if o.ID == "" || o.Body == "" {
			return nil, errNoManifest
		}
		all = append(all, listed{id: o.ID, text: o.Body})
	}
	return all, nil
}
