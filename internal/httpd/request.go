package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

func withStatus(status int, code fault.Code, message string) error {
	return guard.WithStatus(status, fault.New(code, "%s", message))
}

// statusOf is the HTTP status of a request that is refused before an operation exists.
func statusOf(err error) int {
	if status := guard.Status(err); status != 0 {
		return status
	}
	switch fault.Public(err).Code {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.LimitExceeded:
		return http.StatusRequestEntityTooLarge
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.SessionChanged:
		return http.StatusPreconditionFailed
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// body is a request as GraphQL over HTTP defines it (section 5.1). A member of another type is refused
// by the decoder.
type body struct {
	Query         *string        `json:"query"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`

	// The id of a persisted document, instead of its text: the names in GraphQL over HTTP's appendix, in the network
	// layers of Relay's users, and in Relay's documentation. Without an allow-list they may have any type.
	DocumentID any `json:"documentId"`
	DocID      any `json:"doc_id"`
	ID         any `json:"id"`
}

// documentID returns the id; "" if there is none, or it is not a string. Two different ids are a fault BAD_USER_INPUT.
func (b *body) documentID() (id string, err error) {
	for _, member := range []any{b.DocumentID, b.DocID, b.ID} {
		s, _ := member.(string)
		switch {
		case s == "" || s == id:
		case id != "":
			return "", fault.New(fault.BadUserInput, "The request names two documents.")
		default:
			id = s
		}
	}
	return id, nil
}

func (g *graphQL) decode(w http.ResponseWriter, r *http.Request, c *caller.Caller) (*graphql.RawParams, error) {
	var b body
	var err error
	if r.Method == http.MethodPost {
		limit := g.maxBody
		if c != nil && c.IsApplication() {
			limit = g.maxApplicationBody
		}
		err = decodePOST(w, r, limit, &b)
	} else {
		err = g.decodeGET(r, &b)
	}
	if err != nil {
		return nil, err
	}
	params := &graphql.RawParams{Variables: b.Variables, Extensions: b.Extensions, Headers: r.Header}
	if b.OperationName != nil {
		params.OperationName = *b.OperationName
	}
	if b.Query != nil {
		params.Query = *b.Query
	}
	if params.Query == "" && g.documentIDs {
		id, err := b.documentID()
		if err != nil {
			return nil, err
		}
		if id != "" && params.Extensions["persistedQuery"] != nil {
			return nil, fault.New(fault.BadUserInput, "The request names its document twice.")
		}
		if id != "" {
			params.Extensions = map[string]any{"persistedQuery": map[string]any{"version": json.Number("1"), "sha256Hash": id}}
			return params, nil
		}
	}
	if params.Query == "" && b.Extensions["persistedQuery"] == nil {
		return nil, fault.New(fault.BadUserInput, "The request holds no query.")
	}
	return params, nil
}

func decodePOST(w http.ResponseWriter, r *http.Request, limit int64, into *body) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.LimitExceeded, "The request's body is too long: it may have %d bytes at most.", limit)
	}
	if err != nil {
		return fault.Wrap(err, fault.BadUserInput, "The request's body ended early: send the request again.")
	}
	if first := bytes.TrimLeft(raw, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		return fault.New(fault.BadUserInput, "Send one operation per request: batches of operations are not accepted.")
	}
	return decodeJSON(raw, into)
}

func (g *graphQL) decodeGET(r *http.Request, into *body) error {
	if int64(len(r.URL.RawQuery)) > g.maxBody {
		return fault.New(fault.LimitExceeded, "The query string is too long: it may have %d bytes at most.", g.maxBody)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.BadUserInput, "The query string is malformed.")
	}
	for name, values := range q {
		if len(values) != 1 {
			return fault.New(fault.BadUserInput, "A parameter occurs more than once.")
		}
		v := values[0]
		switch name {
		case "query":
			into.Query = &v
		case "operationName":
			into.OperationName = &v
		case "variables":
			err = decodeJSON([]byte(v), &into.Variables)
		case "documentId":
			into.DocumentID = v
		case "doc_id":
			into.DocID = v
		case "id":
			into.ID = v
		case "extensions":
			err = decodeJSON([]byte(v), &into.Extensions)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeJSON keeps numbers as they are written. Its errors quote nothing of the input.
func decodeJSON(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fault.New(fault.BadUserInput, "The request is not JSON in the form of GraphQL over HTTP.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.BadUserInput, "Something follows the request's JSON.")
	}
	return nil
}
