//go:build !full

package models_test

const full = false
