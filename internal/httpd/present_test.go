package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

const secret = "SECRET-dsn-postgres://user:pw@host"

const someToken = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"

// TestUnknownErrorsRevealNothing: text that is not a fault's own message is only logged, with the request's id; so are panics,
// and the process goes on.
func TestUnknownErrorsRevealNothing(t *testing.T) {
	for name, test := range map[string]struct {
		fail func() error
		code string
	}{
		"unknown":              {func() error { return errors.New(secret) }, "INTERNAL"},
		"wrapped":              {func() error { return fmt.Errorf("%s: %w", secret, context.Canceled) }, "INTERNAL"},
		"cause of a fault":     {func() error { return fault.Wrap(errors.New(secret), fault.Unavailable, "Try again.") }, "UNAVAILABLE"},
		"a fault in an error":  {func() error { return fmt.Errorf("%s: %w", secret, fault.New(fault.GrantRequired, "No grant.")) }, "GRANT_REQUIRED"},
		"panic":                {func() error { panic(secret) }, "INTERNAL"},
		"panic with an error":  {func() error { panic(errors.New(secret)) }, "INTERNAL"},
		"panic with a fault":   {func() error { panic(fault.New(fault.Internal, secret)) }, "INTERNAL"},
		"nil dereference":      {func() error { return errors.New(absent().Tenant) }, "INTERNAL"},
		"the contract's break": {func() error { return nil }, "INTERNAL"}, // null for a non-null field
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, resolver{
				token: func(context.Context, ids.Token) (*model.Token, error) { return nil, test.fail() },
				tokenize: func(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error) {
					return nil, test.fail()
				},
			}, nil)
			a := s.query(t, "mutation{mine:tokenize{token}}")
			require.Equal(t, http.StatusOK, a.status)
			require.Equal(t, test.code, a.code(), a.raw)
			require.Equal(t, []any{"mine"}, a.Errors[0].Path)
			require.NotContains(t, a.raw, "SECRET")
			require.NotContains(t, a.raw, "goroutine")
			id := a.header.Get("X-Request-Id")
			if test.code == "INTERNAL" {
				require.Equal(t, id, a.Errors[0].Extensions["requestId"])
				require.Contains(t, s.log.String(), id)
			}
			require.Empty(t, s.query(t, "{viewer{tenant}}").Errors, "the server still answers")
		})
	}
}

func TestPanicOutsideOfResolvers(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	r := post(bodyOf("{viewer{tenant}}"))
	r.Header.Set("Authorization", "Bearer panic")
	a := s.do(t, r)
	require.Equal(t, http.StatusInternalServerError, a.status)
	require.Equal(t, "INTERNAL", a.code())
	require.Equal(t, a.header.Get("X-Request-Id"), a.Errors[0].Extensions["requestId"])
	require.NotContains(t, a.raw, "authenticator")
	require.Contains(t, s.log.String(), "a panic of the authenticator")
}

// TestClientDisconnects: a request whose client has disconnected, or that took too long, is not INTERNAL.
func TestClientDisconnects(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := s.do(t, post(bodyOf("{viewer{tenant}}")).WithContext(ctx))
	require.Equal(t, "UNAVAILABLE", a.code())
	require.NotContains(t, s.log.String(), "panic")
}

// TestErrorPaths: a fault's own path follows the field's.
func TestErrorPaths(t *testing.T) {
	s := newServer(t, resolver{tokenize: func(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error) {
		return nil, fault.New(fault.BadUserInput, "No.").At("list", 3, "name")
	}}, nil)
	require.Equal(t, []any{"mine", "list", 3.0, "name"}, s.query(t, "mutation{mine:tokenize{token}}").Errors[0].Path)
}

// TestBadInput: a client's mistakes are BAD_USER_INPUT with a path, wherever they are written.
func TestBadInput(t *testing.T) {
	s := newServer(t, resolver{
		token: func(context.Context, ids.Token) (*model.Token, error) { return nil, nil },
		tokenize: func(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error) {
			return nil, fault.New(fault.Forbidden, "It came through.")
		},
	}, nil)
	for name, doc := range map[string][]string{
		"not a token":                {`{token(id:"x"){id}}`},
		"a number for a token":       {`{token(id:1){id}}`},
		"a bad token in a variable":  {`query($t:TokenID!){token(id:$t){id}}`, `{"t":"x"}`},
		"a size out of range":        {`mutation{tokenize(input:{size:9223372036854775808}){token}}`},
		"a size out of 64 bits":      {`mutation{tokenize(input:{size:99999999999999999999}){token}}`},
		"a size in a variable":       {`mutation($n:Int){tokenize(input:{size:$n}){token}}`, `{"n":99999999999999999999}`},
		"a fractional size":          {`mutation($n:Int){tokenize(input:{size:$n}){token}}`, `{"n":1.5}`},
		"a negative ttl":             {`mutation{tokenize(input:{ttl:"-1s"}){token}}`},
		"no ttl":                     {`mutation{tokenize(input:{ttl:"soon"}){token}}`},
		"a float out of range":       {`mutation{tokenize(input:{metadata:{custom:{a:1e999}}}){token}}`},
		"an integer out of range":    {`mutation{tokenize(input:{metadata:{custom:{a:99999999999999999999}}}){token}}`},
		"a nested integer":           {`mutation{tokenize(input:{metadata:{custom:{a:[{b:99999999999999999999}]}}}){token}}`},
		"a default out of range":     {`mutation($m:Map={a:99999999999999999999}){tokenize(input:{metadata:{custom:$m}}){token}}`},
		"a list for a map":           {`mutation{tokenize(input:{metadata:{custom:[1]}}){token}}`},
		"no moment":                  {`mutation{tokenize(input:{metadata:{lastModified:"yesterday"}}){token}}`},
		"an unknown kind":            {`query($k:GrantKind!){verifyGrants(input:{sessionId:"s",checks:[{token:"x",kind:$k}]}){valid}}`, `{"k":"WRITE"}`},
		"half a surrogate":           {`mutation($n:String){tokenize(input:{metadata:{filename:$n}}){token}}`, `{"n":["a"]}`},
		"null for a non-null":        {`query($t:TokenID!){token(id:$t){id}}`, `{"t":null}`},
		"a non-null that is missing": {`query($t:TokenID!){token(id:$t){id}}`},
		"a list for a token":         {`query($t:TokenID!){token(id:$t){id}}`, `{"t":["` + someToken + `"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.query(t, doc[0], doc[1:]...)
			require.Equal(t, "BAD_USER_INPUT", a.code(), "%s: %s", name, a.raw)
			require.Less(t, a.status, 500, name)
			require.NotContains(t, a.raw, "strconv", name)
		})
	}
	require.Empty(t, s.query(t, `{token(id:"`+someToken+`"){id}}`).Errors)
}

// TestLogHoldsNoSecrets: neither credentials nor documents nor variables are logged.
func TestLogHoldsNoSecrets(t *testing.T) {
	s := newServer(t, resolver{token: func(context.Context, ids.Token) (*model.Token, error) { return nil, errors.New("x") }}, nil)
	r := post(bodyOf(`query SECRETName($t:TokenID!){SECRETalias:token(id:$t){id}}`, `{"t":"`+someToken+`"}`))
	r.Header.Set("Authorization", "Bearer SECRET")
	s.do(t, r)
	r.Header.Set("Authorization", "Bearer good")
	s.do(t, r)
	s.query(t, `query SECRETName($t:TokenID!){SECRETalias:token(id:$t){id}}`, `{"t":"`+someToken+`"}`)
	require.NotContains(t, strings.ReplaceAll(s.log.String(), "SECRETalias", ""), "SECRET")
	require.NotContains(t, s.log.String(), someToken)
	require.Contains(t, strings.Join(s.seen.list, " "), "token:INTERNAL")
}

// absent returns a nil that linters don't see.
func absent() (v *model.Viewer) { return v }
