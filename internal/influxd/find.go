package influxd

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNotFound is returned by Find, and by Start without a Binary.
var ErrNotFound = errors.New("influxd is neither beside this program nor in a bin folder above the working directory; build it with `make bin/influxd`")

// Find returns the path of the bundled influxd: beside the running program,
// else in the bin folder of the working directory or of a folder above it, up
// to the root of the Go module.
func Find() (string, error) {
	name := "influxd"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if p := filepath.Join(filepath.Dir(self), name); isProgram(p) {
			return p, nil
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", ErrNotFound
	}
	if p, ok := findUp(dir, name); ok {
		return p, nil
	}
	return "", ErrNotFound
}

func findUp(dir, name string) (string, bool) {
	for {
		if p := filepath.Join(dir, "bin", name); isProgram(p) {
			return p, true
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return "", false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isProgram(path string) bool {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() {
		return false
	}
	return runtime.GOOS == "windows" || fi.Mode().Perm()&0o111 != 0
}
