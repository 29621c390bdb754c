package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// sealedBox is the data folder of a collector whose readings wait.
type sealedBox struct {
	dir, bundle string
	envelopes   map[string]bool // sealed readings
	spool       *spool.Spool    // of the readings; open
	master      *seal.Master
}

// newSealedBox seals so many envelopes with one reading each.
func newSealedBox(t *testing.T, n int) *sealedBox {
	t.Helper()
	master, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &sealedBox{dir: t.TempDir(), envelopes: map[string]bool{}, master: master}
	b.bundle = filepath.Join(b.dir, "c1.bundle")
	if b.spool, err = spool.Open(filepath.Join(b.dir, "spool"), spool.Options{CommitRecords: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.spool.Close() })
	bundle := b.sealUnder(t, 0, n)
	if err := seal.WriteBundle(b.bundle, bundle); err != nil {
		t.Fatal(err)
	}
	return b
}

// sealUnder seals so many envelopes under a version of the collector's key.
func (b *sealedBox) sealUnder(t *testing.T, version uint8, n int) seal.Bundle {
	t.Helper()
	bundle, err := seal.Issue(b.master, "310115", "c1", version, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	context, err := seal.NewContext(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{
		Provider: seal.DefaultProvider(), Key: bundle.Key, Tenant: bundle.Tenant, Collector: "c1",
		Generation: bundle.Generation, Role: seal.Up, ContentType: seal.Readings, Context: context,
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		plain, err := schemas.EncodeBatch(nil, &schemas.Batch{Collector: "c1", Area: "310115", SealedAt: at, Readings: []schemas.Reading{{
			Meter: "m1", Quantity: "power.energy.import", Unit: "kW.h", Value: schemas.Decimal{Mantissa: int64(i), Exponent: -2}, TakenAt: at,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		envelope, _, err := sealer.Seal(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		b.envelopes[string(envelope)] = true
		if _, err := b.spool.Append(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
	}
	return bundle
}

// command runs the program and returns what it printed and its exit code.
func command(args ...string) (out, warnings string, code int) {
	var o, e bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&o)
	root.SetErr(&e)
	code = cli.Main(root)
	return o.String(), e.String(), code
}

// All three work beside the running collector, whose spool is open.
func TestSpoolCommands(t *testing.T) {
	b := newSealedBox(t, 20)
	out, _, code := command("spool", "ls", "--dir", b.dir)
	if code != 0 || !strings.Contains(out, "20 envelopes wait") || !strings.Contains(out, "20 of them under key 0x0100\n") || !strings.Contains(out, "00000000000000000001.seg") || strings.Contains(out, "cards") {
		t.Errorf("ls: %d\n%s", code, out)
	}
	out, _, code = command("spool", "ls", "--dir", b.dir, "--json", "--stream", "readings")
	var list []struct {
		Stream   string
		Waiting  int
		Keys     map[string]int `json:"waiting_keys"`
		Sound    bool
		Epoch    string
		Segments []spool.SegmentReport
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 1 || list[0].Waiting != 20 || list[0].Keys["0x0100"] != 20 || !list[0].Sound || list[0].Segments[0].Records != 20 {
		t.Errorf("ls --json: %d, %v: %+v", code, err, list)
	}
	out, _, code = command("spool", "verify", "--dir", b.dir, "--bundle", b.bundle)
	if code != 0 || !strings.Contains(out, "readings: 20 records, 20 wait; 20 open, with 20 items") || !strings.HasSuffix(out, "sound\n") {
		t.Errorf("verify: %d\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "box.cgsx")
	if out, warnings, code := command("spool", "export", "--dir", b.dir, "--out", file); code != 0 || !strings.Contains(out, "20 envelopes") || warnings != "" {
		t.Errorf("export: %d\n%s%s", code, out, warnings)
	}
	got := exported(t, file)
	if len(got) != 20 {
		t.Errorf("%d envelopes in the export", len(got))
	}
	for envelope := range got {
		if !b.envelopes[envelope] {
			t.Error("an envelope of the export was never sealed")
		}
	}
	if _, warnings, code := command("spool", "export", "--dir", b.dir, "--out", file); code != 2 || !strings.Contains(warnings, "exists") {
		t.Errorf("export over a file: %d %s", code, warnings)
	}
}

func exported(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := map[string]bool{}
	_, err = spool.ReadExport(f, func(s spool.Section, r spool.Record) error {
		if s.Name != "readings" || s.Epoch == 0 {
			return fmt.Errorf("section %+v", s)
		}
		got[string(r.Data)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSpoolExportClear(t *testing.T) {
	b := newSealedBox(t, 3)
	file := filepath.Join(t.TempDir(), "clear.jsonl")
	_, warnings, code := command("spool", "export", "--dir", b.dir, "--bundle", b.bundle, "--clear", "--out", file)
	if code != 0 || !strings.Contains(warnings, "in clear") {
		t.Errorf("export --clear: %d %s", code, warnings)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, l := range lines {
		var line struct {
			Stream string
			Record uint64
			Item   schemas.Reading
		}
		if err := json.Unmarshal([]byte(l), &line); err != nil || line.Item.Value.Mantissa != int64(i) || line.Stream != "readings" || line.Record != uint64(i+1) {
			t.Errorf("line %d: %v: %s", i, err, l)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is for others, too: %v", info.Mode())
	}
}

// verify names the place of damage and exits with 1; export goes on past it.
func TestSpoolDamage(t *testing.T) {
	b := newSealedBox(t, 20)
	if err := b.spool.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(b.dir, "spool", "00000000000000000001.seg")
	data, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(segment, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, warnings, code := command("spool", "verify", "--dir", b.dir, "--bundle", b.bundle)
	if code != 1 || !strings.Contains(out, "readings: 00000000000000000001.seg at byte ") || !strings.Contains(out, "(1 of them waited)") || !strings.Contains(warnings, "1 places are damaged") {
		t.Errorf("verify: %d\n%s%s", code, out, warnings)
	}
	file := filepath.Join(t.TempDir(), "rest")
	_, warnings, code = command("spool", "export", "--dir", b.dir, "--out", file)
	if code != 0 || !strings.Contains(warnings, "warning: readings: 00000000000000000001.seg") {
		t.Errorf("export: %d %s", code, warnings)
	}
	if got := exported(t, file); len(got) != 19 {
		t.Errorf("%d envelopes in the export, want 19", len(got))
	}
	other := newSealedBox(t, 1)
	out, _, code = command("spool", "verify", "--dir", b.dir, "--bundle", other.bundle)
	if code != 1 || !strings.Contains(out, "record 1: ") {
		t.Errorf("verify with another key: %d\n%s", code, out)
	}
}

func TestSpoolCommandsRefuse(t *testing.T) {
	b := newSealedBox(t, 1)
	out := filepath.Join(t.TempDir(), "out")
	tests := map[string]struct {
		want string
		args []string
	}{
		"no place":       {"at least one of the flags", []string{"spool", "ls"}},
		"both":           {"none of the others can be", []string{"spool", "ls", "--dir", b.dir, "-c", "x"}},
		"no spool":       {"there is no spool in", []string{"spool", "ls", "--dir", t.TempDir()}},
		"stream":         {"want readings, cards or events", []string{"spool", "ls", "--dir", b.dir, "--stream", "status"}},
		"configuration":  {"nowhere.yaml", []string{"spool", "verify", "-c", "nowhere.yaml"}},
		"bundle":         {"bundle", []string{"spool", "verify", "--dir", b.dir, "--bundle", "nowhere"}},
		"clear, no key":  {"--clear needs the key bundle", []string{"spool", "export", "--dir", b.dir, "--clear", "--out", out}},
		"nowhere to put": {"required flag", []string{"spool", "export", "--dir", b.dir}},
	}
	for name, tt := range tests {
		if _, warnings, code := command(tt.args...); code != 2 || !strings.Contains(warnings, tt.want) {
			t.Errorf("%s: exit code %d: %s", name, code, warnings)
		}
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a refused export leaves a file")
	}
}

func TestSpoolSendRefuses(t *testing.T) {
	b := newSealedBox(t, 1)
	cfg := filepath.Join(b.dir, "c1.yaml")
	if err := os.WriteFile(cfg, fmt.Appendf(nil, live, "127.0.0.1:1"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(b.dir, "damaged")
	if err := os.WriteFile(damaged, []byte("CGSX and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"nowhere.bundle": {"-c", cfg, "--in", damaged},
		"no such file":   {"-c", cfg, "--bundle", b.bundle, "--in", filepath.Join(b.dir, "nothing")},
		"required flag":  {"-c", cfg},
	} {
		if _, warnings, code := command(append([]string{"spool", "send"}, args...)...); code != 2 || !strings.Contains(warnings, want) {
			t.Errorf("%s: exit code %d: %s", want, code, warnings)
		}
	}
	if _, warnings, code := command("spool", "send", "-c", cfg, "--bundle", b.bundle, "--in", damaged); code != 1 || !strings.Contains(warnings, "the file ends early") {
		t.Errorf("a damaged file: exit code %d: %s", code, warnings)
	}
}

// The policy of the file reaches the spool of the readings, and no other.
func TestSpoolPolicyReachesTheSpool(t *testing.T) {
	b := newSealedBox(t, 0)
	for text, want := range map[string]struct {
		full  bool
		after time.Duration
	}{
		"": {false, 0},
		"spool: {when_full: drop_oldest, drop_after: 2160h}\n": {true, 2160 * time.Hour},
	} {
		cfg := filepath.Join(b.dir, "c1.yaml")
		file := strings.Replace(fmt.Sprintf(live, "127.0.0.1:1"), "nowhere.bundle", b.bundle, 1) + text
		if err := os.WriteFile(cfg, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := assemble(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if o := p.options; o.Spool.DropWhenFull != want.full || o.DropAfter != want.after || o.CardSpool.DropWhenFull || o.EventSpool.DropWhenFull {
			t.Errorf("%q gives %v, %s; cards %v, events %v", text, o.Spool.DropWhenFull, o.DropAfter, o.CardSpool.DropWhenFull, o.EventSpool.DropWhenFull)
		}
	}
}
