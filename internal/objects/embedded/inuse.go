package embedded

import "errors"

// ErrInUse is returned by New if another process uses the directory.
var ErrInUse = errors.New("embedded: another process uses the directory: stop it, or choose another directory")
