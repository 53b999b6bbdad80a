package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// credentials keeps the JWT. In the last part of its life the JWT is renewed in the background and still used;
// callers wait for a new one only if they have no usable JWT.
type credentials struct {
	fetch   func(context.Context) (string, time.Time, error)
	now     func() time.Time
	timeout time.Duration

	mu     sync.Mutex
	jwt    string // "": none
	renew  time.Time
	end    time.Time // when it is no longer used
	flight *flight
}

// flight is one call to fetch, shared by all callers that need a new JWT.
type flight struct {
	done chan struct{}
	jwt  string
	err  error
}

// Shares of a JWT's life, and their bounds: how long before its end the JWT is renewed, and how long before its end it
// is no longer used, so that it does not expire before it reaches the gateway.
const (
	renewShare, renewMost = 5, 30 * time.Second
	spareShare, spareMost = 20, 2 * time.Second
)

// get returns a JWT other than refused, the one that the gateway did not accept ("": none).
func (c *credentials) get(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	if c.jwt == refused {
		c.jwt = ""
	}
	now := c.now()
	if c.jwt != "" && now.Before(c.renew) {
		defer c.mu.Unlock()
		return c.jwt, nil
	}
	f := c.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flight = f
		go c.fly(context.WithoutCancel(ctx), f)
	}
	if c.jwt != "" && now.Before(c.end) {
		defer c.mu.Unlock()
		return c.jwt, nil
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.jwt, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (c *credentials) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := c.now()
	jwt, end, err := c.ask(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	c.flight = nil
	if f.jwt, f.err = jwt, err; err != nil {
		return
	}
	if end.IsZero() {
		c.jwt = ""
		return
	}
	life := end.Sub(asked)
	c.jwt = jwt
	c.renew = end.Add(-min(life/renewShare, renewMost))
	c.end = end.Add(-min(life/spareShare, spareMost))
}

// ask calls the application's function, and returns its panic as an error: in this goroutine it would end the process.
func (c *credentials) ask(ctx context.Context) (jwt string, end time.Time, err error) {
	defer func() {
		if p := recover(); p != nil {
			jwt, end, err = "", time.Time{}, errors.New("client: Options.Credentials panicked")
		}
	}()
	jwt, end, err = c.fetch(ctx)
	switch {
	case err != nil:
		return "", time.Time{}, fmt.Errorf("client: credentials: %w", err)
	case jwt == "" || strings.ContainsFunc(jwt, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", time.Time{}, errors.New("client: Options.Credentials returned a string that is not a JWT")
	case !end.IsZero() && !c.now().Before(end):
		return "", time.Time{}, errors.New("client: Options.Credentials returned a JWT that has expired")
	}
	return jwt, end, nil
}
