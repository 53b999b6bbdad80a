package directives

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/tokenid"
)

// Directive is the function that gqlgen's DirectiveRoot wants for @token. On a returned field it notes the
// tokens of the resolved value. Inputs have been verified before any resolver ran; there it lets the value
// through only if they have.
func (t *Tokens) Directive(ctx context.Context, _ any, next graphql.Resolver, grants []GrantKind, duration *Duration) (any, error) {
	op := operationFrom(ctx)
	if op == nil || op.tokens != t {
		return nil, fail(codeInternal, "The server does not use the extension that @token needs.", nil)
	}
	value, err := next(ctx)
	if err != nil || isInput(ctx) {
		return value, err
	}
	field := graphql.GetFieldContext(ctx)
	p := pending{kinds: grants, duration: t.opts.Duration}
	if len(grants) == 0 {
		p.kinds = readOnly
	}
	if duration != nil {
		p.duration = time.Duration(*duration)
	}
	c := collector{template: p, field: field}
	if err := c.collect(ctx, value, nil); err != nil {
		return nil, err
	}
	if len(c.found) == 0 {
		return value, nil
	}
	if _, ok := op.session(); !ok {
		return nil, fail(codeUnauthenticated, "Sign in: a token can't be given to nobody.", nil)
	}
	op.mu.Lock()
	op.pending = append(op.pending, c.found...)
	op.mu.Unlock()
	return value, nil
}

var readOnly = []GrantKind{GrantKindRead}

// isInput tells a call for an argument or input field, which gqlgen makes below a path of its own, from
// one for a resolved field.
func isInput(ctx context.Context) bool {
	p := graphql.GetPathContext(ctx)
	return p != nil && p.ParentField == graphql.GetFieldContext(ctx)
}

// collector finds the tokens in a resolved value: strings, or what has a string form, in lists of any depth.
type collector struct {
	template pending
	field    *graphql.FieldContext
	found    []pending
}

func (c *collector) add(token string, indexes []int) {
	p := c.template
	p.token = token
	p.path = func() ast.Path {
		path := c.field.Path()
		for _, i := range indexes {
			path = append(path, ast.PathIndex(i))
		}
		return path
	}
	c.found = append(c.found, p)
}

func (c *collector) collect(ctx context.Context, value any, indexes []int) error {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		c.add(v, indexes)
		return nil
	case *string:
		if v != nil {
			c.add(*v, indexes)
		}
		return nil
	}
	v := reflect.ValueOf(value)
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice || v.Kind() == reflect.Interface) && v.IsNil() {
		return nil
	}
	if s, ok, err := stringForm(ctx, value); ok || err != nil {
		if err == nil {
			c.add(s, indexes)
		}
		return err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return c.collect(ctx, v.Elem().Interface(), indexes)
	case reflect.String:
		c.add(v.String(), indexes)
		return nil
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := c.collect(ctx, v.Index(i).Interface(), append(indexes[:len(indexes):len(indexes)], i)); err != nil {
				return err
			}
		}
		return nil
	}
	return fail(codeInternal, fmt.Sprintf("A value of Go type %T has no string form, and can't be a token.", value), nil)
}

// stringForm asks a scalar's Go type for what it will be on the wire.
func stringForm(ctx context.Context, value any) (string, bool, error) {
	var b bytes.Buffer
	switch v := value.(type) {
	case graphql.ContextMarshaler:
		if err := v.MarshalGQLContext(ctx, &b); err != nil {
			return "", false, err
		}
	case graphql.Marshaler:
		v.MarshalGQL(&b)
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		return string(text), true, err
	case fmt.Stringer:
		return v.String(), true, nil
	default:
		return "", false, nil
	}
	var s *string
	if err := json.Unmarshal(b.Bytes(), &s); err != nil {
		return "", false, fail(codeInternal, fmt.Sprintf("A value of Go type %T has no string form, and can't be a token.", value), nil)
	}
	if s == nil {
		return "", false, nil
	}
	return *s, true, nil
}

type grantKey struct {
	token string
	kind  GrantKind
}

// create makes sure that every returned token's grants exist, in at most one call.
func (t *Tokens) create(ctx context.Context, op *operation, returned []pending) gqlerror.List {
	session, _ := op.session() // there is one: Directive saw to it
	now := t.opts.Now()
	version := t.recent.version()
	wanted := map[grantKey]time.Duration{}
	for _, p := range returned {
		if !tokenid.Valid(p.token) {
			continue
		}
		for _, k := range p.kinds {
			key := grantKey{p.token, k}
			if d, ok := wanted[key]; !ok || p.duration > d {
				wanted[key] = p.duration
			}
		}
	}
	exists := make(map[grantKey]bool, len(wanted))
	for key, duration := range wanted {
		if t.recent.has(session, key, duration, now) {
			exists[key] = true
		}
	}
	code, message := codeGrantRequired, "No grant could be created for this token."
	if grants := group(returned, wanted, exists); len(grants) > t.opts.MaxTokens {
		code, message = codeLimitExceeded, "The response holds too many tokens for their grants to be created."
	} else if len(grants) > 0 {
		granted, err := t.callCreate(ctx, session, grants)
		if err != nil {
			code, message = codeUnavailable, "The grants of this token can't be created at the moment: ask for it again."
		}
		for _, g := range granted {
			key := grantKey{g.Token, g.Kind}
			exists[key] = true
			t.recent.remember(session, key, wanted[key], now, g.ExpiresAt, t.opts.Remember, version)
		}
	}
	return refused(returned, exists, code, message)
}

// group joins what is wanted and does not exist, in the order of the response, one entry for each token and
// duration.
func group(returned []pending, wanted map[grantKey]time.Duration, exists map[grantKey]bool) []Grant {
	type entry struct {
		token    string
		duration time.Duration
	}
	at := map[entry]int{}
	var grants []Grant
	done := map[grantKey]bool{}
	for _, p := range returned {
		for _, k := range p.kinds {
			key := grantKey{p.token, k}
			duration, ok := wanted[key]
			if !ok || exists[key] || done[key] {
				continue
			}
			done[key] = true
			e := entry{p.token, duration}
			i, ok := at[e]
			if !ok {
				i = len(grants)
				at[e] = i
				grants = append(grants, Grant{Token: p.token, Duration: duration})
			}
			grants[i].Kinds = append(grants[i].Kinds, k)
		}
	}
	return grants
}

func refused(returned []pending, exists map[grantKey]bool, code, message string) (errs gqlerror.List) {
	for _, p := range returned {
		for _, k := range p.kinds {
			if !exists[grantKey{p.token, k}] {
				errs = append(errs, fail(code, message, p.path()))
				break
			}
		}
	}
	return errs
}

func (t *Tokens) callCreate(ctx context.Context, session string, grants []Grant) ([]Granted, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	start := t.opts.Now()
	granted, err := t.opts.Grants.CreateGrants(ctx, session, grants)
	if t.opts.Observer != nil {
		t.opts.Observer.GrantsCreated(ctx, len(grants), t.opts.Now().Sub(start), err)
	}
	return granted, err
}
