package httpd

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

const (
	// heartbeat is how often a stream has a comment, so that proxies keep it open, and a client that has left is noticed.
	heartbeat = 15 * time.Second
	// longestStream bounds a stream, so that a client proves its credential again: its issuer may have withdrawn the key.
	longestStream = 15 * time.Minute
)

// Parts of a stream (HTML, section 9.2.6; GraphQL over SSE, distinct connections mode).
var (
	comment  = []byte(":\n\n")
	next     = []byte("event: next\ndata: ")
	complete = []byte("event: complete\ndata:\n\n")
)

// stream answers an operation with server-sent events: one "next" for each response, then "complete". Without "complete" the stream was
// cut, and the client subscribes again: when the credential has expired, after longestStream, if the client reads too slowly, and
// when the gateway stops.
func (g *graphQL) stream(ctx context.Context, w http.ResponseWriter, op *graphql.OperationContext, o *outcome) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, longestStream)
	defer cancel()
	if c := caller.From(ctx); c != nil {
		var expire context.CancelFunc
		ctx, expire = context.WithDeadline(ctx, c.ExpiresAt)
		defer expire()
	}
	slow := time.AfterFunc(g.timeout, cancel)
	responses, ctx := g.exec.DispatchOperation(ctx, op)
	if op.Operation.Operation == ast.Subscription {
		slow.Stop() // it has begun
	}
	defer slow.Stop()
	o.took = time.Since(began)

	events := make(chan []byte)
	go pull(ctx, responses, events, o)
	g.send(ctx, w, events)
	cancel()
	for range events { // until pull has ended
		continue
	}
}

// pull encodes the responses and closes the channel after the last one, or when ctx ends. It notes the first error's code.
func pull(ctx context.Context, responses graphql.ResponseHandler, events chan<- []byte, o *outcome) {
	defer close(events)
	for {
		r := responses(ctx)
		if r == nil {
			return
		}
		if len(r.Errors) > 0 && o.code == "" {
			o.code = codeOf(r.Errors[0])
		}
		select {
		case events <- append(appendResponse(bytes.Clone(next), r, true), "\n\n"...):
		case <-ctx.Done():
			return
		}
	}
}

// send writes the events as they come, until the last one, or until the stream is cut.
func (g *graphQL) send(ctx context.Context, w http.ResponseWriter, events <-chan []byte) {
	h := w.Header()
	h["Content-Type"] = []string{mediaStream}
	h["Cache-Control"] = noStore
	h["X-Accel-Buffering"] = []string{"no"} // nginx passes each event on
	w.WriteHeader(http.StatusOK)
	s := sender{w, http.NewResponseController(w), g.writeTimeout}
	_ = s.control.SetReadDeadline(time.Time{}) // the request has been read; its deadline would end the stream
	if !s.write(comment) {
		return
	}
	beat := time.NewTicker(g.heartbeat)
	defer beat.Stop()
	for {
		part := comment
		select {
		case e, more := <-events:
			switch {
			case more:
				part = e
			case ctx.Err() != nil: // cut
				return
			default:
				if s.write(complete) {
					_ = s.control.SetWriteDeadline(time.Time{}) // the connection goes on
				}
				return
			}
		case <-beat.C:
		case <-ctx.Done():
			return
		case <-g.stopping:
			return
		}
		if !s.write(part) {
			return
		}
	}
}

// sender writes to a client, which has a bounded time to take each part.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *sender) write(part []byte) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	_, err := s.w.Write(part)
	return err == nil && s.control.Flush() == nil
}
