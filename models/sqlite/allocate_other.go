//go:build !linux

package sqlite

import (
	"errors"
	"math"
	"os"
)

// allocate is not implemented for this system, so there is no reserve.
func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func freeBytes(*os.File) int64 { return math.MaxInt64 }
