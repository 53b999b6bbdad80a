// Bench measures the gateway against a bare gqlgen server that answers the same bytes without doing any
// work; README.md explains the figures. It starts every server, and the load generator, as a separate
// process on loopback, and removes its files.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	rounds   int
	slice    time.Duration
	conns    int
	sessions int
	tokens   int
	starts   int
	growth   bool
	rows     int
	profile  string
	dir      string
	product  string // the gateway's program
	only     string // part of the run
}

func main() {
	// The benchmark's child processes are this program with a subcommand.
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			exit(child(os.Args[2:]))
		}
	}
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 30, "rounds; each gives every contender one slice of time")
	flag.DurationVar(&o.slice, "slice", 400*time.Millisecond, "length of a slice")
	flag.IntVar(&o.conns, "conns", 64, "keep-alive connections, each a closed loop")
	flag.IntVar(&o.sessions, "sessions", 1000, "sessions that requests are drawn from")
	flag.IntVar(&o.tokens, "tokens", 100, "tokens of each session that requests are drawn from")
	flag.IntVar(&o.starts, "starts", 10, "number of measured starts; 0: none")
	flag.BoolVar(&o.growth, "growth", false, "measure the growth from 10 thousand rows to -rows instead")
	flag.IntVar(&o.rows, "rows", 10_000_000, "tokens, and as many grants, in the large database of -growth")
	flag.StringVar(&o.profile, "profile", "", "write CPU and allocation profiles into this folder instead")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for databases; -growth needs about 7 GB for 10 million rows")
	flag.StringVar(&o.product, "product", "", "the gateway's program; built from this folder if empty")
	flag.StringVar(&o.only, "only", "", "one part of the run: throughput (with memory), token, session, start or store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	exit(err)
}

// children are the subcommands; none returns before its standard input ends.
var children = map[string]func(args []string) error{
	"bare-server":      bareServer,
	"list-server":      listServer,
	"profiled-gateway": profiledGateway,
	"load-generator":   loadGenerator,
	"store-attack":     storeAttack,
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run.
type bench struct {
	options
	work string // temporary folder
	self string // this program
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp(o.dir, "cloakroom-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	switch {
	case o.profile != "" && o.only == "token":
		return b.profileList(ctx)
	case o.profile != "":
		return b.profiles(ctx)
	case o.growth:
		return b.grow(ctx)
	}
	return b.parts(ctx)
}

// parts runs the parts that the command line selects; the report has a table for each.
func (b *bench) parts(ctx context.Context) error {
	known := false
	for _, part := range []struct {
		name string
		run  func(context.Context) error
		skip bool
	}{{"throughput", b.throughput, false}, {"token", b.list, false}, {"session", b.credentials, false}, {"start", b.startup, b.starts == 0}, {"store", b.store, false}} {
		if b.only != "" && b.only != part.name {
			continue
		}
		known = true
		if part.skip {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("-only %s: there are throughput, token, session, start and store", b.only)
	}
	return nil
}

func (b *bench) build(ctx context.Context) error {
	if b.product != "" {
		return nil
	}
	b.product = filepath.Join(b.work, "cloakroom")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.product, "github.com/cloakroomhq/cloakroom")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the gateway: %w", err)
	}
	return nil
}

// progress reports the current step on standard error; standard output has only results.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
