//go:build unix

// Package costtest measures, for tests, the processor time of what strangers can make the gateway do.
package costtest

import (
	"syscall"
	"time"
)

// Most is what any request may cost, whoever made it.
const Most = 100 * time.Millisecond * raceFactor

// Of returns the processor time of this process while f runs: a time by the clock would include what else the
// machine does. It is the least of three counts, unless one is far below the limit, for the collector and other
// goroutines of this process run too.
func Of(f func()) time.Duration {
	least := time.Duration(1<<63 - 1)
	for range 3 {
		before := used()
		f()
		if least = min(least, used()-before); least < Most/10 {
			break
		}
	}
	return least
}

func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
