//go:build !race

package costtest

const raceFactor = 1
