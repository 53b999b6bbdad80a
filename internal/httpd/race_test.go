//go:build race

package httpd

// raceFactor is how much slower the race detector makes things.
const raceFactor = 12
