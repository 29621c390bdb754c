package seal

import (
	"bytes"
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

// decodeStrict reads one JSON object into the structure that v points to: every
// field there once, spelt exactly, and no other. encoding/json alone would take
// missing, repeated and differently spelt fields.
func decodeStrict(data []byte, v any) error {
	got, err := fieldNames(data)
	if err != nil {
		return err
	}
	zero, err := json.Marshal(v)
	if err != nil {
		return err
	}
	want, err := fieldNames(zero)
	if err != nil {
		return err
	}
	for name := range got {
		if !want[name] {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	for name := range want {
		if !got[name] {
			return fmt.Errorf("field %q is missing", name)
		}
	}
	return json.Unmarshal(data, v)
}

// fieldNames lists the names of the one JSON object in data.
func fieldNames(data []byte) (map[string]bool, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	names := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if names[name] {
			return nil, fmt.Errorf("field %q appears twice", name)
		}
		names[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return names, nil
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
