package embedded

import "errors"

// ErrInUse is returned by New where another process has the directory.
var ErrInUse = errors.New("embedded: another process uses the directory")
