// Package settings reads a gateway's settings from a YAML file and the environment, and prints them. Package config, which
// programs of other modules import, defines and verifies them.
package settings

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

const envPrefix = "CLOAKROOM_"

// exact limits the floating-point numbers that are read or printed as whole numbers.
const exact = 1 << 53

// Load returns the defaults, overlaid by the file (YAML; "" for none) and by the environment, which
// is lines of NAME=value. It does not call Verify. Errors: that of reading the file, wrapped (fs.ErrNotExist); or, joined and
// without sentinels, one for each name that is no setting and each value that can't be read.
func Load(file string, environ []string) (*config.Config, error) {
	values, _, err := overlay(file, environ)
	if err != nil {
		return nil, err
	}
	return decode(values)
}

// Given returns the keys of the settings that the file or the environment sets, each with its last source: the file, or the
// variable. Its errors are those of Load, except those of values.
func Given(file string, environ []string) (map[string]string, error) {
	_, given, err := overlay(file, environ)
	return given, err
}

func decode(values map[string]any) (*config.Config, error) {
	c := config.Default()
	issuers := values["issuers"]
	delete(values, "issuers")
	if err := unmarshal(values, c, ""); err != nil {
		return nil, err
	}
	list, ok := issuers.([]any)
	if issuers != nil && !ok {
		return nil, errors.New("config: issuers: not a list")
	}
	for i, raw := range list {
		issuer := config.DefaultIssuer()
		if raw == nil {
			return nil, fmt.Errorf("config: issuers[%d]: it has no settings: remove it", i)
		}
		if err := unmarshal(raw, &issuer, fmt.Sprintf("issuers[%d].", i)); err != nil {
			return nil, err
		}
		c.Issuers = append(c.Issuers, issuer)
	}
	return c, nil
}

// unmarshal decodes settings, and refuses names of no setting. Its errors have prefix before the names.
func unmarshal(from, into any, prefix string) error {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, TagName: "yaml", ErrorUnused: true, WeaklyTypedInput: true, ZeroFields: true,
		MatchName: func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(), durationNeedsUnit, exactNumber, mapstructure.StringToSliceHookFunc(",")),
	})
	if err != nil {
		return err
	}
	return explain(d.Decode(from), reflect.TypeOf(into).Elem().String(), prefix)
}

// explain rewrites each of the decoder's errors, on a line of its own, with the setting's name. The decoder calls the top
// level by the name of its type.
func explain(err error, top, prefix string) error {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		var all []error
		for _, e := range several.Unwrap() {
			all = append(all, explain(e, top, prefix))
		}
		return errors.Join(all...)
	}
	if err == nil {
		return nil
	}
	var wrong *mapstructure.DecodeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("config: %s%w", prefix, err)
	}
	at := strings.TrimSuffix(prefix, ".")
	if name := wrong.Name(); name != top {
		at = strings.TrimSuffix(prefix+name, ".")
	}
	return explainOne(wrong.Unwrap(), at)
}

func explainOne(err error, at string) error {
	if keys, ok := strings.CutPrefix(err.Error(), "has invalid keys: "); ok {
		var all []error
		for key := range strings.SplitSeq(keys, ", ") {
			name := strings.TrimPrefix(at+"."+key, ".")
			all = append(all, fmt.Errorf("config: %s is no setting: remove it, or see `cloakroom config` for the names", name))
		}
		return errors.Join(all...)
	}
	var unparsed *mapstructure.ParseError
	if !errors.As(err, &unparsed) {
		return fmt.Errorf("config: %s: %w", at, err)
	}
	switch unparsed.Expected.Kind() {
	case reflect.Bool:
		return fmt.Errorf("config: %s: write true or false", at)
	case reflect.Float64:
		return fmt.Errorf("config: %s: write a number", at)
	default:
		return fmt.Errorf("config: %s: write a whole number", at)
	}
}

// durationNeedsUnit refuses 15 where 15s or 15m may have been meant.
func durationNeedsUnit(from, to reflect.Type, v any) (any, error) {
	if to == reflect.TypeFor[time.Duration]() && from != to {
		return nil, fmt.Errorf("%v is no duration; write it with a unit, as 90s or 15m", v)
	}
	return v, nil
}

// exactNumber refuses values that the decoder would change to another number or boolean: an empty text, a fraction, a number
// that is too large, a number for true or false. 0 removes some limits, so a mistake must never result in 0.
func exactNumber(from, to reflect.Type, v any) (any, error) {
	switch to.Kind() {
	case reflect.Bool:
		if from.Kind() == reflect.Bool || v != "" && from.Kind() == reflect.String {
			return v, nil
		}
		return nil, errors.New("write true or false")
	case reflect.Float64:
		if v != "" && from.Kind() != reflect.Bool {
			return v, nil
		}
		return nil, errors.New("write a number")
	case reflect.Int, reflect.Int64:
		switch from.Kind() {
		case reflect.Int, reflect.Int64:
			return v, nil
		case reflect.String:
			if v != "" {
				return v, nil
			}
		case reflect.Float64: // of JSON, whose numbers are all floating-point
			if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= exact {
				return v, nil
			}
		}
		return nil, errors.New("write a whole number")
	}
	return v, nil
}

// collect lists each setting's key and type.
func collect(t reflect.Type, prefix string, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			collect(f.Type, key+".", into)
			continue
		}
		into[key] = f.Type
	}
}

// Print returns the settings as YAML, in the form of the file, with secrets masked. Its error is the YAML library's, which
// has none for the types of settings.
func Print(c *config.Config) ([]byte, error) {
	shown := *c
	shown.Issuers = slices.Clone(c.Issuers)
	for n := range shown.Issuers {
		if i := &shown.Issuers[n]; jose.SecretMember(i.JWKS) != nil || strings.Contains(i.JWKS, "PRIVATE KEY") {
			i.JWKS = config.Secret("").String() // Verify refuses it
		}
	}
	return yaml.Marshal(printable(reflect.ValueOf(shown)).(map[string]any))
}

func printable(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case float64:
		if x == math.Trunc(x) && math.Abs(x) <= exact { // 67108864 and not 6.7108864e+07
			return int64(x)
		}
	case config.Secret:
		if x == "" {
			return ""
		}
		return x.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			m[v.Type().Field(i).Tag.Get("yaml")] = printable(v.Field(i))
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = printable(v.Index(i))
		}
		return list
	default:
		return v.Interface()
	}
}

// Keys returns the key of every setting, sorted, for the documentation and its test.
func Keys() []string {
	types := map[string]reflect.Type{}
	collect(reflect.TypeFor[config.Config](), "", types)
	collect(reflect.TypeFor[config.Issuer](), "issuers[].", types)
	keys := make([]string, 0, len(types))
	for k := range types {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
