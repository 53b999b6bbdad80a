package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// How keys are fetched. See RFC 7517 for the format; the bounds are ours.
const (
	refreshAtMost  = 10 * time.Second // an unknown kid can't make us ask more often
	fetchTimeout   = 5 * time.Second
	maxJWKS        = 1 << 20
	retryUnfetched = 2 * time.Second
)

// source is where an issuer's keys come from: a fixed set, or a URL that is fetched again.
type source struct {
	issuer string // whose metadata name the URL; "": url does
	url    string // "" without an issuer: fixed
	every  time.Duration
	maxAge time.Duration
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	current atomic.Pointer[keySet]
	fetched atomic.Int64 // when current was last known to be right, Unix nanoseconds

	turn    chan struct{} // holds one: whose turn it is to ask
	attempt time.Time     // when the issuer was last asked; of whose turn it is
}

func newSource(i Issuer, o Options) (*source, error) {
	s := &source{
		url: i.JWKSURL, every: i.Refresh, maxAge: i.MaxAge, client: o.Client, log: o.Logger.With(slog.String("issuer", i.Name)), now: o.Now,
		turn: make(chan struct{}, 1),
	}
	if i.Discovery {
		s.issuer = i.Issuer
	}
	if s.fixed() {
		ks, err := parseKeySet(i.JWKS)
		if err != nil {
			return nil, err
		}
		s.current.Store(ks)
		return s, nil
	}
	if s.every <= 0 || s.maxAge < s.every {
		return nil, errors.New("its keys need an interval, and an age that is not below it")
	}
	if s.client == nil {
		s.client = fetchClient(i)
	}
	return s, nil
}

func (s *source) fixed() bool { return s.url == "" && s.issuer == "" }

// keys returns the newest keys, or nil while none is known or they are too old to trust.
func (s *source) keys() *keySet {
	ks := s.current.Load()
	if ks == nil || !s.fixed() && s.now().UnixNano()-s.fetched.Load() > int64(s.maxAge) {
		return nil
	}
	return ks
}

// refresh asks the issuer, unless it was asked a moment ago, and returns the keys that are known then.
// Callers that arrive meanwhile wait for the same answer, as long as their ctx lasts.
func (s *source) refresh(ctx context.Context, atMost time.Duration) *keySet {
	if s.fixed() {
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
			s.log.WarnContext(ctx, "an issuer's keys could not be fetched", slog.Any("error", err))
		}
	}
	return s.keys()
}

func (s *source) fetch(ctx context.Context) error {
	// A client that leaves must not spoil the answer for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
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
	ks, err := parseKeySet(b)
	if err != nil {
		return err
	}
	if old := s.current.Load(); old == nil || old.raw != ks.raw {
		s.current.Store(ks)
	}
	s.fetched.Store(at.UnixNano())
	return nil
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
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err == nil && len(b) > maxJWKS {
		err = fmt.Errorf("over %d bytes", maxJWKS)
	}
	return b, err
}

// run keeps the keys fresh until ctx ends; the first fetch is tried until it succeeds. While the issuer can't be
// reached it is asked more often, so that what has changed meanwhile is soon known.
func (s *source) run(ctx context.Context) {
	if s.fixed() {
		return
	}
	for {
		begun := s.now()
		wait := s.every
		switch known := s.refresh(ctx, retryUnfetched) != nil; {
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
