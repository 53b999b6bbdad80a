//go:build race

package costtest

// raceFactor is the slowdown by the race detector.
const raceFactor = 12
