package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is one child.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stdout  io.Reader
	started time.Time
}

// start runs a program until stop is called or ctx ends. It writes its log to the null device, with a
// system call for each line as for any other file.
func start(ctx context.Context, program string, args ...string) (p *process, err error) {
	p = &process{cmd: exec.CommandContext(ctx, program, args...)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 30 * time.Second
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if p.cmd.Stderr = null; os.Getenv("BENCH_LOGS") != "" {
		p.cmd.Stderr = os.Stderr
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	p.started = time.Now()
	return p, p.cmd.Start()
}

// stop ends the child, by its id, and waits for it.
func (p *process) stop() error {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err != nil && p.cmd.ProcessState.ExitCode() > 0 {
		return fmt.Errorf("%v: %w", p.cmd.Args, err)
	}
	return nil
}

// ready waits until /readyz answers 200, and returns how long that took from the start of the child.
func (p *process) ready(ctx context.Context, address string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return 0, err
		}
		if response, err := client.Do(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return time.Since(p.started), nil
			}
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%v does not become ready; set BENCH_LOGS=1 to see why: %w", p.cmd.Args, ctx.Err())
		}
		time.Sleep(time.Millisecond)
	}
}

// cpu returns the processor time that the child has used, from proc_pid_stat(5), in ticks of 10 ms.
func (p *process) cpu() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory returns an entry of proc_pid_status(5) in MiB, such as VmRSS or VmHWM.
func (p *process) memory(entry string) float64 { return float64(p.entry("status", entry)) / 1024 }

// read returns the bytes that the process has read with system calls, from files and sockets: rchar of proc_pid_io(5).
func (p *process) read() int { return p.entry("io", "rchar") }

// entry returns the number of a line "NAME: NUMBER" in one of the process's files in /proc.
func (p *process) entry(file, name string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	for line := range bytes.Lines(text) {
		if found, value, ok := bytes.Cut(line, []byte(":")); ok && string(found) == name {
			n, _ := strconv.Atoi(string(bytes.Fields(value)[0]))
			return n
		}
	}
	return 0
}

// generator is the load generator's process.
type generator struct {
	*process
	in  *json.Encoder
	out *json.Decoder
}

func (b *bench) generator(ctx context.Context, plan string) (*generator, error) {
	p, err := start(ctx, b.self, "load-generator", "-plan", plan, "-conns", strconv.Itoa(b.conns))
	if err != nil {
		return nil, err
	}
	return &generator{p, json.NewEncoder(p.stdin), json.NewDecoder(p.stdout)}, nil
}

func (g *generator) slice(target string, length time.Duration) (r result, err error) {
	if err = errors.Join(g.in.Encode(order{target, length}), g.out.Decode(&r)); err == nil && r.Error != "" {
		err = fmt.Errorf("%s: %s", target, r.Error)
	}
	return r, err
}

// endWithStdin calls stop when the parent closes the child's standard input, or dies.
func endWithStdin(stop func()) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
}
