package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Answer is a whole HTTP response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Response is the answer to a GraphQL request.
type Response struct {
	Status int
	Header http.Header
	Raw    []byte
	Data   map[string]any // nil if it is absent or null
	Errors []Error
}

// Error is one entry of a response's errors.
type Error struct {
	Message   string
	Path      []any
	Code      string
	RequestID string
}

// UnmarshalJSON reads an error, with the extensions as fields.
func (e *Error) UnmarshalJSON(b []byte) error {
	var wire struct {
		Message    string
		Path       []any
		Extensions struct{ Code, RequestID string }
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*e = Error{wire.Message, wire.Path, wire.Extensions.Code, wire.Extensions.RequestID}
	return nil
}

// Code returns the first error's code, or "" without errors.
func (r Response) Code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Code
}

// Path returns the first error's path.
func (r Response) Path() string {
	if len(r.Errors) == 0 || r.Errors[0].Path == nil {
		return ""
	}
	return fmt.Sprint(r.Errors[0].Path)
}

// At walks the data by names (string) and indexes (int); nil if a value on the path is null.
func (r Response) At(steps ...any) any {
	var v any = r.Data
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// OK fails the test if there are errors, and returns the response.
func (r Response) OK(t testing.TB) Response {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Raw)
	require.Empty(t, r.Errors, "%s", r.Raw)
	return r
}

// Query sends one operation, with a bearer token unless it is "", without retries.
func (s *Stack) Query(t testing.TB, jwt, query string, variables map[string]any) Response {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	return s.Post(t, jwt, body)
}

// Post sends an unchanged body.
func (s *Stack) Post(t testing.TB, jwt string, body []byte) Response {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if jwt != "" {
		header.Set("Authorization", "Bearer "+jwt)
	}
	return Parse(t, s.Do(t, http.MethodPost, s.GatewayURL+"/graphql", header, body))
}

// Parse reads an answer as GraphQL.
func Parse(t testing.TB, a Answer) Response {
	t.Helper()
	r := Response{Status: a.Status, Header: a.Header, Raw: a.Body}
	require.NoError(t, json.Unmarshal(a.Body, &r), "status %d: %q", a.Status, a.Body)
	return r
}

// UnmarshalJSON reads the members of a response.
func (r *Response) UnmarshalJSON(b []byte) error {
	var wire struct {
		Data   map[string]any
		Errors []Error
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	r.Data, r.Errors = wire.Data, wire.Errors
	return nil
}

// Get fetches a page without credentials.
func (s *Stack) Get(t testing.TB, url string) Answer {
	t.Helper()
	return s.Do(t, http.MethodGet, url, nil, nil)
}

// Do sends any request.
func (s *Stack) Do(t testing.TB, method, url string, header http.Header, body []byte) Answer {
	t.Helper()
	a, err := s.try(method, url, header, body)
	require.NoError(t, err)
	return a
}

func (s *Stack) try(method, url string, header http.Header, body []byte) (a Answer, err error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	if header != nil {
		request.Header = header
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	a = Answer{Status: response.StatusCode, Header: response.Header}
	a.Body, err = io.ReadAll(response.Body)
	return a, err
}

// TryPost is Post for a stack that may be killed meanwhile.
func (s *Stack) TryPost(jwt string, body []byte) (r Response, err error) {
	a, err := s.try(http.MethodPost, s.GatewayURL+"/graphql",
		http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + jwt}}, body)
	if err != nil {
		return r, err
	}
	r = Response{Status: a.Status, Header: a.Header, Raw: a.Body}
	return r, json.Unmarshal(a.Body, &r)
}
