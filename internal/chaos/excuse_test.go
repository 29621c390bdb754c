package chaos

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citygrid/schemas/seal"
	"citygrid/simulators"
)

// A run that was interrupted is no good run.
func TestInterruptedRunFails(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	report, err := Run(ctx, Options{Dir: t.TempDir(), Trials: 3, Seed: 1, Parallel: 1})
	if !errors.Is(err, context.Canceled) || report == nil || report.Trials != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// What lies with a twin excuses the twin's own envelopes, not those that it has copied
// from the collector.
func TestTwinExcusesItsOwn(t *testing.T) {
	one, other := envelope{seq: 1}, envelope{seq: 2}
	j := &judgement{t: &trial{left: map[envelope]bool{one: true, other: true}}, own: map[envelope]bool{one: true}}
	if why := j.excused(&owed{in: []envelope{one}}); why != "" {
		t.Errorf("the collector's envelope is excused: %s", why)
	}
	if why := j.excused(&owed{in: []envelope{other}}); why != "with the twin" {
		t.Errorf("the twin's envelope: %q", why)
	}
	if why := j.excused(&owed{in: []envelope{other, one}}); why != "" {
		t.Errorf("in both: %q", why)
	}
}

// A letter that is none of ours is not passed over.
func TestStrangeLettersAreSeen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dead-letters.jsonl"), []byte(`{"code":"frame_bad","payload":"AA=="}`+"\n"+`{"code":`), 0o600); err != nil {
		t.Fatal(err)
	}
	letters, err := readLetters(dir)
	if err != nil || len(letters) != 1 || letters[envelope{}].Code != "frame_bad" {
		t.Errorf("%v, %v", letters, err)
	}
}

// The hub may refuse a session as that of a copy only when there was another one with the
// same boot number.
func TestConflictHasARival(t *testing.T) {
	one, other, later := seal.Context{Boot: 7, Random: [8]byte{1}}, seal.Context{Boot: 7, Random: [8]byte{2}}, seal.Context{Boot: 8}
	refused := envelope{context: other, seq: 1}
	j := &judgement{
		sealed:  map[envelope]bool{{context: one}: true, refused: true, {context: later}: true},
		refused: map[envelope]letter{refused: {Code: seal.BootConflict.String()}},
	}
	sessions := j.unrefused()
	if len(sessions) != 2 || !sessions[one] || !sessions[later] {
		t.Errorf("sessions %v, want the first and the last", sessions)
	}
	if !rivalled(sessions, other) || rivalled(sessions, one) || rivalled(sessions, later) {
		t.Error("a session with a rival, itself and one without: not told apart")
	}
}

// What a collector tells has its times by its clock, which a fault may have set off.
func TestCausesByTheCollectorsClock(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	happened := []simulators.Mishap{{From: began, To: began.Add(time.Second)}, {From: began}}
	tr := &trial{clock: []time.Duration{0, -7 * time.Second, 90 * time.Second}}
	got := tr.byItsClock(happened)
	if want := began.Add(-7 * time.Second); !got[0].From.Equal(want) || !got[1].From.Equal(want) {
		t.Errorf("from %s and %s, want %s", got[0].From, got[1].From, want)
	}
	if want := began.Add(91 * time.Second); !got[0].To.Equal(want) || !got[1].To.IsZero() {
		t.Errorf("to %s and %s, want %s and no end", got[0].To, got[1].To, want)
	}
	if !happened[0].From.Equal(began) {
		t.Error("what happened was changed")
	}
}

// A collector is cut short only where the hub refuses it as a copy.
func TestRefusesCopy(t *testing.T) {
	conflict := letter{Code: seal.BootConflict.String()}
	for want, letters := range map[bool]map[envelope]letter{
		false: {{seq: 1}: {Code: storeRejected}},
		true:  {{seq: 1}: {Code: storeRejected}, {seq: 2}: conflict},
	} {
		if got := refusesCopy(letters); got != want {
			t.Errorf("%v: %t", letters, got)
		}
	}
}

// Of what was linked into the archive, only that is taken back which a full disk has cut
// short and the spool has removed: not a segment that was freed, and not one that a kill has
// cut short and that is still there.
func TestTakenBack(t *testing.T) {
	a := &archive{dir: t.TempDir(), of: t.TempDir()}
	envelopes, err := sealed(4)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(a.of, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := map[envelope]bool{}
	for i, data := range envelopes {
		torn, removed := i&1 != 0, i&2 != 0
		path := filepath.Join(a.of, "spool", string(rune('a'+i))+".seg")
		if err := os.WriteFile(path, segmentWith(data, torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.sweep(); err != nil {
			t.Fatal(err)
		}
		if removed {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := envelopeOf(data); err != nil {
			t.Fatal(err)
		} else if torn && removed {
			want[e] = true
		}
	}
	got, err := a.takenBack()
	if err != nil || len(want) != 1 || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for e := range want {
		j := &judgement{t: &trial{}, own: map[envelope]bool{e: true}, takenBack: got}
		if why := j.excused(&owed{in: []envelope{e}}); why == "" {
			t.Error("what was taken back is lost")
		}
		j.t.found = want // a kill has left it sound: then it was there
		if why := j.excused(&owed{in: []envelope{e}}); why != "" {
			t.Errorf("excused: %s", why)
		}
	}
}

// sealed makes envelopes of one session.
func sealed(n int) (list [][]byte, err error) {
	key, err := seal.NewCollectorKey(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	context, err := seal.NewContext(1, rand.Reader)
	if err != nil {
		return nil, err
	}
	s, err := seal.NewSealer(seal.SealerConfig{
		Provider: seal.DefaultProvider(), Key: key, Tenant: "t", Collector: "c1", Generation: seal.Generation(1, 1),
		Role: seal.Up, ContentType: seal.Readings, Context: context,
	})
	if err != nil {
		return nil, err
	}
	for range n {
		data, _, err := s.Seal(nil, []byte("x"))
		if err != nil {
			return nil, err
		}
		list = append(list, data)
	}
	return list, nil
}

// segmentWith is a segment with one record, and where torn with the beginning of another.
func segmentWith(data []byte, torn bool) []byte {
	numbered := append(binary.LittleEndian.AppendUint64(nil, 1), data...)
	record := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
	record = binary.LittleEndian.AppendUint32(record, crc32.Checksum(numbered, crc32.MakeTable(crc32.Castagnoli)))
	record = append(record, numbered...)
	segment := append(make([]byte, segmentHeader), record...)
	if torn {
		segment = append(segment, record[:len(record)-1]...)
	}
	return segment
}
