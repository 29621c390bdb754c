package ingest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func mustLetters(t *testing.T, dir string) *deadLetters {
	t.Helper()
	d, err := openDeadLetters(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustAdd(t *testing.T, d *deadLetters, topic string) {
	t.Helper()
	if err := d.add(testMoment, mqttlink.Message{Topic: topic, Payload: []byte{1}}, seal.FrameBad, errors.New("why")); err != nil {
		t.Fatal(err)
	}
}

// topics returns the topics in a file of letters; every line must be whole.
func topics(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		var l deadLetter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			all = append(all, "torn")
			continue
		}
		all = append(all, l.Topic)
	}
	return strings.Join(all, " ")
}

// A flood of garbage must not cost a write to the platter for each frame.
func TestLettersAreSyncedOnceASecond(t *testing.T) {
	d := mustLetters(t, t.TempDir())
	syncs := 0
	d.sync = func(*os.File) error { syncs++; return nil }
	add := func(at time.Time) {
		t.Helper()
		if err := d.add(at, mqttlink.Message{Topic: "a"}, seal.FrameBad, errors.New("why")); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 1000 {
		add(testMoment.Add(time.Duration(n) * time.Millisecond))
	}
	if syncs != 1 {
		t.Errorf("%d syncs in a second, want 1", syncs)
	}
	add(testMoment.Add(time.Second))
	add(testMoment) // the clock was set back
	if syncs != 3 {
		t.Errorf("%d syncs after a second and a step back, want 3", syncs)
	}
}

// rejectedOf makes envelopes of collectors that the store does not hold, no two alike.
func rejectedOf(ids ...schemas.CollectorID) (group []*delivery) {
	for _, id := range ids {
		d := &delivery{key: deliveryKey{source: readingsOf(id)}, message: mqttlink.Message{Topic: readingsTopic(id), Payload: make([]byte, 100)}}
		_, _ = rand.Read(d.message.Payload) // never fails
		d.reject(codeSchema, errors.New("why"))
		group = append(group, d)
	}
	return group
}

// What has no other copy is on the platter when keep returns, a group at once.
func TestRejectedAreSyncedByGroup(t *testing.T) {
	r, err := openRejected(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	syncs := 0
	r.sync = func(*os.File) error { syncs++; return nil }
	for range 3 {
		if kept, err := r.keep(testMoment, rejectedOf("c1", "c2", "c3")); err != nil || slices.Contains(kept, false) {
			t.Fatal(kept, err)
		}
	}
	if syncs != 3 || strings.Count(topics(t, r.path), " ") != 8 {
		t.Errorf("%d syncs of three groups, the file holds %s", syncs, topics(t, r.path))
	}
	r.sync = func(*os.File) error { return errors.New("no") }
	before := topics(t, r.path)
	if _, err := r.keep(testMoment, rejectedOf("c1", "c2")); err == nil || topics(t, r.path) != before {
		t.Errorf("a failed write: %v, the file holds %s", err, topics(t, r.path))
	}
}

// One collector fills its part of the file and no more, also after a restart.
func TestRejectedPartOfOneCollector(t *testing.T) {
	dir := t.TempDir()
	r, err := openRejected(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.keep(testMoment, rejectedOf("c0")); err != nil {
		t.Fatal(err)
	}
	line := r.size
	count := func(ids ...schemas.CollectorID) (n int) {
		t.Helper()
		kept, err := r.keep(testMoment, rejectedOf(ids...))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kept {
			if k {
				n++
			}
		}
		return n
	}
	r.max = 3 * line * rejectedParts
	if n := count("c1", "c1", "c1", "c1", "c2"); n != 4 {
		t.Errorf("%d kept, want three of c1 and one of c2", n)
	}
	if n := count("c1"); n != 0 {
		t.Error("a full part took one more")
	}
	if r, err = openRejected(dir); err != nil {
		t.Fatal(err)
	}
	r.max = 3 * line * rejectedParts
	if n := count("c1", "c2", "c2", "c2"); n != 2 {
		t.Errorf("after a restart %d kept, want two of c2", n)
	}
	r.max = 8 * line
	if n := count("c3", "c3"); n != 1 {
		t.Errorf("%d kept where one has room", n)
	}
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	if n := count("c1", "c1"); n != 1 {
		t.Errorf("%d kept in a new file whose parts have room for one", n)
	}
	if err := os.Truncate(r.path, 0); err != nil { // as a program that turns logs does
		t.Fatal(err)
	}
	if n := count("c1", "c1"); n != 1 {
		t.Errorf("%d kept in an emptied file whose parts have room for one", n)
	}
}

// An envelope that comes again, as of a collector that was restored, takes no more room in
// the file: not in one group, nor in the next, nor after a restart.
func TestRejectedOnce(t *testing.T) {
	dir := t.TempDir()
	group := rejectedOf("c1", "c2", "c1")
	keep := func(group ...*delivery) *rejectedLetters {
		t.Helper()
		r, err := openRejected(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if kept, err := r.keep(testMoment, group); err != nil || slices.Contains(kept, false) {
				t.Fatal(kept, err)
			}
		}
		return r
	}
	keep(group[0], group[1], group[0])
	r := keep(group...)
	if got, want := topics(t, r.path), strings.Join([]string{readingsTopic("c1"), readingsTopic("c2"), readingsTopic("c1")}, " "); got != want {
		t.Errorf("the file holds %s, want %s", got, want)
	}
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	if kept, err := r.keep(testMoment, group); err != nil || slices.Contains(kept, false) || strings.Count(topics(t, r.path), " ") != 2 {
		t.Errorf("%v, %v: a file that was moved away holds them no more, the new one %s", kept, err, topics(t, r.path))
	}
}

// A new file whose name did not reach the disk gets nothing: the next try asks for the name
// again.
func TestNameOfLettersIsOwed(t *testing.T) {
	d := mustLetters(t, t.TempDir())
	named := 0
	d.syncDir = func(string) error {
		if named++; named == 1 {
			return errors.New("no")
		}
		return nil
	}
	if err := d.add(testMoment, mqttlink.Message{Topic: "a"}, seal.FrameBad, errors.New("why")); err == nil {
		t.Error("kept without a name")
	}
	mustAdd(t, d, "b")
	mustAdd(t, d, "c")
	if got := topics(t, d.path); got != "b c" || named != 2 {
		t.Errorf("the file holds %q after %d syncs of the folder, want b c after 2", got, named)
	}
}

// What is found in a file may be there for no more than the memory of the machine: the
// process that wrote it may have been killed before its sync. It is held, and receipted,
// only once it lasts.
func TestLettersThatAreFoundLast(t *testing.T) {
	for text, want := range map[string]int{"": 0, "{}\n": 1} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, rejectedFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		synced := 0
		l := letterFile{sync: func(*os.File) error { synced++; return errors.New("no") }}
		err := l.open(dir, rejectedFile)
		if synced != want || (err != nil) != (want > 0) {
			t.Errorf("%q: %d syncs, %v", text, synced, err)
		}
		if err != nil && !(strings.Contains(err.Error(), l.path) && strings.Contains(err.Error(), "start the hub again")) {
			t.Errorf("%v, want the file and what to do", err)
		}
	}
}

func TestLettersTakeTurns(t *testing.T) {
	d := mustLetters(t, t.TempDir())
	mustAdd(t, d, "a")
	d.max = 2*d.size + d.size/2
	for _, topic := range []string{"b", "c", "d", "e"} {
		mustAdd(t, d, topic)
	}
	if now, before := topics(t, d.path), topics(t, d.path+".1"); now != "e" || before != "c d" {
		t.Errorf("files hold %q and %q, want e and c d", now, before)
	}
	again := mustLetters(t, filepath.Dir(d.path))
	if again.size != d.size {
		t.Errorf("opened again at %d bytes, want %d", again.size, d.size)
	}
	if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestLettersAfterATornOne(t *testing.T) {
	d := mustLetters(t, t.TempDir())
	mustAdd(t, d, "a")
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"received_at":`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, mustLetters(t, filepath.Dir(d.path)), "b")
	if got := topics(t, d.path); got != "a torn b" {
		t.Errorf("the file holds %q, want a torn b", got)
	}
}

// /dev/full refuses the write, /dev/null the fsync.
func TestLettersOnABadDisk(t *testing.T) {
	for _, device := range []string{"/dev/full", "/dev/null"} {
		if _, err := os.Stat(device); err != nil {
			t.Skip("this system has no " + device)
		}
		dir := t.TempDir()
		d := mustLetters(t, dir)
		if err := os.Symlink(device, d.path); err != nil {
			t.Fatal(err)
		}
		err := d.add(testMoment, mqttlink.Message{Topic: "a"}, seal.FrameBad, errors.New("why"))
		if err == nil || !strings.Contains(err.Error(), d.path) {
			t.Errorf("%s: error %v, want the file named", device, err)
		}
		if err := os.Remove(d.path); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, d, "b")
		if got := topics(t, d.path); got != "b" {
			t.Errorf("%s: then the file holds %q, want b", device, got)
		}
	}
}

func TestLoud(t *testing.T) {
	d := mustLetters(t, t.TempDir())
	for i, want := range []bool{true, false, true} {
		if got := d.loud(seal.FrameBad, testMoment.Add(loudEvery/2*time.Duration(i))); got != want {
			t.Errorf("message %d is loud: %v, want %v", i, got, want)
		}
	}
	if !d.loud(seal.TagWrong, testMoment) {
		t.Error("one code silences another")
	}
}

// A damaged replay file stops the hub, names the file and says what to do.
func TestDamagedReplayFile(t *testing.T) {
	dir := t.TempDir()
	book, err := openReplayBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &delivery{key: deliveryKey{source: readingsOf("c1"), context: seal.Context{Boot: 1}, seq: 3}}
	if err := book.commit([]*delivery{d}); err != nil {
		t.Fatal(err)
	}
	if again, err := openReplayBook(dir); err != nil || again.check(d.key, d.tag) != seal.Duplicate {
		t.Fatalf("opened again: %v, want the envelope remembered", err)
	}
	path := filepath.Join(dir, "replay", "c1"+replaySuffix)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{"empty": nil, "short": data[:len(data)-1], "flipped": flipped(data), "long": append(data, 0)} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openReplayBook(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: error %v, want the file and the remedy", name, err)
		}
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := openReplayBook(dir); err != nil {
		t.Errorf("moved away as the error says: %v", err)
	}
}

func flipped(data []byte) []byte {
	out := append([]byte(nil), data...)
	out[0] ^= 0xff
	return out
}

// FuzzReplayFile: a file either opens, and is then written again as it was, or
// is refused by its name.
func FuzzReplayFile(f *testing.F) {
	var t seal.Tracker
	for seq := range uint32(5) {
		t.Commit(seal.Context{Boot: 7}, 2*seq, [16]byte{byte(seq)})
	}
	data, err := t.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "replay", "c1"+replaySuffix)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		book, err := openReplayBook(dir)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("error %v does not name the file", err)
			}
			return
		}
		if again, err := book.trackers[readingsOf("c1")].MarshalBinary(); err != nil || string(again) != string(data) {
			t.Errorf("% x is written again as % x, %v", data, again, err)
		}
	})
}

func TestReceiptsAreMinimal(t *testing.T) {
	one, two := seal.Context{Boot: 1}, seal.Context{Boot: 2}
	add := func(group []*delivery, c seal.Context, seqs ...uint32) []*delivery {
		for _, s := range seqs {
			group = append(group, &delivery{area: testArea, key: deliveryKey{readingsOf("c1"), c, s}})
		}
		return group
	}
	group := add(nil, one, 5, 3, 4, 9, 4)
	group = add(group, two, 0)
	for seq := range uint32(schemas.MaxSeqRanges + 1) {
		group = add(group, seal.Context{Boot: 3}, 2*seq)
	}
	group = append(group, &delivery{area: testArea, key: deliveryKey{readingsOf("c1"), one, 6}, withheld: true})
	receipts := receiptsFor(group)
	if len(receipts) != 4 {
		t.Fatalf("%d receipts, want 1 + 1 + 2", len(receipts))
	}
	for i, want := range []struct{ ranges, envelopes int }{{2, 4}, {1, 1}, {schemas.MaxSeqRanges, schemas.MaxSeqRanges}, {1, 1}} {
		r := receipts[i]
		if len(r.Stored) != want.ranges || r.envelopes != want.envelopes || r.Validate() != nil {
			t.Errorf("receipt %d: %d ranges, %d envelopes, %v; want %v", i, len(r.Stored), r.envelopes, r.Validate(), want)
		}
	}
	if s := receipts[0].Stored; s[0] != (schemas.SeqRange{From: 3, To: 5}) || s[1] != (schemas.SeqRange{From: 9, To: 9}) {
		t.Errorf("first receipt names %v", s)
	}
}

// The place of a session that was put out is taken by a new one.
func TestReceiptSessions(t *testing.T) {
	o := testOptions(t)
	o.Now = time.Now
	s := newReceiptSealers(o)
	for _, id := range []schemas.CollectorID{"c1", "c2"} {
		if _, err := s.sealer(id); err != nil {
			t.Fatal(err)
		}
	}
	first, err := s.sealer("c1")
	if err != nil {
		t.Fatal(err)
	}
	clear(s.known)
	second, err := s.sealer("c1")
	if err != nil || first.Context() == second.Context() {
		t.Errorf("the new session uses the context of the old one, %v", err)
	}
	if _, err := s.sealer("c9"); err == nil {
		t.Error("a receipt for a stranger")
	}
}
