//go:build unix

// Package costtest measures, for tests, the processor time of requests of anonymous clients.
package costtest

import (
	"syscall"
	"time"
)

// Most is the most processor time that any client's request may take.
const Most = 100 * time.Millisecond * raceFactor

// Of returns the processor time of this process while f runs, because elapsed time would include other processes. It is
// the least of three measurements, because the garbage collector and other goroutines run too; a measurement far below
// Most is enough.
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
