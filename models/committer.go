package models

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"
)

// maxGroup bounds how many requests share one commit, so that the first of them does not wait long.
const maxGroup = 256

// committer is group commit: requests that arrive while a transaction is being made durable wait, and
// all go into the next one. There is no timer; a lone request commits at once.
type committer struct {
	db    *gorm.DB
	queue chan *request
	done  chan struct{}

	mu     sync.RWMutex // held shared while sending, so that close never races a send
	closed bool
}

// request is rows to insert, or any other work; its error arrives on result exactly once.
type request struct {
	ctx    context.Context
	tokens []Token
	grants []Grant
	work   func(tx *gorm.DB) error
	result chan error
}

func newCommitter(db *gorm.DB) *committer {
	c := &committer{db: db, queue: make(chan *request, maxGroup), done: make(chan struct{})}
	go c.run()
	return c
}

// insert stores rows; those of concurrent calls share a transaction. When it returns nil they are
// durable. When ctx ends first they may be durable or not.
func (c *committer) insert(ctx context.Context, tokens []Token, grants []Grant) error {
	return c.submit(&request{ctx: ctx, tokens: tokens, grants: grants, result: make(chan error, 1)})
}

// do runs work in a transaction of its own.
func (c *committer) do(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(&request{ctx: ctx, work: work, result: make(chan error, 1)})
}

func (c *committer) submit(r *request) error {
	if err := c.send(r); err != nil {
		return err
	}
	select {
	case err := <-r.result:
		return err
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (c *committer) send(r *request) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return ErrClosed
	}
	select {
	case c.queue <- r:
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
	for first := range c.queue {
		c.commit(c.gather(first))
	}
}

// gather takes what is waiting, without waiting for more.
func (c *committer) gather(first *request) []*request {
	group := []*request{first}
	for len(group) < maxGroup {
		select {
		case r, ok := <-c.queue:
			if !ok {
				return group
			}
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// commit keeps the order of arrival between inserts and other work.
func (c *committer) commit(group []*request) {
	var inserts []*request
	for _, r := range group {
		switch {
		case r.ctx.Err() != nil: // its caller has left, and was told nothing
			r.result <- r.ctx.Err()
		case r.work == nil:
			inserts = append(inserts, r)
		default:
			c.commitInserts(inserts)
			inserts = nil
			r.result <- c.transaction(r.ctx, r.work)
		}
	}
	c.commitInserts(inserts)
}

// commitInserts makes one transaction of the requests; if it fails, one of each, so that a bad row
// fails its own request alone.
func (c *committer) commitInserts(group []*request) {
	if len(group) == 0 {
		return
	}
	var tokens []Token
	var grants []Grant
	for _, r := range group {
		tokens = append(tokens, r.tokens...)
		grants = append(grants, r.grants...)
	}
	err := c.transaction(context.Background(), func(tx *gorm.DB) error { return insertRows(tx, tokens, grants) })
	if err == nil || len(group) == 1 {
		for _, r := range group {
			r.result <- err
		}
		return
	}
	for _, r := range group {
		r.result <- c.transaction(r.ctx, func(tx *gorm.DB) error { return insertRows(tx, r.tokens, r.grants) })
	}
}

// transaction turns a panic into an error: the writer outlives it, and the rows are rolled back.
func (c *committer) transaction(ctx context.Context, work func(tx *gorm.DB) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("models: panic in a transaction: %v", r)
		}
	}()
	return c.db.WithContext(ctx).Transaction(work)
}
