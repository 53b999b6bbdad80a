package webtest

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

//go:embed schema.graphqls
var schemaSource string

// introspection is generated from schema.graphqls by web/build/introspection.mjs.
//
//go:embed introspection.json
var introspection json.RawMessage

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: schemaSource})

type object = map[string]any

type codedError struct {
	message, code string
}

func (e codedError) Error() string { return e.message }

var grantRequired = codedError{"the session holds no READ grant for this token", "GRANT_REQUIRED"}

func (s *Servers) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Origin") != s.Gateway.URL {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	var request struct {
		Query         string         `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/graphql-response+json; charset=utf-8")
	answer := s.execute(r.Header.Get("Authorization"), request.Query, request.OperationName, request.Variables)
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Servers) execute(authorization, query, name string, variables map[string]any) object {
	document, errs := gqlparser.LoadQueryWithRules(schema, query, nil)
	if errs != nil {
		return object{"errors": errs}
	}
	operation := document.Operations.ForName(name)
	if operation == nil {
		return object{"errors": []any{object{"message": "no such operation"}}}
	}
	if name == "IntrospectionQuery" {
		return object{"data": introspection}
	}
	vars, err := validator.VariableValues(schema, operation, variables)
	if err != nil {
		return failure(codedError{err.Error(), "BAD_USER_INPUT"}, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[strings.TrimPrefix(authorization, "Bearer ")]
	data := object{}
	for _, selection := range operation.SelectionSet {
		field := selection.(*ast.Field)
		result, err := s.resolve(session, field, field.ArgumentMap(vars))
		if err != nil {
			return failure(err, field)
		}
		data[field.Alias] = project(result, field.SelectionSet)
	}
	return object{"data": data}
}

func failure(err error, field *ast.Field) object {
	entry := object{"message": err.Error()}
	if coded, ok := err.(codedError); ok {
		entry["extensions"] = object{"code": coded.code}
	}
	if field != nil {
		entry["path"] = []any{field.Alias}
	}
	return object{"data": nil, "errors": []any{entry}}
}

func (s *Servers) resolve(session string, field *ast.Field, args map[string]any) (any, error) {
	if session == "" {
		return nil, codedError{"no session", "UNAUTHENTICATED"}
	}
	switch field.Name {
	case "viewer":
		return object{
			"subject": "anonymous", "sessionHash": fmt.Sprintf("%x", session[:8]), "roles": []any{},
			"tenant": s.App.URL, "expiresAt": timestamp(time.Now().Add(5 * time.Minute)),
		}, nil
	case "tokenize":
		return s.tokenize(session, args["input"]), nil
	case "tokenizeBatch":
		var payloads []any
		for _, input := range args["inputs"].([]any) {
			payloads = append(payloads, s.tokenize(session, input))
		}
		return payloads, nil
	case "detokenize":
		return s.detokenize(session, args["token"].(string))
	case "detokenizeBatch":
		var results []any
		for _, token := range args["tokens"].([]any) {
			result, err := s.detokenize(session, token.(string))
			if err != nil {
				result = object{"__typename": "TokenFailure", "token": token, "code": "GRANT_REQUIRED", "message": err.Error()}
			}
			results = append(results, result)
		}
		return results, nil
	case "token":
		v := s.values[args["id"].(string)]
		if v == nil || !s.grants[session][v.token] {
			return nil, grantRequired
		}
		return object{"id": v.token, "createdAt": timestamp(v.created), "metadata": v.metadata()}, nil
	}
	return nil, codedError{"not in the stand-in: " + field.Name, "INTERNAL"}
}

func (s *Servers) tokenize(session string, rawInput any) object {
	v := &value{token: "tok-" + uuid.NewString(), key: rand.Text(), contentType: "application/octet-stream", created: time.Now()}
	input, _ := rawInput.(map[string]any)
	metadata, _ := input["metadata"].(map[string]any)
	if name, ok := metadata["filename"].(string); ok {
		v.filename = name
	}
	if contentType, ok := metadata["contentType"].(string); ok {
		v.contentType = contentType
	}
	if size, ok := input["size"]; ok {
		_, _ = fmt.Sscan(fmt.Sprint(size), &v.size)
	}
	s.values[v.token] = v
	if s.grants[session] == nil {
		s.grants[session] = map[string]bool{}
	}
	s.grants[session][v.token] = true
	return object{"__typename": "TokenizePayload", "token": v.token, "upload": s.sign(v, "PUT")}
}

func (s *Servers) detokenize(session, token string) (object, error) {
	v := s.values[token]
	if v == nil || !s.grants[session][token] {
		return nil, grantRequired
	}
	return object{
		"__typename": "DetokenizePayload", "token": token, "metadata": v.metadata(), "download": s.sign(v, "GET"),
	}, nil
}

func (s *Servers) sign(v *value, method string) object {
	expires := time.Now().Add(s.ttl)
	headers := []any{object{"name": keyHeader, "value": v.key}}
	if method == "PUT" {
		headers = append(headers, object{"name": "Content-Type", "value": v.contentType}, object{"name": "If-None-Match", "value": "*"})
	}
	return object{
		"method": method, "url": fmt.Sprintf("%s/%s?expires=%d", s.Store.URL, v.token, expires.Unix()),
		"headers": headers, "expiresAt": timestamp(expires),
	}
}

func (v *value) metadata() object {
	return object{"filename": v.filename, "contentType": v.contentType}
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// project returns the fields of a result that the operation selects.
func project(result any, selections ast.SelectionSet) any {
	switch result := result.(type) {
	case []any:
		list := make([]any, len(result))
		for i, item := range result {
			list[i] = project(item, selections)
		}
		return list
	case object:
		if len(selections) == 0 {
			return result
		}
		chosen := object{}
		choose(result, selections, chosen)
		return chosen
	}
	return result
}

func choose(from object, selections ast.SelectionSet, into object) {
	applies := func(condition string) bool {
		return condition == "" || from["__typename"] == nil || condition == from["__typename"]
	}
	for _, selection := range selections {
		switch selection := selection.(type) {
		case *ast.Field:
			into[selection.Alias] = project(from[selection.Name], selection.SelectionSet)
		case *ast.InlineFragment:
			if applies(selection.TypeCondition) {
				choose(from, selection.SelectionSet, into)
			}
		case *ast.FragmentSpread:
			if applies(selection.Definition.TypeCondition) {
				choose(from, selection.Definition.SelectionSet, into)
			}
		}
	}
}
