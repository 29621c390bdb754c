package ingest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// blockade lists the sessions in which one sequence number was used for two
// messages: their key runs twice, and nothing more is taken from them until
// somebody has looked. Each is a file, which the operator removes to go on.
type blockade struct {
	dir string

	mu    sync.Mutex
	names map[string]bool
}

func openBlockade(dir string) (*blockade, error) {
	b := &blockade{dir: filepath.Join(dir, "blocked"), names: make(map[string]bool)}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("blocked sessions: %w", err)
	}
	return b, b.look()
}

// look learns which files there are: the operator removes them. The caller holds mu, or is
// alone.
func (b *blockade) look() error {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("blocked sessions: %w", err)
	}
	clear(b.names)
	for _, e := range entries {
		b.names[e.Name()] = true
	}
	return nil
}

// sessionName is the file name of a session; a dot is in no collector id.
func sessionName(k deliveryKey) string {
	return fmt.Sprintf("%s.%d.%x", k.name(), k.context.Boot, k.context.Random)
}

// maxBlocked bounds the blocked sessions of one collector: a key that runs twice in more
// of them is in wrong hands, and all its sessions are blocked by one file.
const maxBlocked = 64

// wholeName is the file name that blocks every session of a collector.
func wholeName(id schemas.CollectorID) string { return string(id) + ".all" }

// blocked counts the files of a collector. The caller holds mu.
func (b *blockade) blocked(id schemas.CollectorID) (n int) {
	for name := range b.names {
		if strings.HasPrefix(name, string(id)+".") {
			n++
		}
	}
	return n
}

// add blocks the session of k durably.
func (b *blockade) add(k deliveryKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.look(); err != nil {
		return err
	}
	name := sessionName(k)
	text := fmt.Sprintf("Collector %s, session %s: sequence %d came twice with different content, so two programs\n"+
		"use one key: a copy of the box runs, or a machine was resumed from a snapshot.\n"+
		"The hub takes nothing more from this session; the collector keeps what it has sealed in it.\n"+
		"Stop the second one and restart the first, which begins a new session. Then remove this file:\n"+
		"the hub takes the rest of the session when it comes again.\n", k.collector, k.context, k.seq)
	if b.blocked(k.collector) >= maxBlocked {
		name = wholeName(k.collector)
		text = fmt.Sprintf("Collector %s: in %d sessions one sequence number came twice with different content, so its key\n"+
			"is used by somebody else. The hub takes no readings, card entries and events of it.\n"+
			"Give the box a new key (citygrid keys rotate --compromised). Then remove this file and those of the sessions.\n", k.collector, maxBlocked)
	}
	if err := durable.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		return fmt.Errorf("block session %s of %s: %w", k.context, k.collector, err)
	}
	b.names[name] = true
	return nil
}

// find returns the file that blocks the session of k.
func (b *blockade) find(k deliveryKey) (path string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.names) == 0 {
		return "", false // no name is made for a message on the usual way
	}
	for _, name := range []string{sessionName(k), wholeName(k.collector)} {
		if !b.names[name] {
			continue
		}
		path = filepath.Join(b.dir, name)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, true
		}
		delete(b.names, name)
	}
	return "", false
}
