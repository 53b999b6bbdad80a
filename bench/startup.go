package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	readyGoal = 300 * time.Millisecond
	idleGoal  = 64.0 // MiB
	settle    = 2 * time.Second
)

// startup measures the time from starting the program to the first 200 of /readyz, with an empty folder and with
// the folder of a former run, and the memory of a gateway before its first request.
func (b *bench) startup(ctx context.Context) error {
	fmt.Printf("\n| start | ready: median ms | slowest of %d | goal | idle memory: MiB | of which anonymous | goal |\n|---|---:|---:|---|---:|---:|---|\n", b.starts)
	for _, command := range []string{"serve", "dev"} {
		var first, again, idle, anonymous []float64
		for i := range b.starts {
			dir := filepath.Join(b.work, fmt.Sprintf("%s-%d", command, i))
			for _, times := range []*[]float64{&first, &again} {
				p, took, err := b.startOnce(ctx, command, dir)
				if err != nil {
					return err
				}
				*times = append(*times, float64(took)/1e6)
				if i < 3 && times == &again { // settling takes long, and differs little
					time.Sleep(settle)
					idle = append(idle, p.memory("VmRSS"))
					anonymous = append(anonymous, p.memory("RssAnon"))
				}
				if err := p.stop(); err != nil {
					return err
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
		goal, met := readyGoal.Seconds()*1e3, "met"
		if median(again) >= goal {
			met = "**missed**"
		}
		small := "met"
		if median(idle) > idleGoal {
			small = "**missed**"
		}
		fmt.Printf("| `%s`, first | %.0f | %.0f | | | | |\n", command, median(first), quantile(first, 1))
		fmt.Printf("| `%s`, again | %.0f | %.0f | < %.0f: %s | %.0f | %.0f | ≤ %.0f: %s |\n", command, median(again), quantile(again, 1), goal, met,
			median(idle), median(anonymous), idleGoal, small)
	}
	return nil
}

func (b *bench) startOnce(ctx context.Context, command, dir string) (*process, time.Duration, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, 0, err
	}
	args := []string{"dev", "--data", dir, "--listen", ports[0], "--objects-listen", ports[1], "--app-listen", ports[2]}
	address := ports[0]
	if command == "serve" {
		// New settings each time, with new ports; the folder's database, keys and objects stay.
		f, err := newFixture(dir, 0)
		if err != nil {
			return nil, 0, err
		}
		address, args = f.address, []string{"serve", "--config", f.config}
	}
	p, err := start(ctx, b.product, args...)
	if err != nil {
		return nil, 0, err
	}
	took, err := p.ready(ctx, address)
	if err != nil {
		return nil, 0, errors.Join(err, p.stop())
	}
	return p, took, nil
}
