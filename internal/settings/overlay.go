package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroomhq/cloakroom/config"
)

// overlay reads the file, then the environment, which takes precedence. Values are nested by the parts of their keys, as in
// the file.
func overlay(file string, environ []string) (values map[string]any, given map[string]string, err error) {
	values, given = map[string]any{}, map[string]string{}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		if err := readYAML(b, &values); err != nil {
			return nil, nil, fmt.Errorf("config: %s is not YAML: %w", file, err)
		}
		if values == nil { // the file has null
			values = map[string]any{}
		}
	}
	if err := checkNames(values, ""); err != nil {
		return nil, nil, err
	}
	dropNulls(values)
	noteGiven(values, "", file, given)
	types := map[string]reflect.Type{}
	collect(reflect.TypeFor[config.Config](), "", types)
	var problems []error
	for _, line := range environ {
		variable, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(variable, envPrefix) {
			continue
		}
		key, v, err := fromEnv(types, variable, value)
		switch {
		case err != nil:
			problems = append(problems, err)
		case key != "":
			given[key] = variable
			set(values, strings.Split(key, "."), v)
		}
	}
	return values, given, errors.Join(problems...)
}

// readYAML reads one document. A second one, which would be ignored, is an error.
func readYAML(b []byte, into *map[string]any) error {
	d := yaml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) { // nothing but comments
			return nil
		}
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one document: remove what follows ---")
	}
	return nil
}

// checkNames refuses names that are no text, such as numbers: YAML turns them into maps that can't be decoded.
func checkNames(v any, at string) error {
	switch v := v.(type) {
	case map[any]any:
		return fmt.Errorf("config: %s: a name in it is no text: write the names of settings", strings.TrimPrefix(at, "."))
	case map[string]any:
		for key, nested := range v {
			if err := checkNames(nested, at+"."+key); err != nil {
				return err
			}
		}
	case []any:
		for i, nested := range v {
			if err := checkNames(nested, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropNulls removes names without a value, such as a part whose settings are all comments, so that the defaults hold. The
// decoder would set 0, which removes some limits.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, nested := range v {
			if nested == nil {
				delete(v, key)
			}
			dropNulls(nested)
		}
	case []any:
		for _, nested := range v {
			dropNulls(nested)
		}
	}
}

// noteGiven records the source of each key of the values.
func noteGiven(values map[string]any, prefix, by string, given map[string]string) {
	for key, v := range values {
		if nested, ok := v.(map[string]any); ok {
			noteGiven(nested, prefix+key+".", by, given)
			continue
		}
		given[prefix+key] = by
	}
}

// set sets the value of a key, which is given by its parts.
func set(values map[string]any, key []string, v any) {
	for ; len(key) > 1; key = key[1:] {
		nested, ok := values[key[0]].(map[string]any)
		if !ok {
			nested = map[string]any{}
			values[key[0]] = nested
		}
		values = nested
	}
	values[key[0]] = v
}

// fromEnv names the setting of a variable: CLOAKROOM_HTTP_LISTEN is http.listen. Lists are separated
// by commas; issuers are JSON. For a Service link, which is ignored, the name is "".
func fromEnv(types map[string]reflect.Type, name, value string) (string, any, error) {
	for key := range types {
		if envPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "_")) != name {
			continue
		}
		if key != "issuers" {
			return key, value, nil
		}
		var list []any
		// Of a name that is there twice, json.Unmarshal would take the last.
		if !jsontext.Value(value).IsValid() || json.Unmarshal([]byte(value), &list) != nil {
			return "", nil, fmt.Errorf("config: %s is not a JSON list of objects, or one of them has a name twice", name)
		}
		dropNulls(list)
		return key, list, nil
	}
	if isServiceLink(name, value) {
		return "", nil, nil
	}
	return "", nil, fmt.Errorf("config: %s is no setting: remove it, or see `cloakroom config` for the names", name)
}
