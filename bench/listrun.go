package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// The list needs less load than the default run: one request has a thousand rows.
const (
	listRows   = 1000
	listRounds = 10
	listConns  = 4
	listSettle = 150 * time.Millisecond // after a cold slice there are a large heap and a log to checkpoint
)

// listWays are the ways to serve the list with @token, and the highest allowed ratio of each one's time to the time
// without @token.
var listWays = []struct {
	name, path string
	goal       float64 // 0: none
	remote     bool
}{
	{"warm, gateway over loopback", "/loopback/warm", 1.3, true},
	{"warm, in process", "/warm", 1.1, false},
	{"cold, in process", "/cold", 1.6, false},
	{"cold, gateway over loopback", "/loopback/cold", 0, true},
}

// lists has a backend with a gateway in its process, and a separate gateway.
type lists struct {
	backend, gateway *process
	address, plan    string
	pairs            []pair
	allocations      map[string]float64 // of one request, by path
}

// lists starts both, and plans the load. The tokens must exist before the backend has rows, so each gateway makes its
// own first.
func (b *bench) lists(ctx context.Context, debug string) (l *lists, err error) {
	l = &lists{allocations: map[string]float64{}}
	var configs, files []string
	var other *fixture
	for _, name := range []string{"own", "other"} {
		f, err := newFixture(filepath.Join(b.work, "list-"+name), 10)
		if err != nil {
			return l, err
		}
		file := filepath.Join(f.dir, "tokens.json")
		p, err := b.filled(ctx, f, file)
		if err != nil {
			if p != nil {
				err = errors.Join(err, p.stop())
			}
			return l, err
		}
		if configs, files = append(configs, f.config), append(files, file); name == "other" {
			other, l.gateway = f, p
		} else if err := p.stop(); err != nil {
			return l, err
		}
	}
	ports, err := freePorts(1)
	if err != nil {
		return l, err
	}
	l.address = ports[0]
	if l.backend, err = start(ctx, b.self, "list-server", "-listen", l.address, "-config", configs[0], "-own", files[0], "-others", files[1],
		"-remote", "http://"+other.address, "-jwt", other.application, "-debug", debug); err != nil {
		return l, err
	}
	if _, err = l.backend.ready(ctx, l.address); err != nil {
		return l, err
	}
	l.plan = filepath.Join(b.work, "list-plan")
	return l, l.pair(ctx)
}

// filled starts a gateway, and makes the tokens of the rows with it.
func (b *bench) filled(ctx context.Context, f *fixture, file string) (*process, error) {
	p, err := start(ctx, b.product, "serve", "--config", f.config)
	if err != nil {
		return nil, err
	}
	if _, err := p.ready(ctx, f.address); err != nil {
		return p, err
	}
	return p, f.fillList(ctx, file)
}

// fillList makes a token for each row, and writes them to a file.
func (f *fixture) fillList(ctx context.Context, file string) error {
	if err := f.fill(ctx, listRows/len(f.jwts)); err != nil {
		return err
	}
	text, err := json.Marshal(slices.Concat(f.tokens...))
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// pair plans each way with the plain list of the same rows, and checks that their answers are the same bytes.
func (l *lists) pair(ctx context.Context) error {
	var targets []target
	for _, w := range listWays {
		plain := "/plain"
		p := pair{name: w.name, goal: w.goal, settle: listSettle, real: contender{process: l.backend}, base: contender{process: l.backend}}
		if w.remote {
			plain, p.real.beside = "/loopback"+plain, l.gateway
		}
		var answers [2]string
		for i, c := range []struct {
			*contender
			path, query string
		}{{&p.base, plain, plainListQuery}, {&p.real, w.path, tokenListQuery}} {
			var err error
			if answers[i], err = l.ask(ctx, c.path, c.query); err != nil {
				return err
			}
			c.target, c.bytes = c.path, len(answers[i])
			t := target{Name: c.path, Address: l.address}
			for session := range listConns {
				t.Requests = append(t.Requests, raw(l.address, c.path, "session-"+strconv.Itoa(session), body(c.query, nil)))
			}
			targets = append(targets, t)
			if l.allocations[c.path], err = l.count(ctx, c.path, c.query); err != nil {
				return err
			}
		}
		if answers[0] != answers[1] {
			return fmt.Errorf("%s: the answers with and without @token differ: %.300s and %.300s", w.name, answers[1], answers[0])
		}
		l.pairs = append(l.pairs, p)
	}
	return writePlan(l.plan, targets)
}

// ask sends a query, and returns the answer if it has no errors.
func (l *lists) ask(ctx context.Context, path, query string) (string, error) {
	f := fixture{jwts: []string{"session-0"}, client: &http.Client{Timeout: time.Minute}}
	text, err := f.askPath(ctx, l.address, path, 0, body(query, nil))
	return string(text), err
}

// count asks the backend to count the allocations of one request.
func (l *lists) count(ctx context.Context, path, query string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+"/allocations?"+url.Values{"path": {path}, "query": {query}}.Encode(), nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(text), 64)
}

func (l *lists) stop() error {
	var errs []error
	for _, p := range []*process{l.backend, l.gateway} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}

// list compares the list with @token and without.
func (b *bench) list(ctx context.Context) (err error) {
	l, err := b.lists(ctx, "")
	defer func() { err = errors.Join(err, l.stop()) }()
	if err != nil {
		return err
	}
	few := *b
	few.conns, few.rounds = listConns, min(b.rounds, listRounds)
	g, err := few.generator(ctx, l.plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	progress("the list: %d rounds, about %s", few.rounds, time.Duration((few.rounds+2)*2*len(l.pairs))*b.slice)
	all, err := few.compare(ctx, g, l.pairs)
	if err != nil {
		return err
	}
	fmt.Println()
	few.printMachine()
	fmt.Printf("%d rounds, slices of %s, %d connections.\n\n", few.rounds, few.slice, few.conns)
	l.print(all)
	return nil
}

func (l *lists) print(all []compared) {
	fmt.Printf("| list of %d with `@token` | plain lists/s | lists/s | time, against plain: median | 10 %% to 90 %% of rounds | goal | server CPU per list: plain | with | ratio of CPU | allocations per token | p50 ms: plain | with | answer bytes |\n", listRows)
	fmt.Println("|---|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|---:|")
	for i := range all {
		c := &all[i]
		times := make([]float64, len(c.ratios))
		for j, r := range c.ratios {
			times[j] = 1 / r
		}
		plain, with := c.base.perRequest(), c.real.perRequest()
		fmt.Printf("| %s | %.0f | %.0f | **%.3f** | %.3f to %.3f | %s | %s | %s | %.3f | %.2f | %.2f | %.2f | %d |\n", c.name,
			median(c.base.rates), median(c.real.rates), median(times), quantile(times, 0.1), quantile(times, 0.9), atMost(c.goal, median(times)),
			micros(plain), micros(with), float64(with)/float64(max(plain, 1)),
			(l.allocations[c.pair.real.target]-l.allocations[c.pair.base.target])/listRows,
			median(c.base.p50), median(c.real.p50), c.pair.real.bytes)
	}
}

// profileList takes profiles of the backend, for each way.
func (b *bench) profileList(ctx context.Context) (err error) {
	debug, err := freePorts(1)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	l, err := b.lists(ctx, debug[0])
	defer func() { err = errors.Join(err, l.stop()) }()
	if err != nil {
		return err
	}
	few := *b
	few.conns = listConns
	g, err := few.generator(ctx, l.plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	fmt.Println("| contender | req/s | server CPU per request | profiles |\n|---|---:|---:|---|")
	for i, p := range l.pairs {
		contenders := []contender{p.base, p.real}
		if i%2 == 1 { // the plain list of the pair before
			contenders = contenders[1:]
		}
		for _, c := range contenders {
			if err := few.profileOne(ctx, g, c, debug[0]); err != nil {
				return err
			}
		}
	}
	return nil
}
