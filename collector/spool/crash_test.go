package spool

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// childFolder tells a re-executed test binary to be the appender.
const childFolder = "SPOOL_TEST_FOLDER"

// payload is what the child appends as its n-th record: checkable from its start.
func payload(n uint64) []byte {
	data := binary.LittleEndian.AppendUint64(nil, n)
	return append(data, strings.Repeat(fmt.Sprint(n%10), int(n%500))...)
}

// TestKill kills a child process at random moments while it appends and releases,
// several rounds over one folder: every record the child saw acknowledged, and
// did not release, must be there and whole.
func TestKill(t *testing.T) {
	if dir := os.Getenv(childFolder); dir != "" {
		appendForever(t, dir)
	}
	dir := filepath.Join(t.TempDir(), "spool")
	acked, released := map[uint64]uint64{}, map[uint64]bool{} // sequence -> payload number
	rounds := 8
	for round := range rounds {
		runAndKill(t, dir, rand.IntN(3000)+10, acked, released)
		s := mustOpen(t, dir, Options{SegmentBytes: 64 << 10, OnEvent: func(e Event) {
			if e.Kind != Torn {
				t.Errorf("round %d: %v", round, e)
			}
		}})
		got := content(t, s)
		mustClose(t, s)
		for seq, n := range acked {
			if data, ok := got[seq]; ok && data != string(payload(n)) {
				t.Fatalf("round %d: record %d is not what was appended", round, seq)
			} else if !ok && !released[seq] {
				t.Fatalf("round %d: acknowledged record %d is lost", round, seq)
			}
		}
		for seq, data := range got {
			if n := binary.LittleEndian.Uint64([]byte(data)); data != string(payload(n)) {
				t.Fatalf("round %d: record %d is bad", round, seq)
			}
		}
	}
	t.Logf("%d acknowledged records over %d kills, %d released", len(acked), rounds, len(released))
}

// runAndKill starts the child and kills it after so many lines of its output.
func runAndKill(t *testing.T, dir string, lines int, acked map[uint64]uint64, released map[uint64]bool) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), childFolder+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for scan := bufio.NewScanner(out); scan.Scan(); seen++ {
		if seen == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		// What the child wrote before it died counts also after the kill.
		verb, rest, _ := strings.Cut(scan.Text(), " ")
		seq, n, _ := strings.Cut(rest, " ")
		s, err1 := strconv.ParseUint(seq, 10, 64)
		p, err2 := strconv.ParseUint(n, 10, 64)
		switch {
		case err1 != nil || err2 != nil || !strings.HasSuffix(n, "0"): // a line cut short by the kill
		case verb == "ack":
			acked[s] = p / 10
		case verb == "rel":
			released[s] = true
		}
	}
	_ = child.Wait() // "killed" is expected
	if seen < lines {
		t.Fatalf("the child ended by itself after %d lines", seen)
	}
}

// appendForever is the child. A line ends in "0", the tenfold of the payload's
// number, so that one cut short is not taken for another number.
func appendForever(t *testing.T, dir string) {
	s := mustOpen(t, dir, Options{SegmentBytes: 64 << 10, CommitRecords: 20, StateEvery: 1})
	var mu sync.Mutex // keeps lines whole
	say := func(verb string, seq, n uint64) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %d %d0\n", verb, seq, n)
	}
	var wg sync.WaitGroup
	for worker := range uint64(40) {
		wg.Go(func() {
			for n := worker; ; n += 40 {
				seq, err := s.Append(t.Context(), payload(n))
				if err != nil {
					t.Error(err)
					return
				}
				say("ack", seq, n)
				if n%3 != 0 || seq%1000 < 800 {
					say("rel", seq, n)
					if err := s.Release(seq); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	os.Exit(1)
}

// losingDisk is a disk under a process that dies with the power: bytes written
// since the last Sync of a file may be gone, in part or in whole.
type losingDisk struct {
	osDisk
	mu      sync.Mutex
	synced  map[string]int64
	written map[string]int64
}

func (d *losingDisk) Open(path string, flag int) (file, error) {
	f, err := d.osDisk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &losingFile{f, d, path}, nil
}

type losingFile struct {
	file
	d    *losingDisk
	path string
}

func (f *losingFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	f.d.written[f.path] = max(f.d.written[f.path], off+int64(len(p)))
	f.d.mu.Unlock()
	return f.file.WriteAt(p, off)
}

func (f *losingFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.synced[f.path] = f.d.written[f.path]
	return f.file.Sync()
}

// cutPower copies dir as the medium may look now: of the bytes not synced some
// are there, some are zeros, some are missing.
func (d *losingDisk) cutPower(t *testing.T, dir string, rng *rand.Rand) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	to := copyFolder(t, dir)
	for path, written := range d.written {
		synced := d.synced[path]
		content, err := os.ReadFile(filepath.Join(to, filepath.Base(path)))
		if err != nil || written == synced {
			continue
		}
		end := synced + rng.Int64N(written-synced+1)
		content = content[:min(end, int64(len(content)))]
		for i := synced + rng.Int64N(written-synced+1); i < int64(len(content)); i++ {
			content[i] = 0
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(path)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestPowerCut cuts the power at random moments, also within commits.
func TestPowerCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		lossy := &losingDisk{synced: map[string]int64{}, written: map[string]int64{}}
		dir := t.TempDir()
		s := mustOpen(t, dir, Options{SegmentBytes: 8 << 10, CommitRecords: 5, disk: lossy})
		var mu sync.Mutex
		acked := map[uint64]string{}
		ready := make(chan struct{}, 1000)
		var wg sync.WaitGroup
		for worker := range uint64(5) {
			wg.Go(func() {
				for n := worker; n < 150; n += 5 {
					seq, err := s.Append(t.Context(), payload(n))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acked[seq] = string(payload(n))
					mu.Unlock()
					ready <- struct{}{}
				}
			})
		}
		for range rng.IntN(140) {
			<-ready
		}
		mu.Lock()
		want := map[uint64]string{}
		for seq, data := range acked {
			want[seq] = data
		}
		mu.Unlock()
		after := lossy.cutPower(t, dir, rng)
		wg.Wait()
		mustClose(t, s)
		s = mustOpen(t, after, Options{SegmentBytes: 8 << 10})
		got := content(t, s)
		mustClose(t, s)
		for seq, data := range want {
			if got[seq] != data {
				t.Fatalf("acknowledged record %d is lost", seq)
			}
		}
		for seq, data := range got {
			if n := binary.LittleEndian.Uint64([]byte(data)); data != string(payload(n)) {
				t.Fatalf("record %d is bad", seq)
			}
		}
	}
}
