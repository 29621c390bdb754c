package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzReadExport: no file makes the reader panic, and what it takes for whole is
// written again as the same records.
func FuzzReadExport(f *testing.F) {
	var whole bytes.Buffer
	e := NewExporter(&whole)
	for _, name := range []string{"readings", "cards"} {
		if err := e.Begin(Section{Name: name, Epoch: 7, At: time.UnixMilli(1)}); err != nil {
			f.Fatal(err)
		}
		for seq, data := range []string{"one", "two"} {
			if err := e.Add(Record{Seq: uint64(seq + 1), Data: []byte(data)}); err != nil {
				f.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		f.Fatal(err)
	}
	for _, lie := range []bool{false, true} {
		f.Add(whole.Bytes(), lie)
		f.Add(whole.Bytes()[:whole.Len()/2], lie)
	}
	f.Fuzz(func(t *testing.T, data []byte, lie bool) {
		if lie {
			data = certifyExport(data)
		}
		var again bytes.Buffer
		w := NewExporter(&again)
		var last Section
		n, err := ReadExport(bytes.NewReader(data), func(s Section, r Record) error {
			if s != last {
				last = s
				if err := w.Begin(s); err != nil {
					return err
				}
			}
			return w.Add(r)
		})
		switch {
		case err == nil && n > len(data)/recordHeader:
			t.Errorf("%d records in %d bytes", n, len(data))
		case err != nil && !errors.Is(err, ErrExport) && !errors.Is(err, ErrVersion):
			t.Errorf("an error of another kind: %v", err)
		}
	})
}

// certifyExport gives the headers and records of an export right checksums, which a
// fuzzer cannot guess.
func certifyExport(data []byte) []byte {
	data = bytes.Clone(data)
	for at := 0; len(data)-at >= exportHeader; {
		head := data[at : at+exportHeader]
		copy(head, exportMagic)
		binary.LittleEndian.PutUint16(head[4:], formatVersion)
		binary.LittleEndian.PutUint32(head[40:], checksum(head[:40]))
		for at += exportHeader; len(data)-at >= recordHeader; {
			size := int(binary.LittleEndian.Uint32(data[at:]))
			if size > len(data)-at-recordHeader {
				return data
			}
			record := data[at : at+recordHeader+size]
			binary.LittleEndian.PutUint32(record[4:], checksum(record[8:]))
			if at += len(record); size == 0 {
				break
			}
		}
	}
	return data
}

// FuzzInspect looks at arbitrary segments without opening them: it must not panic, and
// must find what Open finds.
func FuzzInspect(f *testing.F) {
	sound := header{epoch: 1, first: 1, created: time.UnixMilli(0)}.encode()
	for seq, data := range []string{"one", "two", "three"} {
		sound = append(sound, record(uint64(seq+1), data)...)
	}
	saved := state{epoch: 1, next: 3, live: []span{{1, 1}}}.encode()
	f.Add(sound, saved)
	f.Add(sound[:70], saved[:20])
	f.Add(append(sound[:60:60], sound[64:]...), []byte(nil))
	f.Fuzz(func(t *testing.T, one, saved []byte) {
		dir := t.TempDir()
		for name, content := range map[string][]byte{segmentName(1): certify(one), stateName: certifyState(saved)} {
			if len(content) == 0 {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		waiting := map[uint64]string{}
		in, err := Inspect(t.Context(), dir, func(r Inspected) error {
			if r.Waiting {
				waiting[r.Seq] = string(r.Data)
			}
			return nil
		})
		if err != nil || !in.Sound() {
			return
		}
		s, err := Open(dir, Options{SegmentBytes: 4 << 10, CommitRecords: 1})
		if err != nil {
			t.Fatalf("sound to Inspect, and Open says: %v", err)
		}
		for seq, data := range content(t, s) {
			if waiting[seq] != data {
				t.Errorf("record %d: Open hands out %q, Inspect shows %q", seq, data, waiting[seq])
			}
		}
		mustClose(t, s)
	})
}
