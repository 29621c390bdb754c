package enrolment

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// busyOffice is a folder with a log of every act.
func busyOffice(t *testing.T) *testOffice {
	w := newTestOffice(t, "c1", "c2")
	w.clock = w.clock.Add(time.Minute)
	w.rotate(1, time.Hour, false, "c1")
	w.By = "bo\u2028 \"<&>"
	w.rotate(2, time.Hour, true, "c2")
	if err := w.Revoke("c2"); err != nil {
		t.Fatal(err)
	}
	w.nextMaster()
	w.rotate(3, time.Hour, false, "c1")
	if _, err := w.Extend("c1", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Destroy("c1"); err != nil {
		t.Fatal(err)
	}
	if err := w.DestroyMaster(1, false, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAuditLog(t *testing.T) {
	w := busyOffice(t)
	log, err := w.ReadAudit(Head{})
	if err != nil || log.Unfinished != 0 || log.Torn != 0 || log.Head != w.list().Audit {
		t.Fatalf("%+v, %v", log, err)
	}
	var acts []Act
	for _, e := range log.Entries {
		acts = append(acts, e.Act)
	}
	want := []Act{ActIssue, ActIssue, ActRotate, ActCompromised, ActRevoke, ActNewMaster, ActRotate, ActExtend, ActExtend, ActDestroy, ActDestroy, ActDestroyMaster}
	if len(acts) != len(want) {
		t.Fatalf("acts %v, want %v", acts, want)
	}
	for i := range want {
		if acts[i] != want[i] {
			t.Errorf("act %d is %s, want %s", i+1, acts[i], want[i])
		}
	}
	e := log.Entries[2]
	bundle, err := seal.ReadIssued(w.path("c1", 1))
	if err != nil || e.By != "anna" || !e.At.Equal(testDay.Add(time.Minute)) || e.Collector != "c1" || e.From != 0x0100 || e.To != 0x0101 || e.Key != seal.CheckValue(bundle.Key.Secret) {
		t.Errorf("entry %+v, %v", e, err)
	}
	if log.Entries[3].By != w.By {
		t.Errorf("by %q", log.Entries[3].By)
	}
	data, err := os.ReadFile(w.Audit())
	if err != nil || bytes.Contains(data, []byte("password")) {
		t.Errorf("the log: %v\n%s", err, data)
	}
	wantMode(t, w.Audit())
	if _, err := (Office{Folder: w.Folder}).Issue(w.master, Request{Area: "310115", Collector: "c9", Bundle: w.path("c9", 0)}); err == nil {
		t.Error("an act of nobody was done")
	}
}

// Whatever is done to the log without its head shows, and at the first line that is
// wrong; the head of another day shows that all was written anew.
func TestAuditBroken(t *testing.T) {
	w := busyOffice(t)
	data, err := os.ReadFile(w.Audit())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1]
	n := len(lines)
	join := func(lines ...[]byte) []byte { return bytes.Join(lines, nil) }
	changed := bytes.Replace(lines[4], []byte(`"revoke"`), []byte(`"rotate"`), 1)
	for name, tt := range map[string]struct {
		data []byte
		line uint64
	}{
		"changed":          {join(join(lines[:4]...), changed, join(lines[5:]...)), 6},
		"last changed":     {join(join(lines[:n-1]...), bytes.Replace(lines[n-1], []byte(`"from":1`), []byte(`"from":2`), 1)), uint64(n)},
		"taken out":        {join(join(lines[:4]...), join(lines[5:]...)), 5},
		"exchanged":        {join(lines[0], lines[2], lines[1], join(lines[3:]...)), 2},
		"put in":           {join(lines[0], lines[0], join(lines[1:]...)), 2},
		"cut off":          {join(lines[:n-2]...), uint64(n - 1)},
		"cut in a line":    {data[:len(data)-5], uint64(n)},
		"begun later":      {join(lines[1:]...), 1},
		"gone":             {nil, 1},
		"another field":    {bytes.Replace(data, []byte(`{"seq":1,`), []byte(`{"seq":1,"x":1,`), 1), 1},
		"no line at all":   {join(lines[0], []byte("\n"), join(lines[1:]...)), 2},
		"one byte of many": {bytes.Replace(data, []byte("anna"), []byte("Anna"), 1), 2},
	} {
		if err := os.WriteFile(w.Audit(), tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		var broken *BrokenError
		if _, err := w.ReadAudit(Head{}); !errors.As(err, &broken) || broken.Line != tt.line {
			t.Errorf("%s: %v, want line %d", name, err, tt.line)
		}
		// A key can be revoked all the same, and the break stays.
		list, err := os.ReadFile(w.List())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Revoke("c1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.ReadAudit(Head{}); !errors.As(err, &broken) {
			t.Errorf("%s: the next act mended the log: %v", name, err)
		}
		if err := os.WriteFile(w.List(), list, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.Audit(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	head := w.list().Audit
	if _, err := w.ReadAudit(head); err != nil {
		t.Errorf("the true log with its head: %v", err)
	}
	other := busyOffice(t)
	if _, err := other.ReadAudit(Head{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.ReadAudit(head); err == nil {
		t.Error("a log that was written anew has the head of the old one")
	}
}

// An act that was written down and cut short before the list was saved did not
// happen, shows as unfinished, and the next one goes on behind it; so does one whose
// line was torn.
func TestAuditCutShort(t *testing.T) {
	for name, torn := range map[string]int{"between": 0, "torn": 7} {
		t.Run(name, func(t *testing.T) {
			w := newTestOffice(t, "c1")
			list, err := os.ReadFile(w.List())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Revoke("c1"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(w.List(), list, 0o600); err != nil { // the power went
				t.Fatal(err)
			}
			data, err := os.ReadFile(w.Audit())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(w.Audit(), data[:len(data)-torn], 0o600); err != nil {
				t.Fatal(err)
			}
			log, err := w.ReadAudit(Head{})
			if err != nil || (log.Unfinished == 1) != (torn == 0) || (log.Torn > 0) != (torn > 0) {
				t.Fatalf("%+v, %v", log, err)
			}
			w.admits("c1", map[uint16]seal.Code{0x0100: ""})
			w.rotate(1, time.Hour, false, "c1")
			log, err = w.ReadAudit(Head{})
			last := log.Entries[len(log.Entries)-1]
			if err != nil || log.Unfinished != 0 || log.Torn != 0 || last.Act != ActRotate || strings.Contains(last.Note, "cut short") != (torn > 0) {
				t.Errorf("%+v, %v", log, err)
			}
		})
	}
}

// A disk that takes no more keeps an act from counting: no bundle, no change.
func TestAuditUnwritable(t *testing.T) {
	w := newTestOffice(t, "c1")
	before, _ := os.ReadFile(w.List())
	if err := os.Rename(w.Audit(), w.Audit()+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.Audit(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Rotate(w.master, Rotation{Collectors: []schemas.CollectorID{"c1"}, Bundle: func(id schemas.CollectorID, _ uint16) string { return w.path(id, 1) }}); err == nil {
		t.Error("rotated without being written down")
	}
	if _, err := w.Issue(w.master, Request{Area: "310115", Collector: "c2", Bundle: w.path("c2", 0)}); err == nil {
		t.Error("issued without being written down")
	}
	if after, _ := os.ReadFile(w.List()); !bytes.Equal(before, after) {
		t.Error("the list changed")
	}
	if found, _ := filepath.Glob(filepath.Join(string(w.Folder), "*.bundle")); len(found) != 1 {
		t.Errorf("bundles %v", found)
	}
}
