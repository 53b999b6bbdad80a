package gateway

import (
	"fmt"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/limit"
)

// newLimiter makes the limiter of sessions, tenants and addresses on this replica.
func (g *Gateway) newLimiter(observer limit.Observer) (*limit.Limiter, error) {
	clients, err := clientaddr.New(g.cfg.HTTP.TrustedHops, g.cfg.HTTP.ClientHeader, g.log)
	if err != nil {
		return nil, fmt.Errorf("config: http.trusted_hops: %w", err)
	}
	return limit.New(limit.Options{Rates: g.cfg.Rates, Clients: clients, Observer: observer})
}
