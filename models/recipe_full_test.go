//go:build full

package models_test

// full adds what takes too long for each run: make full.
const full = true
