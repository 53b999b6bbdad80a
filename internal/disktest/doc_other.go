//go:build !linux

// Package disktest gives tests a disk of their own, on Linux.
package disktest
