package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/graph/model"
)

// Transfers of a well-behaved client, their number, and how much an attack may slow them down.
const (
	storeValue   = 8 << 20
	storeRepeats = 250
	storeGoal    = 2.0   // ratio to the time without the attack
	storeMemory  = 256.0 // MiB
	attackConns  = 8000
	attackHosts  = 32 // client addresses
)

// store measures uploads and downloads of one session of the embedded store, while another session attacks the store: half
// of the attack's connections are uploads that send a byte a second, the other half downloads that are not read.
func (b *bench) store(ctx context.Context) (err error) {
	if err := os.Setenv("CLOAKROOM_OBJECTS_DOWNLOAD_LIFETIME", "30m"); err != nil { // one signed download serves the whole attack
		return err
	}
	defer func() { _ = os.Unsetenv("CLOAKROOM_OBJECTS_DOWNLOAD_LIFETIME") }()
	f, err := newFixture(filepath.Join(b.work, "store"), 2)
	if err != nil {
		return err
	}
	gateway, err := start(ctx, b.product, "serve", "--config", f.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	if _, err := gateway.ready(ctx, f.address); err != nil {
		return err
	}
	plan, err := f.attack(ctx)
	if err != nil {
		return err
	}
	progress("the embedded store, without an attack and with one of %d connections", attackConns)
	before, err := f.transfers(ctx)
	if err != nil {
		return err
	}
	idle := gateway.memory("VmHWM")
	attacks := []storeAttacked{{name: "held"}, {name: "opened again, 800 a second", reopen: true}}
	for i := range attacks {
		if err := b.attacked(ctx, f, plan, &attacks[i]); err != nil {
			return err
		}
	}
	peak := gateway.memory("VmHWM")
	after, err := f.transfers(ctx)
	if err != nil {
		return err
	}
	b.printMachine()
	fmt.Printf("%d uploads and downloads of %d MiB in each state.\n\n", storeRepeats, storeValue>>20)
	fmt.Println("| embedded store, 8,000 connections | without: median ms | under attack: median ms | slowest ms | ratio of medians | goal | open at once, most | opened | answered 503 |")
	fmt.Println("|---|---:|---:|---:|---:|---|---:|---:|---:|")
	for _, a := range attacks {
		for i, name := range []string{"upload", "download"} {
			without := append(append([]float64{}, before[i]...), after[i]...)
			ratio := median(a.times[i]) / median(without)
			fmt.Printf("| %s, %s | %.1f | %.1f | %.1f | **%.2f** | %s | %d | %d | %d |\n", a.name, name, median(without), median(a.times[i]), quantile(a.times[i], 1),
				ratio, atMost(storeGoal, ratio), a.said.Most, a.said.Opened, a.said.Busy)
		}
	}
	fmt.Printf("\nPeak of resident memory: %.0f MiB before the attacks, **%.0f MiB** after them (%s).\n", idle, peak, atMost(storeMemory, peak))
	return nil
}

// storeAttacked is one attack, and the times of transfers under it.
type storeAttacked struct {
	name   string
	reopen bool
	times  [2][]float64 // milliseconds of uploads, downloads
	said   attackReport
}

// attacked measures transfers during the attack.
func (b *bench) attacked(ctx context.Context, f *fixture, plan attackPlan, a *storeAttacked) error {
	file := filepath.Join(f.dir, "attack.json")
	text, err := json.Marshal(plan)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return err
	}
	child, err := start(ctx, b.self, "store-attack", "-plan", file, fmt.Sprintf("-reopen=%t", a.reopen))
	if err != nil {
		return err
	}
	out := json.NewDecoder(child.stdout)
	if err = out.Decode(&a.said); err == nil { // the attack is at its full strength
		a.times, err = f.transfers(ctx)
	}
	_ = child.stdin.Close()
	err = errors.Join(err, out.Decode(&a.said))
	return errors.Join(err, child.stop())
}

// transfers uploads and downloads values of session 0, and returns how many milliseconds each took.
func (f *fixture) transfers(ctx context.Context) (times [2][]float64, err error) {
	value := bytes.Repeat([]byte("value..."), storeValue/8)
	for range storeRepeats {
		made, err := f.reserve(ctx, 0, 1, storeValue)
		if err != nil {
			return times, err
		}
		up, err := timedTransfer(ctx, made[0].Upload, value)
		if err != nil {
			return times, fmt.Errorf("upload: %w", err)
		}
		down, err := f.redeem(ctx, 0, made[0].Token.String())
		if err != nil {
			return times, err
		}
		took, err := timedTransfer(ctx, down, nil)
		if err != nil {
			return times, fmt.Errorf("download: %w", err)
		}
		times[0], times[1] = append(times[0], up), append(times[1], took)
	}
	return times, nil
}

func timedTransfer(ctx context.Context, r *model.SignedRequest, value []byte) (float64, error) {
	in, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(value))
	if err != nil {
		return 0, err
	}
	for _, h := range r.Headers {
		in.Header.Set(h.Name, h.Value)
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(in)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || value == nil && n != storeValue) {
		err = fmt.Errorf("status %d, %d bytes", res.StatusCode, n)
	}
	return float64(time.Since(began)) / 1e6, err
}

// reserve makes n tokens of a session, for values of a size.
func (f *fixture) reserve(ctx context.Context, session, n int, size int64) ([]*model.TokenizePayload, error) {
	inputs := make([]any, n)
	for i := range inputs {
		inputs[i] = map[string]any{"size": size}
	}
	text, err := f.ask(ctx, f.address, session, body(tokenizeBatchQuery, map[string]any{"inputs": inputs}))
	var made struct{ Data canned }
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	return made.Data.TokenizeBatch, err
}

func (f *fixture) redeem(ctx context.Context, session int, token string) (*model.SignedRequest, error) {
	text, err := f.ask(ctx, f.address, session, body(detokenizeBatchQuery, map[string]any{"tokens": []string{token}}))
	var made struct{ Data canned }
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil {
		return nil, err
	}
	return made.Data.DetokenizeBatch[0].Download, nil
}

// attack prepares the requests of session 1.
func (f *fixture) attack(ctx context.Context) (plan attackPlan, err error) {
	const batch = 1000
	for len(plan.Uploads) < attackConns/2 {
		made, err := f.reserve(ctx, 1, batch, 1<<20)
		if err != nil {
			return plan, err
		}
		for _, m := range made {
			plan.Uploads = append(plan.Uploads, head(m.Upload, 1<<20)+"x")
		}
	}
	made, err := f.reserve(ctx, 1, 1, 1<<20)
	if err != nil {
		return plan, err
	}
	stored := bytes.Repeat([]byte{'x'}, 1<<20)
	if _, err = timedTransfer(ctx, made[0].Upload, stored); err != nil {
		return plan, err
	}
	down, err := f.redeem(ctx, 1, made[0].Token.String())
	if err != nil {
		return plan, err
	}
	plan.Download = head(down, 0)
	u, err := url.Parse(down.URL)
	plan.Address = u.Host
	return plan, err
}

// head returns the head of a signed request, as it is sent.
func head(r *model.SignedRequest, size int) string {
	var b strings.Builder
	u, _ := url.Parse(r.URL)
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, u.RequestURI(), u.Host)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if size > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", size)
	}
	return b.String() + "\r\n"
}
