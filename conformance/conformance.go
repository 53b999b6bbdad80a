// Package conformance is the semantics of @token as data: operations on fixed schemas, a runtime's expected responses, and
// its expected calls to the gateway. README.md describes the format for runtimes in any language; this package reads it in Go.
package conformance

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
)

//go:embed schemas/*.graphqls cases/*.json
var files embed.FS

// Suite is one file of cases.
type Suite struct {
	Name   string `json:"-"`                // the file's name without its ending
	About  string `json:"about"`            // description of the cases
	Schema string `json:"schema,omitempty"` // a file of schemas/, for cases without a schema of their own
	Cases  []Case `json:"cases"`
}

// Case is one server, and one operation or several in a row.
type Case struct {
	Name    string   `json:"name"`
	Schema  string   `json:"schema,omitempty"`  // SDL, beside the declaration of @token; empty: the suite's
	Refused []string `json:"refused,omitempty"` // the server doesn't start, because of these coordinates; then no operation follows

	Held      map[string][]string        `json:"held,omitempty"`    // token -> kinds of grants that the session holds
	Foreign   []string                   `json:"foreign,omitempty"` // tokens that get no grant: of another tenant, deleted or unknown
	Gateway   string                     `json:"gateway,omitempty"` // Answers, Fails or Hangs
	MaxTokens int                        `json:"maxTokens,omitempty"`
	Remember  string                     `json:"remember,omitempty"` // how long a created grant is remembered; empty: not at all
	Resolved  map[string]json.RawMessage `json:"resolved,omitempty"` // Type.field -> what its resolver returns
	Failing   []string                   `json:"failing,omitempty"`  // Type.field whose resolver fails

	Step
	Steps []Step `json:"steps,omitempty"` // instead of one operation
}

// Step is one operation and its expected outcome.
type Step struct {
	After     string          `json:"after,omitempty"`   // the time that passes before it
	Revoked   []string        `json:"revoked,omitempty"` // tokens whose grants are revoked before it, through this runtime's client
	Session   *string         `json:"session,omitempty"` // absent: "alice"; "": no session
	Operation string          `json:"operation,omitempty"`
	Variables json.RawMessage `json:"variables,omitempty"`
	Expect    *Expect         `json:"expect,omitempty"`
}

// Expect has the runtime's expected calls to the gateway, and its expected response.
type Expect struct {
	Verified []string `json:"verified,omitempty"` // "token KIND" of the one verifying call; none: no call is made
	Ran      bool     `json:"ran"`                // whether a resolver ran
	Response
	Responses []Response `json:"responses,omitempty"` // of a subscription or @defer, in order, instead of one response
}

// Response is one response, one event of a subscription or one incremental payload.
type Response struct {
	Created []string        `json:"created,omitempty"` // "token KIND[+KIND] [duration]" of the one creating call; none: no call is made
	Path    []any           `json:"path,omitempty"`    // of an incremental payload
	Data    json.RawMessage `json:"data,omitempty"`    // null: null or none; absent: not compared
	Errors  []Error         `json:"errors,omitempty"`  // all of them, in any order
}

// Error is an error of a response.
type Error struct {
	Code string `json:"code,omitempty"` // empty: a code of the application
	Path []any  `json:"path,omitempty"`
}

// Values of Case.Gateway.
const (
	Answers = ""
	Fails   = "fails"
	Hangs   = "hangs" // until the runtime gives up
)

// DefaultSession is the session of a step that names none.
const DefaultSession = "alice"

// Schema returns the text of a file of schemas/. Its error wraps fs.ErrNotExist for an unknown name.
func Schema(name string) (string, error) {
	b, err := fs.ReadFile(files, path.Join("schemas", name))
	return string(b), err
}

// Load returns every suite, sorted by name. If a file has a field that the format doesn't have, it returns an error that
// names the file and wraps encoding/json's, or embed's.
func Load() ([]Suite, error) {
	names, err := fs.Glob(files, "cases/*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	suites := make([]Suite, 0, len(names))
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		suite, err := decode(b)
		if err != nil {
			return nil, fmt.Errorf("conformance: %s: %w", name, err)
		}
		suite.Name = path.Base(name[:len(name)-len(".json")])
		suites = append(suites, *suite)
	}
	return suites, nil
}

var tokens = regexp.MustCompile(`tok\((\d+)\)`)

// decode replaces each tok(n) in a file by the token, and reads the file.
func decode(b []byte) (*Suite, error) {
	b = tokens.ReplaceAllFunc(b, func(m []byte) []byte {
		n, _ := strconv.Atoi(string(m[len("tok(") : len(m)-1]))
		return []byte(Token(n))
	})
	var s Suite
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Token returns the token that a file writes as tok(n).
func Token(n int) string { return fmt.Sprintf("tok-00000000-0000-4000-8000-%012d", n) }

// Sequence returns the case's steps: its own operation, or those of Steps.
func (c *Case) Sequence() []Step {
	if len(c.Steps) > 0 {
		return c.Steps
	}
	return []Step{c.Step}
}

// SessionID returns the id of the calling session, "" for none.
func (s *Step) SessionID() string {
	if s.Session == nil {
		return DefaultSession
	}
	return *s.Session
}

// All returns the expected responses: one, or those of Responses.
func (e *Expect) All() []Response {
	if len(e.Responses) > 0 {
		return e.Responses
	}
	return []Response{e.Response}
}
