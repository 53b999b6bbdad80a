//go:build race

package costtest

// raceFactor is how much slower the race detector makes things.
const raceFactor = 12
