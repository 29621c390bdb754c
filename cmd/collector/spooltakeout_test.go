package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/collector/spool"
)

// What waits under the key goes into the file and out of the spool; the rest stays.
func TestSpoolTakeOut(t *testing.T) {
	b := newSealedBox(t, 20)
	old := maps.Clone(b.envelopes)
	b.sealUnder(t, 1, 5)
	file := filepath.Join(t.TempDir(), "old.cgsx")
	take := func(generation, out string) (string, string, int) {
		return command("spool", "take-out", "--dir", b.dir, "--generation", generation, "--out", out)
	}
	absent := func() {
		t.Helper()
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("a refused take-out leaves a file: %v", err)
		}
	}
	if _, warnings, code := take("0x0100", file); code != 1 || !strings.Contains(warnings, "stop that process") {
		t.Errorf("beside a running collector: %d %s", code, warnings)
	}
	absent()
	if err := b.spool.Close(); err != nil {
		t.Fatal(err)
	}
	if _, warnings, code := take("0x0200", file); code != 1 || !strings.Contains(warnings, "nothing waits under key 0x0200") {
		t.Errorf("a key that nothing is sealed under: %d %s", code, warnings)
	}
	absent()
	for _, bad := range []string{b.bundle, filepath.Join(b.dir, "nowhere", "x")} {
		if _, _, code := take("0x0100", bad); code != 2 {
			t.Errorf("--out %s: exit code %d", bad, code)
		}
	}
	if got := waiting(t, b.dir); len(got) != 25 {
		t.Fatalf("%d envelopes wait after takes that were refused", len(got))
	}

	out, warnings, code := take("0x0100", file)
	if code != 0 || !strings.Contains(out, "20 envelopes under key 0x0100") || warnings != "" {
		t.Fatalf("take-out: %d\n%s%s", code, out, warnings)
	}
	if got := exported(t, file); !maps.Equal(got, old) {
		t.Errorf("%d envelopes in the file, want the 20 under the old key", len(got))
	}
	left := waiting(t, b.dir)
	for envelope := range left {
		if old[envelope] || !b.envelopes[envelope] {
			t.Error("the spool still has an envelope of the old key, or one that was never sealed")
		}
	}
	if len(left) != 5 {
		t.Errorf("%d envelopes left in the spool, want 5", len(left))
	}
	if out, _, _ := command("spool", "ls", "--dir", b.dir); !strings.Contains(out, "5 envelopes wait") || !strings.Contains(out, "5 of them under key 0x0101") || strings.Contains(out, "0x0100") {
		t.Errorf("ls afterwards:\n%s", out)
	}
	if out, _, code := command("spool", "verify", "--dir", b.dir); code != 0 {
		t.Errorf("verify afterwards: %d\n%s", code, out)
	}
}

// waiting is what lies in the spool of the readings.
func waiting(t *testing.T, dir string) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	if _, err := spool.Inspect(t.Context(), filepath.Join(dir, "spool"), func(r spool.Inspected) error {
		if r.Waiting {
			got[string(r.Data)] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}
