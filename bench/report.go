package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// printMachine prints the machine and the time, without which figures mean nothing.
func (b *bench) printMachine() {
	model := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(text) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && strings.TrimSpace(string(name)) == "model name" {
			model = strings.TrimSpace(string(value))
			break
		}
	}
	load, _, _ := strings.Cut(readText("/proc/loadavg"), " ")
	fmt.Printf("%s, %s %s, %d processors (%s), load average at the end %s. ",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.NumCPU(), model, load)
}

func readText(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

func printCompared(all []compared) {
	fmt.Println("| operation | bare req/s | gateway req/s | ratio: median | 10 % to 90 % of rounds | goal | server CPU per request: bare | gateway | ratio of CPU | p50 ms | p99 ms | answer bytes |")
	fmt.Println("|---|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|")
	for i := range all {
		c := &all[i]
		bare, own := c.base.perRequest(), c.real.perRequest()
		fmt.Printf("| %s | %.0f | %.0f | **%.3f** | %.3f to %.3f | %s | %s | %s | %.3f | %.2f | %.2f | %d |\n", c.name,
			median(c.base.rates), median(c.real.rates), median(c.ratios), quantile(c.ratios, 0.1), quantile(c.ratios, 0.9),
			verdict(c.goal, median(c.ratios)), micros(bare), micros(own), float64(bare)/float64(max(own, 1)),
			median(c.real.p50), median(c.real.p99), c.pair.real.bytes)
	}
}

func printMemory(s *servers, all []compared) {
	fmt.Printf("\n| memory, MiB | before load | peak | peak of anonymous | %s after load | of which anonymous |\n|---|---:|---:|---:|---:|---:|\n", afterLoad)
	var own, bare float64
	for _, c := range all {
		own, bare = max(own, c.real.memory), max(bare, c.base.memory)
	}
	row := func(name, before string, p *process, anonymous float64) {
		fmt.Printf("| %s | %s | %.0f | %.0f | %.0f | %.0f |\n", name, before, p.memory("VmHWM"), anonymous, p.memory("VmRSS"), p.memory("RssAnon"))
	}
	row("gateway", fmt.Sprintf("%.0f", s.idle), s.gateway, own)
	row("bare server", "", s.bare, bare)
	fmt.Println("\nMemory that is not anonymous is pages of files, mainly of the program: the kernel can reclaim them at any time.")
}

func verdict(goal, have float64) string {
	switch {
	case goal == 0:
		return ""
	case have >= goal:
		return fmt.Sprintf("≥ %.2f: met", goal)
	default:
		return fmt.Sprintf("≥ %.2f: **missed**", goal)
	}
}

// atMost returns the verdict on a ratio of which smaller values are better.
func atMost(goal, have float64) string {
	switch {
	case goal == 0:
		return ""
	case have <= goal:
		return fmt.Sprintf("≤ %.2f: met", goal)
	default:
		return fmt.Sprintf("≤ %.2f: **missed**", goal)
	}
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
