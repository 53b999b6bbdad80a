package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

const (
	smallRows   = 10_000
	growthGoal  = 1.2  // ratio to the time with the small database
	bytesPerRow = 1000 // of free disk: a token, a grant, their indexes, and the space for sorting these
)

// grow compares detokenize with two databases: one of 10 thousand tokens and grants, all of which are used, and one
// with the same number and millions of others. Both gateways run at the same time.
func (b *bench) grow(ctx context.Context) (err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(b.work, &disk); err != nil {
		return err
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < uint64(b.rows)*bytesPerRow {
		return fmt.Errorf("%s has %d MiB free, and %d rows need %d: give another folder with -dir or fewer -rows",
			b.work, free>>20, b.rows, b.rows*bytesPerRow>>20)
	}
	p := pair{name: "detokenize"}
	var targets []target
	var starts []time.Duration
	for _, c := range []struct {
		*contender
		name string
		rows int
	}{{&p.base, "small", 0}, {&p.real, "large", b.rows - smallRows}} {
		f, gateway, took, err := b.grown(ctx, filepath.Join(b.work, c.name), c.rows)
		if gateway != nil {
			defer func() { err = errors.Join(err, gateway.stop()) }()
		}
		if err != nil {
			return err
		}
		c.target, c.process = c.name, gateway
		starts = append(starts, took)
		targets = append(targets, target{c.name, f.address, f.requests("detokenize", f.address)})
	}
	plan := filepath.Join(b.work, "plan")
	if err := writePlan(plan, targets); err != nil {
		return err
	}
	g, err := b.generator(ctx, plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	all, err := b.compare(ctx, g, []pair{p})
	if err != nil {
		return err
	}
	b.printMachine()
	fmt.Printf("%d rounds, slices of %s, %d connections, %d sessions.\n\n", b.rounds, b.slice, b.conns, b.sessions)
	printGrown(&all[0], b.rows)
	fmt.Printf("Starting again took %d ms to ready with the small database, %d ms with the large one.\n", starts[0].Milliseconds(), starts[1].Milliseconds())
	return nil
}

// grown starts a gateway whose database holds rows of other sessions and then, made by the gateway itself, the
// 10 thousand that are used. It returns how long a second start took.
func (b *bench) grown(ctx context.Context, dir string, rows int) (*fixture, *process, time.Duration, error) {
	f, err := newFixture(dir, b.sessions)
	if err != nil {
		return nil, nil, 0, err
	}
	if rows > 0 {
		began := time.Now()
		if err := fillDatabase(ctx, f.database, rows); err != nil {
			return nil, nil, 0, err
		}
		progress("wrote %d tokens and grants in %s", rows, time.Since(began).Round(time.Second))
	}
	for first := true; ; first = false {
		p, err := start(ctx, b.product, "serve", "--config", f.config)
		if err != nil {
			return nil, nil, 0, err
		}
		took, err := p.ready(ctx, f.address)
		if err != nil || !first {
			return f, p, took, err
		}
		if err := errors.Join(f.fill(ctx, max(1, smallRows/b.sessions)), p.stop()); err != nil {
			return nil, nil, 0, err
		}
	}
}

func printGrown(c *compared, rows int) {
	small, large := c.base.perRequest(), c.real.perRequest()
	times := make([]float64, len(c.ratios))
	for i, r := range c.ratios {
		times[i] = 1 / r
	}
	fmt.Println("| tokens and grants | req/s | time, against 10 thousand: median | 10 % to 90 % of rounds | goal | server CPU per request | read per request, KiB | p50 ms | p99 ms | peak memory MiB | peak of anonymous |")
	fmt.Println("|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|")
	row := func(n int, m *measured, p *process, compared string) {
		fmt.Printf("| %d | %.0f | %s | %s | %.1f | %.2f | %.2f | %.0f | %.0f |\n", n, median(m.rates), compared, micros(m.perRequest()),
			float64(m.read)/1024/float64(max(m.requests, 1)), median(m.p50), median(m.p99), p.memory("VmHWM"), m.memory)
	}
	row(smallRows, &c.base, c.pair.base.process, "1 | | ")
	row(rows, &c.real, c.pair.real.process, fmt.Sprintf("**%.3f** | %.3f to %.3f | %s",
		median(times), quantile(times, 0.1), quantile(times, 0.9), atMost(growthGoal, median(times))))
	fmt.Printf("\nProcessor time per request: %.3f times that of 10 thousand.\n", float64(large)/float64(max(small, 1)))
}
