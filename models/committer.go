package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// What bounds one commit, so that its first request does not wait long: requests, and their rows.
const (
	maxGroup     = 256
	maxGroupRows = 4096
)

// committer is group commit: requests that arrive while a transaction is being made durable wait, and
// all go into the next one. There is no timer; a lone request commits at once.
type committer struct {
	db      *gorm.DB
	reserve *reserve
	queue   chan *request
	done    chan struct{}

	mu     sync.RWMutex // held shared while sending, so that close never races a send
	closed bool
}

// request is rows to insert, or any other work; its error arrives on result exactly once.
type request struct {
	ctx    context.Context
	tokens []Token
	grants []Grant
	lists  []grantList
	work   func(tx *gorm.DB) error
	alone  bool // work is not to be in a transaction
	grows  bool // work adds rows, and is refused while the reserve is not whole
	result chan error
}

func newCommitter(db *gorm.DB, reserve *reserve) *committer {
	c := &committer{db: db, reserve: reserve, queue: make(chan *request, maxGroup), done: make(chan struct{})}
	go c.run()
	return c
}

// insert stores rows; those of concurrent calls share a transaction. When it returns nil they are
// durable. When ctx ends first they may be durable or not.
func (c *committer) insert(ctx context.Context, tokens []Token, grants []Grant, lists []grantList) error {
	return c.submit(&request{ctx: ctx, tokens: tokens, grants: grants, lists: lists, result: make(chan error, 1)})
}

// size counts lists as the rows that they may become.
func (r *request) size() int {
	n := len(r.tokens) + len(r.grants)
	for i := range r.lists {
		n += r.lists[i].tokens.len()
	}
	return n
}

// do runs work in a transaction of its own. On a full disk it has the reserve, and may be run twice.
func (c *committer) do(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(&request{ctx: ctx, work: work, result: make(chan error, 1)})
}

// grow runs work that adds rows in a transaction of its own; ErrFull where there is no room beside the reserve.
func (c *committer) grow(ctx context.Context, work func(tx *gorm.DB) error) error {
	return c.submit(&request{ctx: ctx, work: work, grows: true, result: make(chan error, 1)})
}

// alone runs work in the writer's turn, outside any transaction.
func (c *committer) alone(ctx context.Context, work func(w *gorm.DB) error) error {
	return c.submit(&request{ctx: ctx, work: work, alone: true, result: make(chan error, 1)})
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
	rows := first.size()
	for len(group) < maxGroup && rows < maxGroupRows {
		select {
		case r, ok := <-c.queue:
			if !ok {
				return group
			}
			group = append(group, r)
			rows += r.size()
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
			r.result <- c.perform(r)
		}
	}
	c.commitInserts(inserts)
}

func (c *committer) perform(r *request) error {
	switch {
	case r.alone:
		return c.outside(r.ctx, r.work)
	case r.grows:
		if err := c.reserve.ensure(c.db.WithContext(context.WithoutCancel(r.ctx)), 0); err != nil {
			return err
		}
		return c.transaction(r.ctx, r.work)
	}
	work := func(tx *gorm.DB) error {
		if err := c.reserve.release(tx); err != nil {
			return err
		}
		return r.work(tx)
	}
	err := c.transaction(r.ctx, work)
	if !isFull(err) {
		return err
	}
	// The log may be at its end, with all of it written back or to be written back: then there is room at its start.
	if again := c.outside(r.ctx, func(w *gorm.DB) error { return w.Exec("PRAGMA wal_checkpoint(RESTART)").Error }); again != nil {
		return errors.Join(err, again)
	}
	return c.transaction(r.ctx, work)
}

// commitInserts makes one transaction of the requests; if it fails, one of each, so that a bad row
// fails its own request alone.
func (c *committer) commitInserts(group []*request) {
	if len(group) == 0 {
		return
	}
	var tokens []Token
	var grants []Grant
	var lists []grantList
	growth := int64(0)
	for _, r := range group {
		growth += r.growth()
		tokens = append(tokens, r.tokens...)
		grants = append(grants, r.grants...)
		lists = append(lists, r.lists...)
	}
	err := c.reserve.ensure(c.db.WithContext(context.Background()), growth)
	full := err != nil
	if !full {
		err = c.transaction(context.Background(), func(tx *gorm.DB) error { return insertRows(tx, tokens, grants, lists) })
	}
	if err == nil || full || len(group) == 1 {
		for _, r := range group {
			r.result <- err
		}
		return
	}
	for _, r := range group {
		r.result <- c.transaction(r.ctx, func(tx *gorm.DB) error { return insertRows(tx, r.tokens, r.grants, r.lists) })
	}
}

// transaction runs work in a transaction. The pool has one connection, and only this goroutine uses it, so
// that BEGIN and COMMIT can be statements like the others: all of them stay prepared, which those of a
// database/sql transaction do not. A panic is an error: the writer outlives it, and the rows are rolled
// back. A caller that leaves does not stop a transaction half-way.
func (c *committer) transaction(ctx context.Context, work func(tx *gorm.DB) error) (err error) {
	tx := c.db.WithContext(context.WithoutCancel(ctx))
	if err := begin(tx); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("models: panic in a transaction: %v", r)
		}
		if err == nil {
			err = execute(tx, "COMMIT")
		}
		if err != nil {
			err = errors.Join(err, ignoreNoTransaction(execute(tx, "ROLLBACK")))
		}
	}()
	return work(tx)
}

// begin ends a transaction that a failed ROLLBACK has left open: with it, no write would succeed until the
// next start.
func begin(tx *gorm.DB) error {
	err := execute(tx, "BEGIN IMMEDIATE")
	if err == nil || execute(tx, "ROLLBACK") != nil {
		return err
	}
	return execute(tx, "BEGIN IMMEDIATE")
}

// outside runs work without a transaction; a panic is an error.
func (c *committer) outside(ctx context.Context, work func(w *gorm.DB) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("models: panic: %v", r)
		}
	}()
	return work(c.db.WithContext(context.WithoutCancel(ctx)))
}

// execute runs a statement that is in the engine's dialect already, through GORM's pool of prepared
// statements, without building its text anew.
func execute(tx *gorm.DB, text string, args ...any) error {
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, text, args...)
	return err
}

// ignoreNoTransaction: SQLite has rolled back by itself after some errors, such as a full disk.
func ignoreNoTransaction(err error) error {
	if err != nil && strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return err
}
