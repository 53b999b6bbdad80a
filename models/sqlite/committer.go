package sqlite

import (
	"context"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// Limits of one commit, in requests and in their rows, so that its first request does not wait long.
const (
	maxGroup     = 256
	maxGroupRows = 4096
)

// partEvery is the number of groups after which one part of a sweep runs, even if requests never stop coming.
const partEvery = 8

// committer implements group commit: requests that arrive while a transaction is being made durable wait, and
// share the next one. There is no timer; a lone request commits at once. Parts of sweeps run when nothing else
// waits, so that a request waits for one part at most.
type committer struct {
	db      *gorm.DB
	reserve *reserve
	queue   chan *request
	parts   chan *request
	done    chan struct{}

	destroyed atomic.Bool // whether keys were destroyed since the last Settle

	mu     sync.RWMutex // held shared while sending, so that close never races a send
	closed bool
}

// request is a batch, or any other work; its outcome arrives on result exactly once.
type request struct {
	ctx        context.Context
	batch      *models.Batch
	grants     []models.Grant // of the batch, to be stored as rows
	lists      []grantList    // of the batch, to be stored as lists
	candidates candidates     // lists that the batch's revocation may change

	work          func(tx *gorm.DB) error // nil: the batch
	noTransaction bool                    // work runs without a transaction
	grows         bool                    // work adds rows, and is refused while the reserve is not whole
	result        chan outcome
}

type outcome struct {
	models.Result
	err error
}

func newCommitter(db *gorm.DB, reserve *reserve) *committer {
	c := &committer{db: db, reserve: reserve, queue: make(chan *request, maxGroup), parts: make(chan *request), done: make(chan struct{})}
	go c.run()
	return c
}

// size returns the number of the request's rows. Lists count as the rows that they may become.
func (r *request) size() int {
	if r.batch == nil {
		return 0
	}
	n := len(r.batch.Tokens) + len(r.grants) + len(r.batch.Used) + len(r.batch.Ended) + len(r.batch.Purge) + len(r.batch.Forget)
	for _, has := range []bool{r.batch.Begin != nil, r.batch.Started != nil, r.batch.Complete != nil, r.batch.Abort != nil} {
		if has {
			n++
		}
	}
	for i := range r.lists {
		n += r.lists[i].tokens.len()
	}
	if r.batch.Revoke != nil {
		n += len(r.batch.Revoke.Tokens)
	}
	if r.batch.Destroy != nil {
		n += len(r.batch.Destroy.Tokens)
	}
	return n
}

// inserts reports whether a request only inserts tokens and grants: neighbouring requests of this kind are merged.
func (r *request) inserts() bool {
	b := r.batch
	return b != nil && !b.Ends() && b.Begin == nil && b.Started == nil && b.Complete == nil && b.Move == nil && len(b.Used) == 0
}

// do runs work in its own transaction. On a full disk the work may use the reserve, and may run twice.
func (c *committer) do(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(c.queue, &request{ctx: ctx, work: work}).err
}

// part is do for a part of a sweep.
func (c *committer) part(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(c.parts, &request{ctx: ctx, work: work}).err
}

// grow runs work that adds rows in its own transaction. It returns ErrFull if there is no room beside the reserve.
func (c *committer) grow(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(c.queue, &request{ctx: ctx, work: work, grows: true}).err
}

// withoutTransaction runs work on the writer's goroutine, without a transaction, when nothing else waits.
func (c *committer) withoutTransaction(ctx context.Context, work func(w *gorm.DB) error) error {
	return c.submit(c.parts, &request{ctx: ctx, work: work, noTransaction: true}).err
}

func (c *committer) submit(queue chan<- *request, r *request) outcome {
	r.result = make(chan outcome, 1)
	if err := c.send(queue, r); err != nil {
		return outcome{err: err}
	}
	select {
	case o := <-r.result:
		return o
	case <-r.ctx.Done():
		return outcome{err: r.ctx.Err()}
	}
}

func (c *committer) send(queue chan<- *request, r *request) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return models.ErrClosed
	}
	select {
	case queue <- r:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// close refuses new requests and returns once the accepted ones are finished.
func (c *committer) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
	c.mu.Unlock()
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	for groups := 1; ; groups++ {
		first, ok := c.next(groups%partEvery == 0)
		if !ok {
			return
		}
		c.commit(c.gather(first))
	}
}

// next returns the next request: one from the queue, or a part of a sweep if the queue is empty. With part set, a part
// of a sweep comes first.
func (c *committer) next(part bool) (r *request, ok bool) {
	first, second := c.queue, c.parts
	if part {
		first, second = second, first
	}
	select {
	case r, ok = <-first:
		return r, ok
	default:
	}
	select {
	case r, ok = <-first:
	case r, ok = <-second:
	}
	return r, ok
}

// gather returns a group of the first request and those that wait already. A request of other work ends the group.
func (c *committer) gather(first *request) []*request {
	group := []*request{first}
	if first.work != nil {
		return group
	}
	rows := first.size()
	for len(group) < maxGroup && rows < maxGroupRows {
		select {
		case r, ok := <-c.queue:
			if !ok {
				return group
			}
			group = append(group, r)
			if r.work != nil {
				return group
			}
			rows += r.size()
		default:
			return group
		}
	}
	return group
}
