package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// reopenAfter returns how long after its close a connection is opened again: 800 a second, spread evenly, because the attack
// shares its processors with the store and with the measured client.
func reopenAfter() time.Duration { return 5*time.Second + rand.N(reopenSlowest-5*time.Second) }

const reopenSlowest = 15 * time.Second

// attackPlan has the requests of an attack on the embedded store.
type attackPlan struct {
	Address  string
	Uploads  []string // heads, each with the first byte of its body
	Download string
}

// attackReport has the attack's counts: written once when all connections are open, and at the end.
type attackReport struct{ Opened, Most, Busy int64 }

// storeAttack keeps attackConns connections to the store; if the plan asks for it, a connection that the store closes is
// opened again after reopenAfter.
func storeAttack(args []string) error {
	flags := flag.NewFlagSet("store-attack", flag.ExitOnError)
	file, reopen := flags.String("plan", "", ""), flags.Bool("reopen", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	a := &attacker{reopen: *reopen}
	if err := json.Unmarshal(text, &a.plan); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var all, tried sync.WaitGroup
	tried.Add(attackConns)
	for i := range attackConns {
		all.Go(func() { a.connection(ctx, i, tried.Done) })
		time.Sleep(200 * time.Microsecond) // 5,000 a second: the measured client shares the processors
	}
	tried.Wait()
	if *reopen {
		time.Sleep(reopenSlowest) // by then each closed connection has been opened again, and they are spread evenly
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(a.report()); err != nil {
		stop()
		return err
	}
	endWithStdin(stop)
	err = out.Encode(a.report())
	all.Wait()
	return err
}

type attacker struct {
	reopen                   bool
	plan                     attackPlan
	opened, open, most, busy atomic.Int64
}

func (a *attacker) report() attackReport {
	return attackReport{Opened: a.opened.Load(), Most: a.most.Load(), Busy: a.busy.Load()}
}

func (a *attacker) connection(ctx context.Context, i int, tried func()) {
	for first := true; ctx.Err() == nil; first = false {
		a.once(ctx, i, func() {
			if first {
				tried()
			}
		})
		if !a.reopen {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(reopenAfter()):
		}
	}
}

// once opens a connection and holds it until the store closes it.
func (a *attacker) once(ctx context.Context, i int, begun func()) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%attackHosts))}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", a.plan.Address)
	if err != nil {
		begun()
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	a.opened.Add(1)
	for n := a.open.Add(1); ; {
		if most := a.most.Load(); n <= most || a.most.CompareAndSwap(most, n) {
			break
		}
	}
	defer a.open.Add(-1)
	upload := i%2 == 0
	request := a.plan.Download
	if upload {
		request = a.plan.Uploads[i/2%len(a.plan.Uploads)]
	}
	_, err = io.WriteString(conn, request)
	begun()
	if err != nil {
		return
	}
	if upload {
		go func() {
			for ctx.Err() == nil {
				time.Sleep(time.Second)
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
			}
		}()
	}
	a.wait(conn)
}

// wait reads an answer's status, and nothing of a download's body; it returns when the connection is closed.
func (a *attacker) wait(conn net.Conn) {
	var line [12]byte
	if _, err := io.ReadFull(conn, line[:]); err != nil {
		return
	}
	var status int
	if _, err := fmt.Sscanf(strings.TrimPrefix(string(line[:]), "HTTP/1.1 "), "%d", &status); err == nil && status == 503 {
		a.busy.Add(1)
	}
	for status == 200 { // a byte a second
		time.Sleep(time.Second)
		if _, err := conn.Read(line[:1]); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn)
}
