//go:build !linux && !darwin && !freebsd

package space

import "math"

// stat is not implemented for this system: no disk is ever short.
func stat(string) (free, size int64, err error) { return math.MaxInt64, math.MaxInt64, nil }
