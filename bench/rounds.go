package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// measured has the results of one contender's slices.
type measured struct {
	rates    []float64 // requests a second, by round
	p50, p99 []float64 // milliseconds, by round
	cpu      time.Duration
	read     int // bytes read from files and sockets
	requests int
	memory   float64 // the most anonymous memory, MiB, at the end of any slice
}

// compared has the results of one pair.
type compared struct {
	pair
	real, base measured
	ratios     []float64 // real to base, by round
}

// perRequest returns the server's processor time for one request.
func (m *measured) perRequest() time.Duration {
	return m.cpu / time.Duration(max(m.requests, 1))
}

// compare runs the rounds: in each, every pair has a slice of one contender and immediately a slice of the other,
// in an order that changes from round to round. Other load on the machine slows both.
func (b *bench) compare(ctx context.Context, g *generator, pairs []pair) ([]compared, error) {
	all := make([]compared, len(pairs))
	for i, p := range pairs {
		all[i].pair = p
		for _, c := range []contender{p.real, p.base} { // caches, the pools of connections, the heap's size
			if _, err := g.slice(c.target, 2*b.slice); err != nil {
				return nil, err
			}
		}
	}
	for round := range b.rounds {
		for i := range all {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			c, length := &all[i], b.slice
			if c.slow && round%slowly > 0 {
				continue
			}
			if c.slow {
				length *= slowly
			}
			if c.settle > 0 {
				if _, err := g.slice(c.pair.base.target, c.settle); err != nil {
					return nil, err
				}
			}
			if err := c.measure(g, length, len(c.ratios)%2 == 1); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// measure runs a slice of each contender of the pair.
func (c *compared) measure(g *generator, length time.Duration, realFirst bool) error {
	real := func() error { return c.real.slice(g, c.pair.real, length) }
	base := func() error { return c.base.slice(g, c.pair.base, length) }
	first, second := base, real
	if realFirst {
		first, second = real, base
	}
	if err := first(); err != nil {
		return err
	}
	if err := second(); err != nil {
		return err
	}
	c.ratios = append(c.ratios, c.real.rates[len(c.ratios)]/c.base.rates[len(c.ratios)])
	return nil
}

func (m *measured) slice(g *generator, c contender, length time.Duration) error {
	before, readBefore := c.cpu(), c.process.read()
	r, err := g.slice(c.target, length)
	if err != nil {
		return err
	}
	m.cpu += c.cpu() - before
	m.read += c.process.read() - readBefore
	m.requests += r.Requests
	m.memory = max(m.memory, c.process.memory("RssAnon"))
	m.rates = append(m.rates, r.rate())
	m.p50 = append(m.p50, r.P50.Seconds()*1e3)
	m.p99 = append(m.p99, r.P99.Seconds()*1e3)
	return nil
}

// afterLoad is how long the servers are idle before their memory is read.
const afterLoad = 10 * time.Second

// quantile returns the value below which a share of the values lies.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(share*float64(len(sorted)-1)+0.5)]
}

// median returns the mean of the two middle values of an even number: the first server alternates, so the two may come
// from different orders.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// throughput is the main run: every operation against the bare server, and the gateway's memory.
func (b *bench) throughput(ctx context.Context) (err error) {
	s, err := b.servers(ctx, "", b.product, "serve")
	if s != nil {
		defer func() { err = errors.Join(err, s.stop()) }()
	}
	if err != nil {
		return err
	}
	g, err := b.generator(ctx, s.plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	progress("%d rounds, about %s", b.rounds, time.Duration(b.rounds*2*len(s.pairs))*b.slice)
	all, err := b.compare(ctx, g, s.pairs)
	if err != nil {
		return err
	}
	b.printMachine()
	fmt.Printf("%d rounds, slices of %s, %d connections, %d sessions with %d tokens each.\n\n", b.rounds, b.slice, b.conns, b.sessions, b.tokens)
	printCompared(all)
	time.Sleep(afterLoad)
	printMemory(s, all)
	return nil
}
