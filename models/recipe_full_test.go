//go:build full

package models_test

// full adds the checks that take too long for each run: make full.
const full = true
