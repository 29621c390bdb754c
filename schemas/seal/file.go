package seal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"citygrid/internal/durable"
)

// maxFile bounds a key file, a bundle and a passphrase, in bytes.
const maxFile = 64 << 10

// The permission bits that must be clear.
const (
	anyoneElse fs.FileMode = 0o077 // key files and bundles: the owner alone
	strangers  fs.FileMode = 0o007 // passphrase files: a group may read
)

// readPrivate reads a regular file that has none of the forbidden permission
// bits. On Windows, where the bits say nothing, they are not looked at.
func readPrivate(path string, forbidden fs.FileMode) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errorf(FileBad, "%s is not a regular file", path)
	}
	if perm := info.Mode().Perm(); perm&forbidden != 0 && runtime.GOOS != "windows" {
		return nil, errorf(FileMode, "%s may be read by other users (mode %04o): run chmod %04o %s", path, perm, perm&^forbidden&0o600, path)
	}
	return readBounded(path, f)
}

func readBounded(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, errorf(FileBad, "%s is longer than %d bytes", name, maxFile)
	}
	return data, nil
}

// writePrivate writes v as JSON to a new file that only the owner may read. It
// refuses to replace a file: a key that is overwritten is lost for good.
func writePrivate(path string, v any) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("%s: %w: move it away first", path, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	defer clear(data)
	return durable.WriteFile(path, append(data, '\n'), 0o600)
}

// hexBytes is a byte string of a JSON file, in hex.
type hexBytes []byte

// MarshalText writes hex.
func (h hexBytes) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", []byte(h)), nil }

// UnmarshalText reads hex of either case.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hexDecode(text)
	*h = b
	return err
}
