//go:build race

package session

// raceFactor is how much slower the race detector makes things.
const raceFactor = 12
