package cardslot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// Outbox is a folder in which the entries of a point of sale wait for a collector
// on the same machine. Each handing-over is a file of its own, which is there as a
// whole or not at all, so that neither side waits for the other.
type Outbox struct {
	// Dir is the folder; it is made when something is put into it.
	Dir string
}

// outboxSuffix marks the files that are whole.
const outboxSuffix = ".entries.json"

// Put adds entries, durably when it returns. The same entries again are the same
// file.
func (o Outbox) Put(entries []schemas.CardEntry) error {
	if len(entries) == 0 {
		return nil
	}
	data, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("outbox %s: %w", o.Dir, err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	sum := sha256.Sum256(data)
	name := fmt.Sprintf("%013d-%x%s", entries[0].TakenAt.UnixMilli(), sum[:8], outboxSuffix)
	if err := durable.WriteFile(filepath.Join(o.Dir, name), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// Take hands the entries to take, file by file, the oldest first, and removes each
// file once take has answered for its entries by returning nil. An absent folder
// is an empty one. A crash in between makes entries come again: the ledger joins
// what is equal. A file that cannot be understood is left, and the others are
// taken all the same; the error names it. An error of take ends the work.
func (o Outbox) Take(ctx context.Context, take func(context.Context, []schemas.CardEntry) error) (entries int, err error) {
	files, err := os.ReadDir(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	var damaged []error
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), outboxSuffix) {
			continue
		}
		path := filepath.Join(o.Dir, f.Name())
		list, err := readEntries(path)
		if err != nil {
			damaged = append(damaged, fmt.Errorf("outbox: %w: look at the file; its entries have not gone to the hub", err))
			continue
		}
		if err := take(ctx, list); err != nil {
			return entries, errors.Join(append(damaged, fmt.Errorf("outbox %s: %w", o.Dir, err))...)
		}
		entries += len(list)
		if err := os.Remove(path); err != nil {
			damaged = append(damaged, fmt.Errorf("outbox: %w", err))
		}
	}
	return entries, errors.Join(damaged...)
}

func readEntries(path string) ([]schemas.CardEntry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := parseEntries(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// parseEntries reads what Put has written.
func parseEntries(data []byte) (list []schemas.CardEntry, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the entries")
	}
	if len(list) == 0 {
		return nil, errors.New("no entries")
	}
	return list, nil
}
