package collector

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"

	"citygrid/internal/durable"
)

// bootCounter numbers the sessions of one collector, across restarts.
type bootCounter struct {
	mu   sync.Mutex
	path string
}

// errBootUnwritten: the next boot number could not be made durable; when the
// disk has room again it can.
var errBootUnwritten = errors.New("the boot counter cannot be written")

// next returns a number greater than every one before, after it is on disk.
func (b *bootCounter) next() (uint32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, err := b.last()
	if err != nil {
		return 0, err
	}
	if err := durable.WriteFile(b.path, fmt.Appendln(nil, last+1), 0o600); err != nil {
		return 0, fmt.Errorf("%w: %w", errBootUnwritten, err)
	}
	return last + 1, nil
}

// last returns the number used last, 0 for none. A file that holds no number,
// or the last one that there is, is an error.
func (b *bootCounter) last() (uint32, error) {
	data, err := os.ReadFile(b.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("boot counter: %w", err)
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("boot counter %s is damaged (%q): enrol the collector anew, or restore the number from the hub's page of collectors", b.path, data)
	}
	if last == math.MaxUint32 {
		return 0, fmt.Errorf("boot counter %s is used up: enrol the collector anew", b.path)
	}
	return uint32(last), nil
}
