package collector

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citygrid/schemas"
)

// A file that cannot be read, and one that the source refuses, is kept as evidence;
// the collector starts with a source that knows nothing.
func TestDamagedEventStateIsSetAside(t *testing.T) {
	whole, err := encodeEvents(eventMemory{Detector: []byte("not JSON"), Waiting: []schemas.ComponentEvent{event(1, schemas.EventOpened)}})
	if err != nil {
		t.Fatal(err)
	}
	cut := whole[:len(whole)-3]
	for name, data := range map[string][]byte{"cut": cut, "refused": whole} {
		o := testOptions(t, newKeys(t), t.TempDir())
		path := filepath.Join(o.DataDir, "events.state")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		states := 0
		o.Events = func(state []byte) (EventSource, error) {
			states++
			return new(counting).from(state)
		}
		c := mustOpen(t, o)
		aside, err := filepath.Glob(path + ".damaged-*Z")
		if err != nil || len(aside) != 1 || fileText(aside[0]) != string(data) {
			t.Errorf("%s: kept as %q, %v", name, aside, err)
		}
		if want := map[string]int{"cut": 1, "refused": 2}[name]; states != want || c.events.source == nil {
			t.Errorf("%s: %d sources, want %d", name, states, want)
		}
		if got, want := len(c.events.waiting), map[string]int{"cut": 0, "refused": 1}[name]; got != want {
			t.Errorf("%s: %d events wait, want %d", name, got, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	o := testOptions(t, newKeys(t), t.TempDir())
	o.Events = func([]byte) (EventSource, error) { return nil, errors.New("no rules") }
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "no rules") {
		t.Errorf("a source that cannot be made: %v", err)
	}
}

func TestEventFileRoundTrip(t *testing.T) {
	m := eventMemory{Detector: []byte{0, 1, 0xff}, Waiting: []schemas.ComponentEvent{event(1, schemas.EventOpened), event(1, schemas.EventCleared)}}
	data, err := encodeEvents(m)
	if err != nil || !strings.HasPrefix(string(data), "citygrid events 1 ") {
		t.Fatalf("%.40q, %v", data, err)
	}
	got, err := decodeEvents(data)
	if err != nil || !bytes.Equal(got.Detector, m.Detector) || !slices.Equal(got.Waiting, m.Waiting) {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x20
		if _, err := decodeEvents(bad); !errors.Is(err, errState) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := decodeEvents(data[:i]); !errors.Is(err, errState) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
	if _, err := decodeState(data); !errors.Is(err, errState) {
		t.Errorf("taken for meters.state: %v", err)
	}
}

// FuzzEventFile: no file makes the decoder panic, and what it accepts is written and
// read again as the same.
func FuzzEventFile(f *testing.F) {
	data, err := encodeEvents(eventMemory{Detector: []byte("{}"), Waiting: []schemas.ComponentEvent{event(1, schemas.EventOpened)}})
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n"))
	f.Add(body)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"waiting":[{}]}`))
	f.Add([]byte(`{"detector":null,"waiting":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := decodeEvents(checked(eventHead, body))
		if err != nil {
			return
		}
		again, err := encodeEvents(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeEvents(again); err != nil || !bytes.Equal(got.Detector, m.Detector) || !slices.Equal(got.Waiting, m.Waiting) {
			t.Fatalf("%+v came back as %+v, %v", m, got, err)
		}
	})
}
