package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

const envPrefix = "CLOAKROOM_"

// Load returns the defaults, overlaid by the file (YAML; "" for none) and by the environment, which
// is lines of NAME=value. It does not call Verify.
func Load(file string, environ []string) (*Config, error) {
	k, _, err := overlay(file, environ)
	if err != nil {
		return nil, err
	}
	return decode(k)
}

// Given returns the keys of the settings that the file or the environment name, each with what names it last: the
// file, or the variable.
func Given(file string, environ []string) (map[string]string, error) {
	_, given, err := overlay(file, environ)
	return given, err
}

// overlay reads the file, and the environment over it.
func overlay(file string, environ []string) (k *koanf.Koanf, given map[string]string, err error) {
	k, given = koanf.New("."), map[string]string{}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		if err := k.Load(rawbytes.Provider(b), yaml.Parser()); err != nil {
			return nil, nil, fmt.Errorf("config: %s is not YAML: %w", file, err)
		}
	}
	for _, key := range k.Keys() {
		given[key] = file
	}
	known := map[string]reflect.Type{}
	settings(reflect.TypeFor[Config](), "", known)
	var problems []error
	err = k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key, v, err := fromEnv(known, name, value)
			if err != nil {
				problems = append(problems, err)
			} else {
				given[key] = name
			}
			return key, v
		},
	}), nil)
	return k, given, errors.Join(append(problems, err)...)
}

func decode(k *koanf.Koanf) (*Config, error) {
	c := Default()
	issuers := k.Get("issuers")
	k.Delete("issuers")
	if err := unmarshal(k.Raw(), c, ""); err != nil {
		return nil, err
	}
	list, ok := issuers.([]any)
	if issuers != nil && !ok {
		return nil, errors.New("config: issuers: not a list")
	}
	for i, raw := range list {
		issuer := DefaultIssuer()
		if err := unmarshal(raw, &issuer, fmt.Sprintf("issuers[%d].", i)); err != nil {
			return nil, err
		}
		c.Issuers = append(c.Issuers, issuer)
	}
	return c, nil
}

// unmarshal refuses names that no setting bears; prefix is what stands before the names in its errors.
func unmarshal(from, into any, prefix string) error {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, TagName: "koanf", ErrorUnused: true, WeaklyTypedInput: true, ZeroFields: true,
		MatchName: func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(), durationNeedsUnit, mapstructure.StringToSliceHookFunc(",")),
	})
	if err != nil {
		return err
	}
	return explain(d.Decode(from), reflect.TypeOf(into).Elem().String(), prefix)
}

// explain says each of the decoder's errors on a line of its own, by the setting's name. The decoder gives what is
// at the top the name of its type.
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

// fromEnv names the setting of a variable: CLOAKROOM_HTTP_LISTEN is http.listen. Lists are separated
// by commas; issuers are JSON. A Service link is passed over, and has no name.
func fromEnv(known map[string]reflect.Type, name, value string) (string, any, error) {
	for key := range known {
		if envPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "_")) != name {
			continue
		}
		if key != "issuers" {
			return key, value, nil
		}
		var list []any
		if err := json.Unmarshal([]byte(value), &list); err != nil {
			return "", nil, fmt.Errorf("config: %s is not a JSON list of objects", name)
		}
		return key, list, nil
	}
	if isServiceLink(name, value) {
		return "", nil, nil
	}
	return "", nil, fmt.Errorf("config: %s is no setting: remove it, or see `cloakroom config` for the names", name)
}

// settings lists each setting's key and type.
func settings(t reflect.Type, prefix string, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() == reflect.Struct {
			settings(f.Type, key+".", into)
			continue
		}
		into[key] = f.Type
	}
}

// Print returns the settings as the file would say them, secrets masked.
func (c *Config) Print() ([]byte, error) {
	shown := *c
	shown.Issuers = slices.Clone(c.Issuers)
	for n := range shown.Issuers {
		if i := &shown.Issuers[n]; i.secretKey() != nil || strings.Contains(i.JWKS, "PRIVATE KEY") {
			i.JWKS = Secret("").String() // Verify refuses it
		}
	}
	return yaml.Parser().Marshal(printable(reflect.ValueOf(shown)).(map[string]any))
}

func printable(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case float64:
		if x == math.Trunc(x) && math.Abs(x) <= maxRate { // 67108864 and not 6.7108864e+07
			return int64(x)
		}
	case Secret:
		if x == "" {
			return ""
		}
		return x.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			m[v.Type().Field(i).Tag.Get("koanf")] = printable(v.Field(i))
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

// Settings returns the key of every setting, sorted, for the documentation and its test.
func Settings() []string {
	known := map[string]reflect.Type{}
	settings(reflect.TypeFor[Config](), "", known)
	settings(reflect.TypeFor[Issuer](), "issuers[].", known)
	keys := make([]string, 0, len(known))
	for k := range known {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
