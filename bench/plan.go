package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// How many prepared requests a contender draws from: enough for every session and thousands of tokens.
const (
	singles = 10_000
	batches = 1_000
)

// requests returns prepared requests for an operation, each of a random session for its own tokens.
func (f *fixture) requests(operation, address string) [][]byte {
	n := singles
	if operation == "detokenizeBatch" || operation == "tokenizeBatch" {
		n = batches
	}
	all := make([][]byte, n)
	for i := range all {
		session := rand.IntN(len(f.jwts))
		if n <= len(f.jwts) {
			session = i
		}
		all[i] = raw(address, "/graphql", f.jwts[session], f.body(operation, session))
	}
	return all
}

func (f *fixture) body(operation string, session int) []byte {
	tokens := f.tokens[session]
	switch operation {
	case "viewer":
		return body(viewerQuery, nil)
	case "detokenize":
		return body(detokenizeQuery, map[string]any{"token": tokens[rand.IntN(len(tokens))]})
	case "tokenize":
		return body(tokenizeQuery, map[string]any{"input": tokenizeInput})
	case "detokenizeBatch":
		list := make([]string, batch)
		for i, j := range rand.Perm(max(batch, len(tokens)))[:batch] {
			list[i] = tokens[j%len(tokens)]
		}
		return body(detokenizeBatchQuery, map[string]any{"tokens": list})
	case "tokenizeBatch":
		return body(tokenizeBatchQuery, map[string]any{"inputs": tokenizeInputs(batch)})
	}
	panic("no operation " + operation)
}

// answers gets one answer of each operation from the gateway, for the bare server to repeat.
func (f *fixture) answers(ctx context.Context, path string) error {
	all := map[string]json.RawMessage{}
	for _, o := range operations {
		text, err := f.ask(ctx, f.address, 0, f.body(o.name, 0))
		if err != nil {
			return err
		}
		var answer struct{ Data map[string]json.RawMessage }
		// gqlgen's transport writes & as \u0026, which would make its answers longer than the gateway's.
		if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("&"), []byte(";")), &answer); err != nil {
			return err
		}
		all[o.name] = answer.Data[o.name]
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// pair is two contenders with the same requests.
type pair struct {
	name       string
	goal       float64
	slow       bool
	settle     time.Duration // unmeasured load before each pair of slices
	real, base contender
}

type contender struct {
	target  string
	process *process
	beside  *process // another process whose processor time is counted too; or nil
	bytes   int      // of one answer
}

// cpu returns the processor time that the contender has used.
func (c *contender) cpu() time.Duration {
	if c.beside == nil {
		return c.process.cpu()
	}
	return c.process.cpu() + c.beside.cpu()
}

// servers are the two servers of a run and all pairs of contenders on them.
type servers struct {
	fixture       *fixture
	gateway, bare *process
	bareAddress   string
	plan          string
	idle          float64 // MiB of the gateway before the first request
	pairs         []pair
}

// servers starts a gateway with the program and arguments given, fills it, starts the bare server, and
// plans the load.
func (b *bench) servers(ctx context.Context, bareDebug, program string, args ...string) (s *servers, err error) {
	s = &servers{}
	if s.fixture, err = newFixture(filepath.Join(b.work, "gateway"), b.sessions); err != nil {
		return nil, err
	}
	if s.gateway, err = start(ctx, program, append(args, "--config", s.fixture.config)...); err != nil {
		return nil, err
	}
	if _, err = s.gateway.ready(ctx, s.fixture.address); err != nil {
		return s, err
	}
	s.idle = s.gateway.memory("VmRSS")
	progress("ready; making %d tokens for %d sessions", b.tokens*b.sessions, b.sessions)
	if err = s.fixture.fill(ctx, b.tokens); err != nil {
		return s, err
	}
	answers := filepath.Join(b.work, "answers.json")
	if err = s.fixture.answers(ctx, answers); err != nil {
		return s, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return s, err
	}
	s.bareAddress = ports[0]
	if s.bare, err = start(ctx, b.self, "bare-server", "-listen", ports[0], "-answers", answers, "-debug", bareDebug); err != nil {
		return s, err
	}
	if _, err = s.bare.ready(ctx, ports[0]); err != nil {
		return s, err
	}
	s.plan = filepath.Join(b.work, "plan")
	return s, s.pair(ctx)
}

func (s *servers) pair(ctx context.Context) error {
	var targets []target
	for _, o := range operations {
		p := pair{name: o.name, goal: o.goal, slow: o.slow}
		p.real, p.base = contender{target: o.name, process: s.gateway}, contender{target: "bare " + o.name, process: s.bare}
		for _, c := range []struct {
			*contender
			address string
		}{{&p.real, s.fixture.address}, {&p.base, s.bareAddress}} {
			text, err := s.fixture.ask(ctx, c.address, 0, s.fixture.body(o.name, 0))
			if err != nil {
				return err
			}
			c.bytes = len(text)
			targets = append(targets, target{c.target, c.address, s.fixture.requests(o.name, c.address)})
		}
		if d := p.real.bytes - p.base.bytes; d*50 > p.base.bytes || -d*50 > p.base.bytes { // a time may lack trailing zeros
			return fmt.Errorf("%s: answers have %d and %d bytes, and may differ by 2 %% at most", o.name, p.real.bytes, p.base.bytes)
		}
		s.pairs = append(s.pairs, p)
	}
	return writePlan(s.plan, targets)
}

func writePlan(path string, targets []target) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(gob.NewEncoder(w).Encode(targets), w.Flush(), f.Close())
}

func (s *servers) stop() error {
	var errs []error
	for _, p := range []*process{s.bare, s.gateway} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}
