package directives

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Defaults of Options.
const (
	DefaultTimeout   = 2 * time.Second
	DefaultMaxTokens = 10_000
	DefaultRemember  = 5 * time.Second
	DefaultMemory    = 100_000
)

// Options are the settings of New. Grants and Session are required.
type Options struct {
	// Grants creates and verifies grants.
	Grants Grants
	// Session returns the id of the calling session, as in the session's JWT, and false if the request has
	// none. It is called at most once per operation, and only if the operation has a token.
	Session func(ctx context.Context) (string, bool)
	// Duration is the life of grants whose annotation names none; 0: the gateway's default. If another annotation
	// names a life for the same token, that life is used instead of the default.
	Duration time.Duration
	// Timeout bounds each call to Grants, within the request's own deadline; 0: DefaultTimeout.
	Timeout time.Duration
	// MaxTokens bounds the distinct tokens of one operation in each direction; in arguments, a token that needs both kinds of
	// grant counts twice; 0: DefaultMaxTokens. The gateway's grants.max_batch bounds the same lists.
	MaxTokens int
	// Remember is for how long a created grant is not created again, at most half of its life; 0: DefaultRemember,
	// negative: each response creates its grants again. A grant that another replica revoked is created again by
	// the first response that returns its token after this time.
	Remember time.Duration
	// Memory bounds how many tokens' grants are remembered; 0: DefaultMemory.
	Memory int
	// Observer is told of each call; nil: no observer.
	Observer Observer
	// Now is the clock, for tests; nil: time.Now.
	Now func() time.Time
}

// Tokens is the runtime of @token: a gqlgen handler extension and a directive function. Use one value
// for both, in one server.
type Tokens struct {
	opts     Options
	schema   *ast.Schema
	holders  holders                             // types that hold tokens
	fields   map[*ast.FieldDefinition][]position // fields that take tokens, with the arguments that hold them
	entities *ast.FieldDefinition                // federation's, in a subgraph whose representations hold tokens
	early    bool                                // the operation is verified before its complexity is calculated
	cache    *grantCache
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
} = (*Tokens)(nil)

// New returns a runtime, or an error that names the option at fault; it has no sentinel.
func New(o Options) (*Tokens, error) {
	switch {
	case o.Grants == nil:
		return nil, errors.New("directives: Options.Grants is missing: pass a client of the gateway")
	case o.Session == nil:
		return nil, errors.New("directives: Options.Session is missing: say how to find a request's session")
	case o.Duration < 0 || o.Timeout < 0 || o.MaxTokens < 0 || o.Memory < 0:
		return nil, errors.New("directives: Duration, Timeout, MaxTokens and Memory can't be negative")
	}
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.MaxTokens, DefaultMaxTokens)
	setDefault(&o.Remember, DefaultRemember)
	setDefault(&o.Memory, DefaultMemory)
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Tokens{opts: o, cache: newGrantCache(o.Memory, o.Remember)}
	if r, ok := o.Grants.(Revoker); ok {
		r.OnRevoke(t.cache.forget)
	}
	return t, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// ExtensionName implements graphql.HandlerExtension.
func (*Tokens) ExtensionName() string { return "CloakroomTokens" }

// Validate implements graphql.HandlerExtension: a server's Use calls it, and panics with its error. It refuses a
// schema with another declaration of @token, or with annotations that can't work, and names each coordinate: the
// error is that of CheckSchema.
func (t *Tokens) Validate(es graphql.ExecutableSchema) error {
	schema := es.Schema()
	if t.schema != nil && t.schema != schema {
		return errors.New("directives: one Tokens serves one schema: make another Tokens for the other server")
	}
	if err := CheckSchema(schema); err != nil {
		return fmt.Errorf("directives: %w", err)
	}
	if err := checkEvents(es); err != nil {
		return fmt.Errorf("directives: %w", err)
	}
	t.learn(schema)
	t.early = inputsRunCode(es)
	return nil
}

// learn notes where an operation can have tokens.
func (t *Tokens) learn(schema *ast.Schema) {
	t.schema, t.holders = schema, holdersOf(schema)
	t.fields = t.holders.argumentsOf(schema)
	if entities := entitiesOf(schema); entities != nil && t.holders.composite(schema) {
		arg := entities.Arguments.ForName(representationsArgument)
		t.entities, t.fields[entities] = entities, []position{{arg.Name, arg.Type, 0, nil}}
	}
}
