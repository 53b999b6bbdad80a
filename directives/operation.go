package directives

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Error codes, the same as the gateway's.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeGrantRequired   = "GRANT_REQUIRED"
	codeLimitExceeded   = "LIMIT_EXCEEDED"
	codeUnavailable     = "UNAVAILABLE"
	codeRateLimited     = "RATE_LIMITED"
	codeInternal        = "INTERNAL"
	codeBadUserInput    = "BAD_USER_INPUT"
)

func fail(code, message string, path ast.Path) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Path: path, Extensions: map[string]any{"code": code}}
}

// codeOf returns RATE_LIMITED for an error that says how long to wait, and UNAVAILABLE for any other error of a call.
func codeOf(err error) string {
	if _, limited := waitOf(err); limited {
		return codeRateLimited
	}
	return codeUnavailable
}

// waitOf returns the wait that an error of Grants asks for by its method RateLimited, and whether it asks for one.
func waitOf(err error) (time.Duration, bool) {
	var limited interface {
		RateLimited() (wait time.Duration, ok bool)
	}
	if !errors.As(err, &limited) {
		return 0, false
	}
	return limited.RateLimited()
}

// waiting sets retryAfter, in seconds, in each error if err is a rate limit's.
func waiting(errs gqlerror.List, err error) gqlerror.List {
	if wait, limited := waitOf(err); limited {
		for _, e := range errs {
			e.Extensions["retryAfter"] = max(1, int(math.Ceil(wait.Seconds())))
		}
	}
	return errs
}

type grantKey struct {
	token string
	kinds kindSet // exactly one kind
}

// operation is the state of one running operation.
type operation struct {
	tokens   *Tokens
	session  func() (string, bool)
	verified map[grantKey]bool
	refused  gqlerror.List // the reasons for which it must not run
	root     string        // the response name of a subscription's field
	wanted   chan struct{} // an event of a subscription is wanted

	mu      sync.Mutex
	pending []pending
}

type operationKey struct{}

func operationFrom(ctx context.Context) *operation {
	op, _ := ctx.Value(operationKey{}).(*operation)
	return op
}

// InterceptOperation implements graphql.OperationInterceptor: it verifies the tokens in the operation's
// arguments, in one call, and refuses the operation if one lacks its grant.
func (t *Tokens) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	op, _ := oc.Stats.GetExtension(earlyOperationKey).(*operation)
	if op == nil || op.tokens != t {
		op = t.newOperation(ctx)
	}
	if oc.Operation.Operation == ast.Subscription {
		op.root = rootField(oc)
	}
	if errs := op.inspect(ctx, oc); len(errs) > 0 {
		return graphql.OneShot(&graphql.Response{Errors: errs})
	}
	return next(context.WithValue(ctx, operationKey{}, op))
}

func (t *Tokens) newOperation(ctx context.Context) *operation {
	return &operation{
		tokens: t, session: sync.OnceValues(func() (string, bool) { return t.opts.Session(ctx) }),
		wanted: make(chan struct{}, 1),
	}
}

// earlyOperationKey is the key of the operation in the statistics of gqlgen's OperationContext, until the operation begins.
const earlyOperationKey = "CloakroomTokens"

// earlyOperation verifies an operation that has not begun, and returns it. gqlgen reads arguments before an operation
// begins, to calculate its complexity, and then runs the application's complexity functions and its resolvers of input fields.
func (t *Tokens) earlyOperation(ctx context.Context) *operation {
	if t.schema == nil || !graphql.HasOperationContext(ctx) {
		return nil
	}
	oc := graphql.GetOperationContext(ctx)
	op, _ := oc.Stats.GetExtension(earlyOperationKey).(*operation)
	if op == nil || op.tokens != t {
		op = t.newOperation(ctx)
		_ = op.inspect(ctx, oc) // kept in op: InterceptOperation answers with it
		oc.Stats.SetExtension(earlyOperationKey, op)
	}
	return op
}

// inspect walks and verifies the operation's arguments. A refused operation stays refused. Checks that were made before are
// not made again, but the arguments are walked again, since they may have changed.
func (op *operation) inspect(ctx context.Context, oc *graphql.OperationContext) gqlerror.List {
	if len(op.refused) > 0 {
		return op.refused
	}
	found, err := op.tokens.walk(oc)
	if err != nil {
		op.refused = gqlerror.List{err}
	} else {
		op.refused = op.tokens.verify(ctx, op, found)
	}
	return op.refused
}

// rootField returns the response name of the one field of a subscription.
func rootField(oc *graphql.OperationContext) string {
	if fields := graphql.CollectFields(oc, oc.Operation.SelectionSet, nil); len(fields) == 1 {
		return fields[0].Alias
	}
	return ""
}

func (t *Tokens) verify(ctx context.Context, op *operation, found []occurrence) gqlerror.List {
	if len(found) == 0 {
		return nil
	}
	session, ok := op.session()
	if !ok {
		return errorsAt(found, codeUnauthenticated, "Sign in: only a session can send tokens.")
	}
	checks, distinct := op.checks(found)
	if distinct > t.opts.MaxTokens {
		return gqlerror.List{fail(codeLimitExceeded, "The operation holds too many tokens: send fewer.", found[0].path)}
	}
	if op.verified == nil {
		op.verified = make(map[grantKey]bool, len(checks))
	}
	if len(checks) > 0 {
		missing, err := t.callVerify(ctx, session, checks)
		if err != nil {
			return waiting(errorsAt(found, codeOf(err), unverified), err)
		}
		for _, c := range checks {
			op.verified[grantKey{c.Token, kindsOf([]GrantKind{c.Kind}, 0)}] = true
		}
		for _, c := range missing {
			key := grantKey{c.Token, kindsOf([]GrantKind{c.Kind}, 0)}
			if _, asked := op.verified[key]; !asked { // the answer names a check that was not in the call
				return errorsAt(found, codeUnavailable, unverified)
			}
			op.verified[key] = false
		}
	}
	var bad []occurrence
	for _, o := range found {
		if !op.holds(o.token, o.kinds) {
			bad = append(bad, o)
		}
	}
	return errorsAt(bad, codeGrantRequired, "This session may not use this token here.")
}

// checks returns each check that was not made yet, once, and the number of distinct checks, made or not.
func (op *operation) checks(found []occurrence) (checks []Check, distinct int) {
	checks = make([]Check, 0, len(found))
	asked := make(map[string]kindSet, len(found))
	for _, o := range found {
		fresh := o.kinds &^ asked[o.token]
		if fresh == 0 || !ids.ValidToken(o.token) {
			continue
		}
		asked[o.token] |= fresh
		for _, k := range fresh.list() {
			distinct++
			if _, made := op.verified[grantKey{o.token, kindsOf([]GrantKind{k}, 0)}]; !made {
				checks = append(checks, Check{Token: o.token, Kind: k})
			}
		}
	}
	return checks, distinct
}

// holds reports whether verification found every one of these grants.
func (op *operation) holds(token string, kinds kindSet) bool {
	for kind := kindSet(1); kind <= kinds; kind <<= 1 {
		if kinds&kind != 0 && !op.verified[grantKey{token, kind}] {
			return false
		}
	}
	return kinds != 0
}

const unverified = "The grants of this token can't be verified at the moment: try again."

// maxErrors bounds how many paths one refusal names.
const maxErrors = 100

// errorsAt returns one error for each path, maxErrors at most: a field that is selected twice has one path.
func errorsAt(found []occurrence, code, message string) (errs gqlerror.List) {
	seen := map[string]bool{}
	for _, o := range found {
		if name := o.path.String(); !seen[name] && len(errs) < maxErrors {
			seen[name] = true
			errs = append(errs, fail(code, message, o.path))
		}
	}
	return errs
}

func (t *Tokens) callVerify(ctx context.Context, session string, checks []Check) ([]Check, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	start := time.Now()
	missing, err := t.opts.Grants.VerifyGrants(ctx, session, checks)
	if t.opts.Observer != nil {
		t.opts.Observer.GrantsVerified(ctx, len(checks), time.Since(start), err)
	}
	return missing, err
}
