package directives

import (
	"context"
	"reflect"
	"strings"
)

// isStream reports whether a value is what a subscription's resolver returns.
func isStream(value any) bool { return reflect.TypeOf(value).Kind() == reflect.Chan }

// stream notes the tokens of a subscription field that is itself annotated: each event's when its response is
// wanted, neither earlier, for then they would be another event's, nor later.
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
		// An event whose tokens can't be noted has no one to tell but the end of the stream.
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
