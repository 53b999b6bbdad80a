package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// annotation is one use of @token in the gateway's own schema.
type annotation struct {
	at     string // Type.field or Type.field(argument)
	input  bool
	grants []string
}

// The annotations are documentation: this test compares each with the gateway's behaviour.
func TestTheSchemasAnnotationsMatchTheGateway(t *testing.T) {
	s := stack.Start(t)
	found := annotations(t)
	require.NotEmpty(t, found)
	// How to get a token from each annotated field, and how to send one in each annotated argument.
	outputs := map[string]func(jwt string) string{
		"TokenizePayload.token": func(jwt string) string { return s.Reserve(t, jwt) },
		"BeginUploadPayload.token": func(jwt string) string {
			token, _ := s.Begin(t, jwt, nil)
			return token
		},
		"CompleteUploadPayload.token": func(jwt string) string {
			token, _ := s.Begin(t, jwt, nil)
			s.PutPart(t, jwt, token, 1, []byte("value"))
			return s.Query(t, jwt, stack.CompleteUpload, stack.Vars{"token": token, "size": 5}).OK(t).At("completeUpload", "token").(string)
		},
	}
	inputs := map[string]func(jwt, token string) stack.Response{
		"Mutation.detokenize(token)": func(jwt, token string) stack.Response { return s.Detokenize(t, jwt, token) },
	}
	checked := 0
	for _, a := range found {
		t.Run(a.at, func(t *testing.T) {
			if a.input {
				require.Contains(t, inputs, a.at, "add a way to try this argument")
				requiresExactly(t, s, a.grants, inputs[a.at])
			} else {
				require.Contains(t, outputs, a.at, "add a way to try this field")
				givesExactly(t, s, a.grants, outputs[a.at])
			}
		})
		checked++
	}
	assert.Equal(t, len(outputs)+len(inputs), checked, "the schema lacks an annotation that is listed here")
}

func givesExactly(t *testing.T, s *stack.Stack, grants []string, get func(jwt string) string) {
	t.Helper()
	me, other := s.Session(t), s.Session(t)
	token := get(me.JWT)
	for _, kind := range []string{"READ", "STORE"} {
		assert.Equal(t, slices.Contains(grants, kind), holds(t, s, me, token, kind), "%s for the calling session", kind)
		assert.False(t, holds(t, s, other, token, kind), "%s for another session", kind)
	}
}

// requiresExactly tries every set of grants: the argument accepts a token if, and only if, all named grants
// are held.
func requiresExactly(t *testing.T, s *stack.Stack, grants []string, put func(jwt, token string) stack.Response) {
	t.Helper()
	app := s.ApplicationJWT(t)
	owner := s.Session(t)
	for _, held := range [][]string{{}, {"READ"}, {"STORE"}, {"READ", "STORE"}} {
		session := s.Session(t)
		token := s.Reserve(t, owner.JWT)
		if len(held) > 0 {
			s.Query(t, app, stack.CreateGrants, stack.Vars{"input": stack.Vars{"sessionId": session.ID(t),
				"grants": []any{stack.Vars{"tokens": []string{token}, "kinds": held}}}}).OK(t)
		}
		enough := !slices.ContainsFunc(grants, func(kind string) bool { return !slices.Contains(held, kind) })
		want := "GRANT_REQUIRED"
		if enough {
			want = ""
		}
		assert.Equal(t, want, put(session.JWT, token).Code(), "with %v held", held)
	}
}

func holds(t *testing.T, s *stack.Stack, session *stack.Session, token, kind string) bool {
	t.Helper()
	r := s.Query(t, s.ApplicationJWT(t), stack.VerifyGrants, stack.Vars{"input": stack.Vars{
		"sessionId": session.ID(t), "checks": stack.Checks(kind, token)}}).OK(t)
	return r.At("verifyGrants", "valid").(bool)
}

func annotations(t *testing.T) (found []annotation) {
	t.Helper()
	schema := loadSchema(t)
	require.Contains(t, schema.Directives, "token")
	for _, d := range schema.Types {
		for _, f := range d.Fields {
			if use := f.Directives.ForName("token"); use != nil {
				input := d.Kind == ast.InputObject
				found = append(found, annotation{d.Name + "." + f.Name, input, grantsOf(use, input)})
			}
			for _, a := range f.Arguments {
				if use := a.Directives.ForName("token"); use != nil {
					found = append(found, annotation{d.Name + "." + f.Name + "(" + a.Name + ")", true, grantsOf(use, true)})
				}
			}
		}
	}
	return found
}

func grantsOf(use *ast.Directive, input bool) (kinds []string) {
	named := use.Arguments.ForName("grants")
	switch {
	case named == nil && input:
		return []string{"STORE"}
	case named == nil:
		return []string{"READ"}
	}
	for _, child := range named.Value.Children {
		kinds = append(kinds, child.Value.Raw)
	}
	return kinds
}

func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	files, err := filepath.Glob("../graph/schema/*.graphqls")
	require.NoError(t, err)
	var sources []*ast.Source
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		sources = append(sources, &ast.Source{Name: f, Input: string(b)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	require.NoError(t, err)
	return schema
}
