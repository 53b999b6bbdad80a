package directives_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

type observer struct{ seen []string }

func (o *observer) GrantsCreated(_ context.Context, n int, _ time.Duration, err error) {
	o.seen = append(o.seen, fmt.Sprint("created ", n, " ", err))
}

func (o *observer) GrantsVerified(_ context.Context, n int, _ time.Duration, err error) {
	o.seen = append(o.seen, fmt.Sprint("verified ", n, " ", err))
}

func TestTheObserverIsToldOfEachCall(t *testing.T) {
	o := &observer{}
	var asked atomic.Int64
	w := newWorld(t, func(options *directives.Options) {
		options.Observer = o
		options.Session = func(ctx context.Context) (string, bool) {
			asked.Add(1)
			return session(ctx)
		}
	})
	w.grants.all = true
	w.OnRecord = give(record(0))
	w.ask(t, `{ record { name } }`, nil)
	require.Zero(t, asked.Load(), "the session is not looked up without a token")
	w.ask(t, everything, nil)
	require.EqualValues(t, 1, asked.Load())
	w.ask(t, `mutation { take(token: "`+tok(1)+`", list: ["`+tok(2)+`"]) }`, nil)
	w.grants.failing = errBroken
	w.ask(t, `{ echo(token: "`+tok(3)+`") }`, nil)
	require.Equal(t, []string{"created 12 <nil>", "verified 2 <nil>", "verified 1 broken"}, o.seen)
}
