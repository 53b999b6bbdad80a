package directives

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// checkEvents refuses @token on subscription fields in a schema with a context per event: there gqlgen takes an event before
// it asks for the event's response, so the tokens of two events can't be separated.
func checkEvents(es graphql.ExecutableSchema) error {
	root := es.Schema().Subscription
	if _, ok := es.(graphql.ExecutableSchemaWithEventContext); !ok || root == nil {
		return nil
	}
	var errs []error
	for _, f := range root.Fields {
		if annotated(f.Directives) {
			errs = append(errs, schemaError(root.Name+"."+f.Name, "@token can't stand on a subscription's field in a schema with "+
				"@subscriptionContext; return an object whose field has it"))
		}
	}
	return errors.Join(errs...)
}

// isStream reports whether a value is a channel, as a subscription's resolver returns.
func isStream(value any) bool { return reflect.TypeOf(value).Kind() == reflect.Chan }

// stream notes the tokens of a subscription field that is itself annotated. It forwards an event only when the event's
// response is requested; earlier, its tokens would count as the previous event's.
func (op *operation) stream(ctx context.Context, value any, template pending) (any, error) {
	in := reflect.ValueOf(value)
	elem := in.Type().Elem()
	if in.IsNil() {
		return value, nil
	}
	if strings.HasPrefix(elem.Name(), "Event[") { // graphql.Event carries the value beside a context
		return nil, fail(codeInternal, "@token can't stand on a subscription field with a context per event.", nil)
	}
	if err := op.signedIn(); err != nil {
		return nil, err
	}
	out := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, elem), 0)
	go op.forward(ctx, in, out, template)
	return out.Convert(in.Type()).Interface(), nil
}

func (op *operation) forward(ctx context.Context, in, out reflect.Value, template pending) {
	defer out.Close()
	done := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}
	for {
		select {
		case <-op.wanted:
		case <-ctx.Done():
			return
		}
		chosen, v, ok := reflect.Select([]reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: in}, done})
		if chosen != 0 || !ok {
			return
		}
		// An event whose tokens can't be noted ends the stream: there is no other way to report the error.
		c := collector{template: template}
		if c.collect(ctx, v.Interface(), nil) != nil || op.note(c.found...) != nil {
			return
		}
		if chosen, _, _ := reflect.Select([]reflect.SelectCase{{Dir: reflect.SelectSend, Chan: out, Send: v}, done}); chosen != 0 {
			return
		}
	}
}

// wantEvent lets one event through.
func (op *operation) wantEvent() {
	select {
	case op.wanted <- struct{}{}:
	default:
	}
}
