package enrolment

import (
	"bytes"
	"testing"
)

// FuzzAudit: no bytes make the reader of the audit log panic, and what it takes for
// whole is a chain: one entry a line, each bound to the one before.
func FuzzAudit(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-01-01T00:00:00Z","by":"x","act":"issue","collector":"c-1","to":256,"previous":""}` + "\n"))
	f.Add([]byte("{}\n{}\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := parseLog(data)
		if log == nil {
			t.Fatal("no log")
		}
		if err != nil {
			return
		}
		if lines := bytes.Count(data, []byte("\n")); lines != len(log.Entries) || log.Head.Entries != uint64(lines) {
			t.Errorf("%d lines, %d entries, head %+v", lines, len(log.Entries), log.Head)
		}
	})
}
