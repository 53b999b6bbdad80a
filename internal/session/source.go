package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// How keys are kept up with. See RFC 7517 for the format; the times are ours.
const (
	refreshEvery   = 5 * time.Minute
	refreshAtMost  = 10 * time.Second // an unknown kid can't make us ask more often
	maxStale       = time.Hour        // keys of an issuer that can't be reached are trusted this long
	fetchTimeout   = 5 * time.Second
	maxJWKS        = 1 << 20
	retryUnfetched = 2 * time.Second
)

// source is where an issuer's keys come from: a fixed set, or a URL that is fetched again.
type source struct {
	url    string // "": fixed
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	current atomic.Pointer[keySet]
	fetched atomic.Int64 // when current was last known to be right, Unix nanoseconds

	turn    chan struct{} // holds one: whose turn it is to ask
	attempt time.Time     // when the URL was last asked; of whose turn it is
}

func newSource(url string, o Options) *source {
	return &source{url: url, client: o.Client, log: o.Logger, now: o.Now, turn: make(chan struct{}, 1)}
}

// keys returns the newest keys, or nil while none is known or they are too old to trust.
func (s *source) keys() *keySet {
	ks := s.current.Load()
	if ks == nil || s.url != "" && s.now().UnixNano()-s.fetched.Load() > int64(maxStale) {
		return nil
	}
	return ks
}

// refresh asks the URL, unless it was asked a moment ago, and returns the keys that are known then.
// Callers that arrive meanwhile wait for the same answer, as long as their ctx lasts.
func (s *source) refresh(ctx context.Context, atMost time.Duration) *keySet {
	if s.url == "" {
		return s.keys()
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return s.keys()
	}
	if now := s.now(); now.Sub(s.attempt) >= atMost {
		s.attempt = now
		if err := s.fetch(ctx); err != nil {
			s.log.WarnContext(ctx, "an issuer's keys could not be fetched", slog.String("url", s.url), slog.Any("error", err))
		}
	}
	return s.keys()
}

func (s *source) fetch(ctx context.Context) error {
	// A client that leaves must not spoil the answer for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return err
	}
	if len(b) > maxJWKS {
		return fmt.Errorf("over %d bytes", maxJWKS)
	}
	ks, err := parseKeySet(b)
	if err != nil {
		return err
	}
	if old := s.current.Load(); old == nil || old.raw != ks.raw {
		s.current.Store(ks)
	}
	s.fetched.Store(s.now().UnixNano())
	return nil
}

// run keeps the keys fresh until ctx ends; the first fetch is tried until it succeeds.
func (s *source) run(ctx context.Context) {
	if s.url == "" {
		return
	}
	for {
		wait := refreshEvery
		if s.refresh(ctx, retryUnfetched) == nil {
			wait = retryUnfetched
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// fetchClient follows no redirect: the keys come from the configured URL alone.
func fetchClient() *http.Client {
	return &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
