package objects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// refreshBefore is how long before their expiry credentials are refreshed: a URL becomes invalid
	// when the credentials that signed it expire.
	refreshBefore = 5 * time.Minute
	// refreshPause is the time between a failed refresh and the next while the old credentials are valid.
	refreshPause = 10 * time.Second
)

// signer has the presigners of one set of credentials.
type signer struct {
	creds         aws.Credentials // Expires is refreshBefore too early
	public, inner *Presigner
}

// fresh reports whether the credentials need no refresh.
func (g *signer) fresh(now time.Time) bool {
	return g != nil && (!g.creds.CanExpire || now.Before(g.creds.Expires))
}

// works reports whether the credentials have not expired.
func (g *signer) works(now time.Time) bool {
	return g != nil && (!g.creds.CanExpire || now.Before(g.end()))
}

func (g *signer) end() time.Time { return g.creds.Expires.Add(refreshBefore) }

// cap shortens ExpiresAt to the credentials' expiry.
func (g *signer) cap(r SignedRequest) SignedRequest {
	if g.creds.CanExpire && g.end().Before(r.ExpiresAt) {
		r.ExpiresAt = g.end().UTC()
	}
	return r
}

// signers caches the current signer and makes a new one when the credentials change.
type signers struct {
	provider aws.CredentialsProvider // its credentials expire refreshBefore too early
	make     func(aws.Credentials) (*signer, error)
	now      func() time.Time
	timeout  time.Duration

	current atomic.Pointer[signer]
	refresh sync.Mutex
	retryAt atomic.Int64 // no refresh is tried in the background before then, in Unix nanoseconds
}

// get returns a signer with valid credentials. It waits for the source of credentials only if the
// current ones have expired, because a source that hangs must not delay every detokenize.
func (s *signers) get(ctx context.Context) (*signer, error) {
	now := s.now()
	cur := s.current.Load()
	if cur.fresh(now) {
		return cur, nil
	}
	if cur.works(now) {
		if now.UnixNano() >= s.retryAt.Load() && s.refresh.TryLock() {
			go func() {
				defer s.refresh.Unlock()
				if _, err := s.renew(context.Background()); err != nil || !s.current.Load().fresh(s.now()) {
					s.retryAt.Store(now.Add(refreshPause).UnixNano()) // counted from the call: a test may have advanced the clock since
				}
			}()
		}
		return cur, nil
	}
	s.refresh.Lock()
	defer s.refresh.Unlock()
	if cur := s.current.Load(); cur.works(s.now()) {
		return cur, nil // another call has refreshed them
	}
	return s.renew(ctx)
}

// renew retrieves credentials; the caller holds the lock.
func (s *signers) renew(ctx context.Context) (*signer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	creds, err := s.provider.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("object store: no credentials: set objects.s3.access_key_id and secret_access_key, or a source that the AWS SDK reads (%w)", cleanError(err))
	}
	g := s.current.Load()
	if g == nil || g.creds != creds {
		if g, err = s.make(creds); err != nil {
			return nil, err
		}
	}
	if !g.works(s.now()) {
		return nil, errors.New("object store: the credentials have expired: renew them at their source")
	}
	s.current.Store(g)
	return g, nil
}

// earlyExpiry sets the credentials' expiry refreshBefore too early, as the SDK's cache does with its
// ExpiryWindow.
type earlyExpiry struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (e earlyExpiry) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := e.CredentialsProvider.Retrieve(ctx)
	if c.CanExpire {
		c.Expires = c.Expires.Add(-refreshBefore)
	}
	return c, err
}

func expiryWindow(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshBefore }
