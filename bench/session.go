package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/credential"
)

const (
	rememberedGoal = 5 * time.Microsecond
	firstGoal      = 1.1
	perRound       = 200 // operations of each contender in a round
)

// timed is one contender of the session part, with its times in rounds of operations; an operation's index is that of a
// JWT.
type timed struct {
	name   string
	do     func(i int) error
	rounds []float64 // nanoseconds of an operation
}

// together times contenders in rounds: one after the other, with a different first one in each round.
func together(ctx context.Context, rounds int, all []*timed, before func() error) error {
	for round := range rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if before != nil {
			if err := before(); err != nil {
				return err
			}
		}
		for i := range all {
			c := all[(round+i)%len(all)]
			begin := time.Now()
			for n := range perRound {
				if err := c.do(n); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			c.rounds = append(c.rounds, float64(time.Since(begin))/perRound)
		}
	}
	return nil
}

// against compares one contender's times with another's, by round.
func (c *timed) against(base *timed, how func(own, base float64) float64) []float64 {
	all := make([]float64, len(c.rounds))
	for i := range all {
		all[i] = how(c.rounds[i], base.rounds[i])
	}
	return all
}

func difference(own, base float64) float64 { return own - base }
func quotient(own, base float64) float64   { return own / base }

func (c *timed) micros() string { return micros(time.Duration(median(c.rounds))) }

// allocations returns the allocations of one operation.
func (c *timed) allocations() float64 {
	i := -1
	return testing.AllocsPerRun(perRound-1, func() {
		i++
		if err := c.do(i % perRound); err != nil {
			panic(err) // not reached: it did in every round
		}
	})
}

// uncounted is an Observer that counts nothing.
type uncounted struct{}

func (uncounted) Credential(string) {}

// credentials measures the cost of credentials, in this process, without the network.
func (b *bench) credentials(ctx context.Context) error {
	fmt.Println()
	b.printMachine()
	fmt.Printf("%d rounds of %d operations of each kind.\n\n", b.rounds, perRound)
	for _, part := range []func(context.Context) error{b.remembered, b.firstVerification, b.refusals} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// remembered sends requests without work to the whole gateway's handler, with a remembered JWT and without one.
func (b *bench) remembered(ctx context.Context) (err error) {
	f, err := newFixture(filepath.Join(b.work, "session"), 1)
	if err != nil {
		return err
	}
	cfg, err := gateway.LoadConfig(f.config, nil)
	if err != nil {
		return err
	}
	g, err := gateway.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, gateway.Listeners{}) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()
	ask := func(authorization []string) func(int) error {
		text := string(body("{ __typename }", nil))
		return func(int) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.address+"/graphql", strings.NewReader(text))
			if err != nil {
				return err
			}
			r.Header["Content-Type"], r.Header["Accept"] = []string{"application/json"}, []string{"application/json"}
			if authorization != nil {
				r.Header["Authorization"] = authorization
			}
			w := discard{header: http.Header{}}
			g.ServeHTTP(&w, r)
			if w.status != 0 && w.status != http.StatusOK || string(w.start) != answerStart {
				return fmt.Errorf("status %d: %s", w.status, w.start)
			}
			return nil
		}
	}
	none, with := &timed{name: "none", do: ask(nil)}, &timed{name: "remembered", do: ask([]string{"Bearer " + f.jwts[0]})}
	if err := together(ctx, 10*b.rounds, []*timed{none, with}, nil); err != nil {
		return err
	}
	more := with.against(none, difference)
	verdict := "met"
	if median(more) > float64(rememberedGoal) {
		verdict = "**missed**"
	}
	fmt.Println("| `{ __typename }`, by the gateway's handler | without a credential | with a remembered JWT | more: median | 10 % to 90 % of rounds | goal | allocations | more |\n|---|---:|---:|---:|---|---|---:|---:|")
	fmt.Printf("| ES256 | %s | %s | **%s** | %s to %s | ≤ %s: %s | %.0f | %.0f |\n\n", none.micros(), with.micros(),
		micros(time.Duration(median(more))), micros(time.Duration(quantile(more, 0.1))), micros(time.Duration(quantile(more, 0.9))),
		micros(rememberedGoal), verdict, none.allocations(), with.allocations()-none.allocations())
	return nil
}

// firstVerification compares the first verification of a JWT with jwx alone.
func (b *bench) firstVerification(ctx context.Context) error {
	fmt.Println("| first verification | `jws.Verify` | `jwt.Parse`, validating | ours | to `jws.Verify`: median | 10 % to 90 % of rounds | goal | to `jwt.Parse` | allocations: `jws.Verify` | `jwt.Parse` | ours |\n|---|---:|---:|---:|---:|---|---|---:|---:|---:|---:|")
	for _, s := range signers {
		k, err := newIssuerKey(s)
		if err != nil {
			return err
		}
		texts, err := k.jwts(perRound, issuerName)
		if err != nil {
			return err
		}
		requests := bearers(texts...)
		var auth *credential.Authenticator
		fresh := func() (err error) {
			auth, err = k.authenticator()
			return err
		}
		bare := &timed{name: "jws", do: func(i int) error {
			_, err := jws.Verify([]byte(texts[i]), jws.WithKey(s.alg, k.public))
			return err
		}}
		parse := &timed{name: "jwt", do: func(i int) error {
			_, err := jwt.Parse([]byte(texts[i]), jwt.WithKey(s.alg, k.public), jwt.WithIssuer(issuerName), jwt.WithAudience("gateway"))
			return err
		}}
		own := &timed{name: "ours", do: func(i int) error {
			_, err := auth.Authenticate(requests[i])
			return err
		}}
		if err := together(ctx, b.rounds, []*timed{bare, parse, own}, fresh); err != nil {
			return err
		}
		if err := fresh(); err != nil {
			return err
		}
		ratios := own.against(bare, quotient)
		fmt.Printf("| %s | %s | %s | %s | **%.3f** | %.3f to %.3f | %s | %.3f | %.0f | %.0f | %.0f |\n", s.alg, bare.micros(), parse.micros(), own.micros(),
			median(ratios), quantile(ratios, 0.1), quantile(ratios, 0.9), atMost(firstGoal, median(ratios)), median(own.against(parse, quotient)),
			bare.allocations(), parse.allocations(), own.allocations())
	}
	fmt.Println()
	return nil
}
