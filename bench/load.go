package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// answerStart is the beginning of an answer without errors, from the gateway and from the bare server.
const answerStart = `{"data":`

// target is a contender's address and requests for the load generator.
type target struct {
	Name, Address string
	Requests      [][]byte // whole HTTP requests; each is drawn at random
}

// order requests one slice from the load generator.
type order struct {
	Target string
	For    time.Duration
}

// result is the result of a slice.
type result struct {
	Requests int
	Elapsed  time.Duration
	P50, P99 time.Duration
	Error    string // of a connection, or an answer with errors: the measurement is void
}

func (r result) rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// loadGenerator keeps connections open to every contender and, for each order on its standard input, sends
// requests on those of one contender in closed loops: requests are prepared, and answers are only checked.
func loadGenerator(args []string) error {
	flags := flag.NewFlagSet("load-generator", flag.ExitOnError)
	plan, conns := flags.String("plan", "", ""), flags.Int("conns", 64, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.Open(*plan)
	if err != nil {
		return err
	}
	var targets []target
	if err := errors.Join(gob.NewDecoder(bufio.NewReader(text)).Decode(&targets), text.Close()); err != nil {
		return err
	}
	byName := map[string]target{}
	open := map[string][]*conn{} // by address
	for _, t := range targets {
		byName[t.Name] = t
		for len(open[t.Address]) < *conns {
			c, err := net.Dial("tcp", t.Address)
			if err != nil {
				return err
			}
			open[t.Address] = append(open[t.Address], &conn{c: c, r: bufio.NewReaderSize(c, 64<<10), random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))})
		}
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		t := byName[o.Target]
		if err := out.Encode(slice(open[t.Address], t.Requests, o.For)); err != nil {
			return err
		}
	}
}

// slice lets every connection send requests until the time is over, and waits for their answers.
func slice(conns []*conn, requests [][]byte, length time.Duration) result {
	start := time.Now()
	end := start.Add(length)
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { c.run(requests, end) })
	}
	wg.Wait()
	r := result{Elapsed: time.Since(start)}
	var took []time.Duration
	for _, c := range conns {
		took = append(took, c.took...)
		if c.err != nil {
			r.Error = c.err.Error()
		}
	}
	if r.Requests = len(took); r.Requests > 0 {
		slices.Sort(took)
		r.P50, r.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return r
}

// conn is one keep-alive connection.
type conn struct {
	c      net.Conn
	r      *bufio.Reader
	random *rand.Rand
	took   []time.Duration
	err    error
}

func (c *conn) run(requests [][]byte, end time.Time) {
	c.took = c.took[:0]
	for at := time.Now(); at.Before(end) && c.err == nil; {
		if _, c.err = c.c.Write(requests[c.random.IntN(len(requests))]); c.err != nil {
			return
		}
		c.err = c.answer()
		now := time.Now()
		c.took = append(c.took, now.Sub(at))
		at = now
	}
}

var (
	contentLength = []byte("Content-Length: ")
	chunked       = []byte("Transfer-Encoding: chunked")
)

// answer reads one answer in the form of Go's server, and checks that it is 200 and has no errors.
func (c *conn) answer() error {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	status := string(line[:min(len(line), len("HTTP/1.1 200"))])
	length, inChunks := 0, false
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		switch {
		case bytes.HasPrefix(line, contentLength):
			length, err = strconv.Atoi(string(line[len(contentLength):]))
		case bytes.Equal(line, chunked):
			inChunks = true
		}
		if err != nil {
			return err
		}
	}
	if inChunks {
		if length, err = c.chunk(); err != nil {
			return err
		}
	}
	start, err := c.r.Peek(min(length, len(answerStart)))
	if err != nil {
		return err
	}
	if status != "HTTP/1.1 200" || string(start) != answerStart {
		text, _ := c.r.Peek(min(length, 300))
		return fmt.Errorf("%s: %s", status, text)
	}
	for {
		if _, err := c.r.Discard(length); err != nil || !inChunks {
			return err
		}
		if _, err := c.r.Discard(len("\r\n")); err != nil || length == 0 {
			return err
		}
		if length, err = c.chunk(); err != nil {
			return err
		}
	}
}

// chunk reads the line with a chunk's length; the last chunk's length is 0.
func (c *conn) chunk() (int, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
	return int(n), err
}
