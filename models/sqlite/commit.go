package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// commit carries out a group in the order of arrival: batches, then at most one request of other work.
func (c *committer) commit(group []*request) {
	var batches []*request
	for _, r := range group {
		switch {
		case r.ctx.Err() != nil: // the caller has left without a result
			r.result <- outcome{err: r.ctx.Err()}
		case r.work == nil:
			batches = append(batches, r)
		default:
			c.commitBatches(batches)
			batches = nil
			r.result <- outcome{err: c.perform(r)}
		}
	}
	c.commitBatches(batches)
}

// commitBatches commits the requests in one transaction. On a disk that is nearly full, each request that ends something
// has its own transaction, which may use the reserve.
func (c *committer) commitBatches(group []*request) {
	ends := false
	for _, r := range group {
		ends = ends || r.batch.Ends()
	}
	if !ends || c.reserve.hasSpareRoom() {
		c.commitTogether(group)
		return
	}
	var adds []*request
	for _, r := range group {
		if !r.batch.Ends() {
			adds = append(adds, r)
			continue
		}
		c.commitTogether(adds)
		adds = nil
		c.commitAlone(r)
	}
	c.commitTogether(adds)
}

// commitTogether commits the requests in one transaction. If it fails, each request gets its own, so that a request that
// can't succeed fails alone.
func (c *committer) commitTogether(group []*request) {
	group = c.refuseWhereFull(group)
	if len(group) == 1 {
		c.commitAlone(group[0])
		return
	}
	if len(group) == 0 {
		return
	}
	results := make([]models.Result, len(group))
	err := c.transaction(context.Background(), func(tx *gorm.DB) error { return c.applyAll(tx, group, results) })
	for i, r := range group {
		if err == nil {
			r.result <- outcome{Result: results[i]}
		} else {
			c.commitAlone(r)
		}
	}
}

// refuseWhereFull makes room for the rows that the requests add. If there is no room it refuses the requests that add
// rows, and returns the others.
func (c *committer) refuseWhereFull(group []*request) []*request {
	growth, adds := int64(0), false
	for _, r := range group {
		growth += r.growth()
		adds = adds || r.batch.Adds()
	}
	if !adds {
		return group
	}
	err := c.reserve.ensure(c.db.WithContext(context.Background()), growth)
	if err == nil {
		return group
	}
	var others []*request
	for _, r := range group {
		if r.batch.Adds() {
			r.result <- outcome{err: err}
		} else {
			others = append(others, r)
		}
	}
	return others
}

func (c *committer) commitAlone(r *request) {
	var done models.Result
	apply := func(tx *gorm.DB) (err error) {
		done, err = c.apply(tx, r)
		return err
	}
	var err error
	if r.batch.Adds() {
		err = c.transaction(r.ctx, apply)
	} else {
		err = c.end(r.ctx, apply)
	}
	if err != nil {
		done = models.Result{}
	}
	r.result <- outcome{done, err}
}

func (c *committer) perform(r *request) error {
	switch {
	case r.noTransaction:
		return c.runWithoutTransaction(r.ctx, r.work)
	case r.grows:
		if err := c.reserve.ensure(c.db.WithContext(context.WithoutCancel(r.ctx)), 0); err != nil {
			return err
		}
		return c.transaction(r.ctx, r.work)
	}
	return c.end(r.ctx, r.work)
}

// end runs work that ends something in a transaction, which may use the reserve on a full disk. It may run work twice.
func (c *committer) end(ctx context.Context, work func(tx *gorm.DB) error) error {
	released := func(tx *gorm.DB) error {
		if err := c.reserve.release(tx); err != nil {
			return err
		}
		return work(tx)
	}
	err := c.transaction(ctx, released)
	if !isFull(err) {
		return err
	}
	// The log may have reached its end. Once all of it is written back, there is room at its start.
	if again := c.runWithoutTransaction(ctx, func(w *gorm.DB) error { return w.Exec("PRAGMA wal_checkpoint(RESTART)").Error }); again != nil {
		return errors.Join(err, again)
	}
	return c.transaction(ctx, released)
}

// transaction runs work in a transaction. The pool has one connection, and only this goroutine uses it, so
// BEGIN and COMMIT can be ordinary statements: all statements stay prepared, which statements of a
// database/sql transaction do not. A panic becomes an error: the rows are rolled back, and the writer
// goes on. A caller that leaves does not stop a transaction half-way.
func (c *committer) transaction(ctx context.Context, work func(tx *gorm.DB) error) (err error) {
	tx := c.db.WithContext(context.WithoutCancel(ctx))
	if err := begin(tx); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sqlite: panic in a transaction: %v", r)
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

// begin starts a transaction. It ends one that a failed ROLLBACK has left open: otherwise no write would succeed
// until the next start.
func begin(tx *gorm.DB) error {
	err := execute(tx, "BEGIN IMMEDIATE")
	if err == nil || execute(tx, "ROLLBACK") != nil {
		return err
	}
	return execute(tx, "BEGIN IMMEDIATE")
}

// runWithoutTransaction runs work without a transaction; a panic is an error.
func (c *committer) runWithoutTransaction(ctx context.Context, work func(w *gorm.DB) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sqlite: panic: %v", r)
		}
	}()
	return work(c.db.WithContext(context.WithoutCancel(ctx)))
}

// execute runs a statement in SQLite's dialect through GORM's pool of prepared statements. GORM does not build
// its text again.
func execute(tx *gorm.DB, text string, args ...any) error {
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, text, args...)
	return err
}

// ignoreNoTransaction drops the error of a ROLLBACK without a transaction: SQLite rolls back by itself after some
// errors, such as a full disk.
func ignoreNoTransaction(err error) error {
	if err != nil && strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return err
}
