// Package sessionrows keeps in the database what sessions need: which have ended, and which states of sign-ins are used.
// The session rooms see no rows; each declares an interface, which a type here implements.
package sessionrows

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
)

// Rows is a part of models.Rows, which says what may be relied on.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	EndedSince(ctx context.Context, since, now int64, each func(models.Ended)) error
}

// Ended is revocation.Rows over the database.
type Ended struct{ Rows Rows }

var _ revocation.Rows = Ended{}

// End implements revocation.Rows.
func (e Ended) End(ctx context.Context, row revocation.Row) error {
	_, err := e.Rows.Write(ctx, models.Batch{Ended: []models.Ended{models.Ended(row)}})
	return err
}

// EndSession implements revocation.Rows. What has ended and the revocation are one batch.
func (e Ended) EndSession(ctx context.Context, tenant string, row revocation.Row) (int, error) {
	done, err := e.Rows.Write(ctx, models.Batch{
		Now: row.EndedAt, Ended: []models.Ended{models.Ended(row)}, Revoke: &models.Revocation{Tenant: tenant, Session: &row.ID},
	})
	return done.Revoked, err
}

// EndedSince implements revocation.Rows.
func (e Ended) EndedSince(ctx context.Context, since, now int64, each func(revocation.Row)) error {
	return e.Rows.EndedSince(ctx, since, now, func(row models.Ended) { each(revocation.Row(row)) })
}

// States is signin.States over the database.
type States struct{ Rows Rows }

// errOutcome is a result that says nothing of the state: it is refused.
var errOutcome = errors.New("sessionrows: the database did not say whether the state was used")

// ConsumeState implements signin.States.
func (s States) ConsumeState(ctx context.Context, digest [32]byte, keepUntil time.Time) (first bool, err error) {
	done, err := s.Rows.Write(ctx, models.Batch{Used: []models.UsedState{{Digest: ids.Digest(digest), ExpiresAt: keepUntil.UnixMilli()}}})
	if err != nil {
		return false, err
	}
	if len(done.FirstUse) != 1 {
		return false, errOutcome
	}
	return done.FirstUse[0], nil
}
