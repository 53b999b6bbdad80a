package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// graphQL is the endpoint /graphql.
type graphQL struct {
	exec               *executor.Executor
	observer           Observer
	log                *slog.Logger
	tracer             trace.Tracer
	documentIDs        bool   // an operation may be sent as the id of a listed one
	origin             string // the gateway's own
	maxBody            int64
	maxApplicationBody int64
	timeout            time.Duration
}

// outcome describes a request for the log, the metrics and the trace.
type outcome struct {
	field  string // root field, a name of the schema: clients can't add values to the label
	code   fault.Code
	tenant string
}

func (g *graphQL) handle(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	start := time.Now()
	o := outcome{field: "refused"}
	defer func() {
		took := time.Since(start)
		g.observer.Request(o.field, string(o.code), took)
		g.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("field", o.field), slog.String("code", string(o.code)),
			slog.String("tenant", o.tenant), slog.Duration("took", took))
	}()
	// The executor recovers panics of resolvers. All others are recovered here, so that the process goes on.
	defer func() {
		if p := recover(); p != nil {
			o.code = fault.Internal
			refuse(r.Context(), g.log, w, http.StatusInternalServerError, recovered(r.Context(), p))
		}
	}()
	g.serve(w, r, admit, &o)
}

func (g *graphQL) serve(w http.ResponseWriter, r *http.Request, admit guard.Admit, o *outcome) {
	reject := func(err error) {
		o.code = fault.Public(err).Code
		refuse(r.Context(), g.log, w, statusOf(err), err)
	}
	mediaType, err := negotiate(r.Header.Values("Accept"))
	if err != nil {
		reject(err)
		return
	}
	c, err := admit()
	if err != nil {
		if fault.Public(err).Code == fault.Unauthenticated { // RFC 9110, section 15.5.2
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		}
		reject(err)
		return
	}
	params, err := g.decode(w, r, c)
	if err != nil {
		reject(err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	defer cancel()
	if c != nil {
		o.tenant = c.Tenant
		ctx = caller.With(ctx, c)
	}
	if guard.FromOwnPage(r, g.origin) {
		ctx = caller.WithOwnPage(ctx)
	}
	g.execute(ctx, w, r, params, mediaType, o)
}

func (g *graphQL) execute(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams, mediaType string, o *outcome) {
	ctx, span := g.tracer.Start(ctx, "graphql", trace.WithSpanKind(trace.SpanKindServer))
	defer func() {
		span.SetAttributes(attribute.String("graphql.field", o.field), attribute.String("graphql.code", string(o.code)))
		span.End()
	}()
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := g.exec.CreateOperationContext(ctx, params)
	if len(errs) == 0 {
		if r.Method == http.MethodGet && op.Operation.Operation != ast.Query {
			w.Header().Set("Allow", "POST")
			o.code = fault.BadUserInput
			refuse(ctx, g.log, w, http.StatusMethodNotAllowed, fault.New(fault.BadUserInput, "A GET runs only queries: send the operation by POST."))
			return
		}
		o.field = rootField(op)
		responses, ctx := g.exec.DispatchOperation(ctx, op)
		response := responses(ctx)
		if response == nil { // the context has ended
			o.code = fault.Unavailable
			refuse(ctx, g.log, w, http.StatusServiceUnavailable, fault.New(fault.Unavailable, "The request took too long: try again."))
			return
		}
		if len(response.Errors) > 0 {
			o.code = codeOf(response.Errors[0])
		}
		writeResponse(w, mediaType, http.StatusOK, response, true)
		return
	}
	response := g.exec.DispatchError(graphql.WithOperationContext(ctx, op), requestErrors(errs))
	o.code = codeOf(response.Errors[0])
	writeResponse(w, mediaType, requestErrorStatus(mediaType, o.code), response, false)
}

// requestErrorStatus returns 200 for application/json, because its older clients know no other status, and 400 for
// application/graphql-response+json (GraphQL over HTTP, section 6.4).
func requestErrorStatus(mediaType string, code fault.Code) int {
	if mediaType == mediaGraphQL && code != fault.PersistedNotFound {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// rootField names the operation by its root field, which is a name of the schema. The client chooses the operation's own
// name and its aliases, so they could be anything.
func rootField(op *graphql.OperationContext) string {
	name := "none"
	for _, s := range op.Operation.SelectionSet {
		f, ok := s.(*ast.Field)
		switch {
		case !ok || name != "none" && name != f.Name:
			return "several"
		case f.Name == "__schema" || f.Name == "__type":
			return "introspection"
		case f.Name != "__typename":
			name = f.Name
		}
	}
	return name
}

func codeOf(err *gqlerror.Error) fault.Code {
	code, _ := err.Extensions["code"].(string)
	return fault.Code(code)
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}
