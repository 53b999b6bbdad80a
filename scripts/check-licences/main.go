// Check-licences fails if a module with a copyleft or an unknown licence is linked into what we ship: the
// program and the public packages, on every system that we build for. Tests and benchmarks may use any
// module, because they are not shipped.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// shipped are the folders of the packages whose dependencies are checked, if they exist.
var shipped = []string{".", "gateway", "appkit", "client", "directives"}

var systems = []string{"linux", "darwin", "windows"}

// linked is one module, and the folders of its packages that are linked.
type linked struct {
	name, root string
	folders    map[string]bool
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "check-licences:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	modules := map[string]*linked{}
	for _, system := range systems {
		if err := list(ctx, system, modules); err != nil {
			return err
		}
	}
	byLicence := map[string][]string{}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		licences, err := modules[name].licences()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all := strings.Join(licences, " and ")
		byLicence[all] = append(byLicence[all], name)
	}
	for _, licence := range slices.Sorted(maps.Keys(byLicence)) {
		_, err := fmt.Fprintf(out, "%s (%d)\n  %s\n", licence, len(byLicence[licence]), strings.Join(byLicence[licence], "\n  "))
		problems = append(problems, err)
	}
	_, err := fmt.Fprintf(out, "%d modules are linked\n", len(modules))
	return errors.Join(append(problems, err)...)
}

// list adds the modules that are linked on a system.
func list(ctx context.Context, system string, modules map[string]*linked) error {
	args := []string{"list", "-deps", "-json=Dir,Module"}
	for _, folder := range shipped {
		if _, err := os.Stat(folder); err == nil {
			args = append(args, "./"+folder)
		}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || p.Module.Main { // the standard library, and ours
			continue
		}
		name := p.Module.Path + " " + p.Module.Version
		if modules[name] == nil {
			modules[name] = &linked{name: name, root: p.Module.Dir, folders: map[string]bool{}}
		}
		for folder := p.Dir; len(folder) >= len(p.Module.Dir); folder = filepath.Dir(folder) {
			modules[name].folders[folder] = true
		}
	}
}

// licences reads every licence on the way from the module's root to its linked packages.
func (m *linked) licences() ([]string, error) {
	found := map[string]bool{}
	for folder := range m.folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() || !bearsLicence(e.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return nil, err
			}
			licence, err := classify(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", m.name, e.Name(), err)
			}
			found[licence] = true
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no licence file", m.name)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func bearsLicence(file string) bool {
	name := strings.ToUpper(file)
	if strings.HasSuffix(name, ".GO") || name == "LICENSE-LOGO" { // code, and the licence of a picture
		return false
	}
	return strings.Contains(name, "LICENSE") || strings.Contains(name, "LICENCE") ||
		strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "UNLICENSE")
}
