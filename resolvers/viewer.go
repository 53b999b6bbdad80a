package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/caller"
)

func (queries) Viewer(ctx context.Context) (*model.Viewer, error) {
	c := caller.From(ctx)
	if c == nil {
		return nil, nil
	}
	viewer := &model.Viewer{
		Subject: &c.Subject, Roles: append([]string{}, c.Roles...), Tenant: c.Tenant, ExpiresAt: c.ExpiresAt,
	}
	if c.Session != nil {
		hash := c.Session.String()
		viewer.SessionHash = &hash
	}
	return viewer, nil
}
