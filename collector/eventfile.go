package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// The file events.state is what a collector remembers of component events: what its
// EventSource knows, and the events that are decided and not known to be durable in
// their spool. Its form is that of meters.state, with a head of its own.
const eventHead = "citygrid events 1 %08x\n"

// eventMemory is what the file holds.
type eventMemory struct {
	// Detector is what EventSource.State returned; empty: there was none.
	Detector []byte                   `json:"detector,omitempty"`
	Waiting  []schemas.ComponentEvent `json:"waiting,omitempty"`
}

// eventFile is the file and what it holds.
type eventFile struct {
	path string
	// detector is what the file held of the source at the start, kept while there is
	// no source.
	detector []byte
	saved    []byte
	failed   bool // the last write
}

func encodeEvents(m eventMemory) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the state of the component events: %w", err)
	}
	return checked(eventHead, append(body, '\n')), nil
}

// decodeEvents reads what encodeEvents wrote, and refuses anything else.
func decodeEvents(data []byte) (m eventMemory, err error) {
	body, err := unchecked(eventHead, data)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return eventMemory{}, fmt.Errorf("%w: %w", errState, err)
	}
	return m, nil
}

// read returns what the file holds; nothing where there is none.
func (f *eventFile) read() (m eventMemory, err error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		m, err = decodeEvents(data)
	}
	if err == nil {
		f.detector, f.saved = m.Detector, data
	}
	return m, err
}

// write makes m durable. It touches no disk when the file holds that already, and
// makes no file to say nothing.
func (f *eventFile) write(m eventMemory) error {
	data, err := encodeEvents(m)
	if err != nil {
		return err
	}
	if bytes.Equal(data, f.saved) || f.saved == nil && len(m.Detector) == 0 && len(m.Waiting) == 0 {
		return nil
	}
	if err := durable.WriteFile(f.path, data, 0o600); err != nil {
		return err
	}
	f.saved = data
	return nil
}

// forget drops what read returned.
func (f *eventFile) forget() { f.detector, f.saved = nil, nil }
