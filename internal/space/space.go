// Package space checks whether the disks have room for new values. New values are refused first, while there is still room
// for grants; revocations and deletions have a reserve of their own, in models: docs/adr/0022.
package space

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// RetryAfter is how long a refused client should wait.
const RetryAfter = 30 * time.Second

// The defaults of MinFree and of the reserve are these bytes, or an eighth of the disk if that is less.
const (
	defaultMinFree = 256 << 20
	defaultReserve = 48 << 20
	defaultPart    = 8
)

// ErrShort is wrapped if a disk has less room than required.
var ErrShort = errors.New("space: too little room")

// Disk is a directory whose file system is watched.
type Disk struct {
	Name   string // in metrics and logs: database, objects
	Dir    string
	Values bool // values are stored there
}

// Observer records the free space at every Look.
type Observer interface {
	// SpaceFree gets the number of free bytes of a disk.
	SpaceFree(disk string, bytes int64)
}

// Options configure a Monitor; all are required except MinFree and Stat.
type Options struct {
	Disks    []Disk
	MinFree  int64 // bytes; 0: 256 MiB, or an eighth of the disk if that is less
	Observer Observer
	Logger   *slog.Logger
	Stat     func(dir string) (free, size int64, err error) // for tests; nil: the system's
}

// Monitor watches disks, safe for concurrent use.
type Monitor struct {
	opts  Options
	mu    sync.Mutex
	short map[string]bool // the disks that are logged as short
}

// New returns a monitor.
func New(o Options) (*Monitor, error) {
	if len(o.Disks) == 0 || o.Observer == nil || o.Logger == nil || o.MinFree < 0 {
		return nil, errors.New("space: an option is missing")
	}
	if o.Stat == nil {
		o.Stat = Stat
	}
	return &Monitor{opts: o, short: map[string]bool{}}, nil
}

// Admit returns a fault, UNAVAILABLE with RetryAfter, unless every disk has enough room after values of this many bytes. It
// reads the free space at each call, which takes a microsecond or two.
func (m *Monitor) Admit(bytes int64) error {
	for _, d := range m.opts.Disks {
		if _, err := m.look(d, bytes); err != nil {
			f := fault.Wrap(err, fault.Unavailable, "The gateway takes no new values at the moment: try again later.")
			f.RetryAfter = RetryAfter
			return f
		}
	}
	return nil
}

// look returns the free bytes of a disk. It returns an error that wraps ErrShort if they are too few after values of this
// many bytes, and another error if the disk can't be read.
func (m *Monitor) look(d Disk, bytes int64) (free int64, err error) {
	free, size, err := m.opts.Stat(d.Dir)
	if err != nil {
		return 0, fmt.Errorf("space: the disk of %s: %w", d.Name, err)
	}
	need := m.opts.MinFree
	if need == 0 {
		need = min(defaultMinFree, size/defaultPart)
	}
	if d.Values {
		need += bytes
	}
	if free < need {
		return free, fmt.Errorf("%w: %s has %d bytes free, and %d are needed", ErrShort, d.Name, free, need)
	}
	return free, nil
}

// Look passes the free space to the observer, logs changes, and returns the errors of all disks; ErrShort is wrapped for a
// disk that is short.
func (m *Monitor) Look(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all error
	for _, d := range m.opts.Disks {
		free, err := m.look(d, 0)
		m.opts.Observer.SpaceFree(d.Name, free)
		switch {
		case err != nil && !m.short[d.Name]:
			m.opts.Logger.ErrorContext(ctx, "a disk is nearly full: tokenize and uploads are refused", slog.String("disk", d.Name), slog.Any("error", err))
		case err == nil && m.short[d.Name]:
			m.opts.Logger.InfoContext(ctx, "a disk has room again: tokenize and uploads are accepted", slog.String("disk", d.Name))
		}
		m.short[d.Name] = err != nil
		all = errors.Join(all, err)
	}
	return all
}

// Reserve returns the default reserve, in bytes, for the disk of a directory, or the error of Stat.
func Reserve(dir string) (int64, error) {
	_, size, err := Stat(dir)
	if err != nil {
		return 0, fmt.Errorf("space: %w", err)
	}
	return min(defaultReserve, size/defaultPart), nil
}

// Stat returns the bytes that are free for this process on the disk of a directory, and the disk's size. For a directory
// that does not exist yet it reads the disk of its parent.
func Stat(dir string) (free, size int64, err error) {
	for {
		free, size, err = stat(dir)
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return free, size, err
		}
		dir = parent
	}
}
