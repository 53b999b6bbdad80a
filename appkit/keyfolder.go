package appkit

// Policy of a folder of keys: every *.jwk file in it is a key, and is published. A file's name may have the time
// from which its key signs, such as 20260504T100000Z.jwk; of the keys whose time is past, the latest signs. The
// time is in the name because names survive copies, mounted secrets and backups, unlike a file's own times,
// and because ls shows them.

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

// KeyLead is how long a new key is published before it signs, unless AddKey gets another time: twice the five
// minutes after which the gateway fetches the keys again.
const KeyLead = 10 * time.Minute

const (
	keyExtension  = ".jwk"
	keyTimeFormat = "20060102T150405Z"
	firstKeyFile  = "first" + keyExtension
	maxKeyFiles   = 32
)

// LoadKeys reads every key file (*.jwk) in the folder. All keys are published. The latest key whose time is past
// signs; its time is in the file's name, such as 20260504T100000Z.jwk, and a key in a file with another name signs
// from the beginning. If there is no key, one is made. The folder must exist, and a file that other users can
// read is refused.
//
// To rotate: AddKey, with every replica calling Reload (or running Watch) within KeyLead; the new key is
// published at once, and signs after KeyLead without further calls. When the last JWT of the old key
// has expired, delete its file, and Reload. Delete a key that may have leaked at once: verifiers refuse its JWTs
// as soon as they fetch the keys again.
//
// Its errors are those of Reload.
func LoadKeys(folder string) (*Keys, error) {
	keys := &Keys{folder: folder}
	if err := keys.Reload(); err != nil {
		return nil, err
	}
	return keys, nil
}

// AddKey makes a new key in the folder, which signs from the given time: KeyLead from now unless set.
// An earlier time is for a key that has to replace a leaked one: until verifiers fetch the keys again,
// some refuse its JWTs. Errors: a key with that time exists, which has no sentinel, and those of LoadOrCreateKey.
func AddKey(folder string, signsFrom time.Time) (*Key, error) {
	if signsFrom.IsZero() {
		signsFrom = time.Now().Add(KeyLead)
	}
	path := filepath.Join(folder, signsFrom.UTC().Format(keyTimeFormat)+keyExtension)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("signing key: %s exists: give another time", path)
	}
	return LoadOrCreateKey(path)
}

// Reload reads the folder of LoadKeys again; on an error the keys stay as they were. Errors: those of LoadOrCreateKey for
// a file; fs.ErrNotExist, wrapped, for the folder; and without a sentinel: the keys are not from LoadKeys, the last file
// was removed, there are more than 32, two are the same key, or several have no time in their names.
func (k *Keys) Reload() error {
	if k.folder == "" {
		return errors.New("keys: they were not loaded from a folder: use LoadKeys, or Replace")
	}
	k.reloading.Lock()
	defer k.reloading.Unlock()
	names, err := keyFiles(k.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keys: %w: make the folder, readable by the application's user alone", err)
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
			"rename all but the oldest to the time from which they sign, such as 20260504T100000Z.jwk", k.folder)
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

// Watch calls Reload at every interval until ctx ends, and logs errors to logger (nil: slog.Default()).
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
