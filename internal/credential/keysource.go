package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// Limits on fetching keys. RFC 7517 has the format, and no limits.
const (
	refreshAtMost  = 10 * time.Second // unknown kids don't cause more fetches than one in this time
	fetchTimeout   = 5 * time.Second
	maxJWKS        = 1 << 20
	retryUnfetched = 2 * time.Second
)

// source provides an issuer's keys: a fixed set, or a URL that is fetched repeatedly.
type source struct {
	issuer string // its metadata name the URL; "": url is used
	url    string // "" without an issuer: fixed
	every  time.Duration
	maxAge time.Duration
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	current atomic.Pointer[jose.Set]
	fetched atomic.Int64                  // when current was last confirmed, Unix nanoseconds
	ahead   atomic.Pointer[time.Duration] // by how much the issuer's clock was ahead, by its last Date header

	lock    chan struct{}        // a mutex whose waiters can give up: held while the issuer is asked
	attempt time.Time            // when the issuer was last asked; guarded by lock
	logged  map[jose.Unused]bool // members of its sets that were logged; guarded by lock
}

func newSource(i Issuer, o Options) (*source, error) {
	s := &source{
		url: i.JWKSURL, every: i.Refresh, maxAge: i.MaxAge, client: o.Client, log: o.Logger.With(slog.String("issuer", i.Name)), now: o.Now,
		lock: make(chan struct{}, 1), logged: map[jose.Unused]bool{},
	}
	if i.Discovery {
		s.issuer = i.Issuer
	}
	if s.fixed() {
		ks, err := jose.ParseSet(i.JWKS)
		s.logUnused(context.Background(), ks)
		if err != nil {
			return nil, err
		}
		s.current.Store(ks)
		return s, nil
	}
	if s.every <= 0 || s.maxAge < s.every {
		return nil, errors.New("its keys need a refresh interval, and a maximum age that is not below the interval")
	}
	if s.client == nil {
		s.client = fetchClient(i)
	}
	return s, nil
}

func (s *source) fixed() bool { return s.url == "" && s.issuer == "" }

// keys returns the newest keys, or nil if there are none yet or they are older than maxAge.
func (s *source) keys() *jose.Set {
	ks := s.current.Load()
	if ks == nil || !s.fixed() && s.now().UnixNano()-s.fetched.Load() > int64(s.maxAge) {
		return nil
	}
	return ks
}

// refresh asks the issuer on behalf of a request, unless it was asked less than atMost ago, and returns the current keys.
// Concurrent requests wait for the same answer until their ctx ends. The fetch goes on if the first client leaves, because
// the other requests need the answer.
func (s *source) refresh(ctx context.Context, atMost time.Duration) *jose.Set {
	if !s.fixed() {
		s.update(ctx, context.WithoutCancel(ctx), atMost)
	}
	return s.keys()
}

// update asks the issuer, unless it was asked less than atMost ago. It waits for lock until waiting ends, and for the
// answer until asking ends.
func (s *source) update(waiting, asking context.Context, atMost time.Duration) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-waiting.Done():
		return
	}
	now := s.now()
	if now.Sub(s.attempt) < atMost {
		return
	}
	s.attempt = now
	if err := s.fetch(asking); err != nil && asking.Err() == nil {
		s.log.WarnContext(asking, "an issuer's keys could not be fetched", slog.Any("error", err))
	}
}

// ask asks the issuer now.
func (s *source) ask(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.attempt = s.now()
	return s.fetch(ctx)
}

func (s *source) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	at, url := s.now(), s.url
	if s.issuer != "" {
		var err error
		if url, err = s.discover(ctx); err != nil {
			return err
		}
	}
	b, err := s.get(ctx, url, "application/jwk-set+json, application/json")
	if err != nil {
		return err
	}
	ks, err := jose.ParseSet(b)
	s.logUnused(ctx, ks)
	if err != nil {
		return err
	}
	if old := s.current.Load(); !ks.Same(old) {
		s.current.Store(ks)
	}
	s.fetched.Store(at.UnixNano())
	return nil
}

// maxLogged limits how many members of an issuer's sets are logged while the program runs: the issuer chooses their names.
const maxLogged = 32

// logUnused logs the members of a set that are not used, each once. It omits keys for other uses, which are normal.
func (s *source) logUnused(ctx context.Context, ks *jose.Set) {
	if ks == nil {
		return
	}
	for _, l := range ks.Unused() {
		if l.Kind == jose.OtherUse || s.logged[l] || len(s.logged) >= maxLogged {
			continue
		}
		s.logged[l] = true
		s.log.WarnContext(ctx, "a key of an issuer's set is not used", slog.String("key", l.String()), slog.Bool("last_logged", len(s.logged) == maxLogged))
	}
}

func (s *source) get(ctx context.Context, url, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		ahead := date.Sub(s.now().Truncate(time.Second))
		s.ahead.Store(&ahead)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err == nil && len(b) > maxJWKS {
		err = fmt.Errorf("over %d bytes", maxJWKS)
	}
	return b, err
}

// run keeps the keys fresh until ctx ends, which also ends a fetch. The first fetch is repeated until it succeeds. While
// the issuer can't be reached it is asked more often, so that changes are known soon.
func (s *source) run(ctx context.Context) {
	if s.fixed() {
		return
	}
	defer s.client.CloseIdleConnections() // each connection has goroutines
	for {
		begun := s.now()
		wait := s.every
		s.update(ctx, ctx, retryUnfetched)
		switch known := s.keys() != nil; {
		case !known:
			wait = retryUnfetched
		case s.fetched.Load() < begun.Add(-retryUnfetched).UnixNano():
			wait = min(s.every, refreshAtMost)
		}
		timer := time.NewTimer(wait - s.now().Sub(begun))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
