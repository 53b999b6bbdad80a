package appkit

// Policy of a folder of keys: every *.jwk file in it is a key, and is published. A file's name may say from
// when its key signs, as 20260504T100000Z.jwk; of the keys whose time has come the latest signs. The time
// stands in the name because that survives copies, mounted secrets and backups, which a file's own times
// don't, and because ls shows it.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// KeyLead is how long a new key is published before it signs, unless AddKey is told otherwise: twice the five
// minutes after which the gateway asks for the keys again.
const KeyLead = 10 * time.Minute

const (
	keyExtension  = ".jwk"
	keyTimeFormat = "20060102T150405Z"
	firstKeyFile  = "first" + keyExtension
	maxKeyFiles   = 32
)

// LoadKeys reads every key file (*.jwk) in the folder. All keys are published. The one that signs is the
// latest of those whose time has come, which is the time in the file's name, as 20260504T100000Z.jwk; a file
// of another name signs from the beginning. Where there is no key, one is made. The folder must exist, and a file
// that anybody but its owner can read is refused.
//
// To rotate: AddKey, with every replica calling Reload (or running Watch) within KeyLead; the new key is
// published at once, and signs when KeyLead is over, which needs nobody. When the last JWT of the old key
// has expired, delete its file, and Reload. A key that may have leaked is deleted at once: what it
// signed is refused as soon as verifiers fetch the keys again.
//
// Its errors are those of Reload.
func LoadKeys(folder string) (*Keys, error) {
	keys := &Keys{folder: folder}
	if err := keys.Reload(); err != nil {
		return nil, err
	}
	return keys, nil
}

// AddKey makes a new key in the folder, which signs from the given moment: KeyLead from now unless set.
// An earlier moment is for a key that has to replace a leaked one: until verifiers fetch the keys again,
// some will refuse what it signs. Errors: a key of that moment exists, which has no sentinel, and those of LoadOrCreateKey.
func AddKey(folder string, signsFrom time.Time) (*Key, error) {
	if signsFrom.IsZero() {
		signsFrom = time.Now().Add(KeyLead)
	}
	path := filepath.Join(folder, signsFrom.UTC().Format(keyTimeFormat)+keyExtension)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("signing key: %s exists: name another moment", path)
	}
	return LoadOrCreateKey(path)
}

// Reload reads the folder of LoadKeys again; on an error the keys stay as they were. Errors: those of LoadOrCreateKey for a file;
// fs.ErrNotExist, wrapped, for the folder; and without a sentinel: the keys are not LoadKeys', the last file is gone, there are more
// than 32, two are the same key, or several have no time in their names.
func (k *Keys) Reload() error {
	if k.folder == "" {
		return errors.New("keys: they are of no folder: use LoadKeys, or Replace")
	}
	k.reloading.Lock()
	defer k.reloading.Unlock()
	names, err := keyFiles(k.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keys: %w: make the folder, for the application's user alone", err)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if len(names) == 0 {
		if k.current.Load() != nil {
			return fmt.Errorf("keys: %s has no %s file any more: put one back, or restart for a new one", k.folder, "*"+keyExtension)
		}
		names = []string{firstKeyFile}
	}
	timed := make([]timedKey, 0, len(names))
	for _, name := range names {
		key, err := LoadOrCreateKey(filepath.Join(k.folder, name))
		if err != nil {
			return err
		}
		from, err := time.Parse(keyTimeFormat, strings.TrimSuffix(name, keyExtension))
		if err != nil {
			from = time.Time{}
		}
		timed = append(timed, timedKey{key, from})
	}
	slices.SortStableFunc(timed, func(a, b timedKey) int { return b.from.Compare(a.from) })
	if n := len(timed); n > 1 && timed[n-2].from.IsZero() {
		return fmt.Errorf("keys: several files in %s have no time in their names: "+
			"rename all but the oldest to when they sign from, as 20260504T100000Z.jwk", k.folder)
	}
	return k.replace(timed)
}

func keyFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries { // in the order of their names
		if name := e.Name(); strings.HasSuffix(name, keyExtension) && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	if len(names) > maxKeyFiles {
		return nil, fmt.Errorf("%s has over %d keys: delete those whose last JWT has expired", folder, maxKeyFiles)
	}
	return names, nil
}

// Watch calls Reload at every interval until ctx ends, and logs what fails (nil: slog.Default()).
func (k *Keys) Watch(ctx context.Context, interval time.Duration, logger *slog.Logger) {
	if logger == nil {
		logger = slog.Default()
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := k.Reload(); err != nil {
				logger.ErrorContext(ctx, "the signing keys could not be read again", slog.Any("error", err))
			}
		}
	}
}
