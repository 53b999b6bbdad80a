//go:build !linux

// Package disktest provides small disks that tests can fill, on Linux.
package disktest
