package year_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// TestWriteFiles reads every file again: its frame, its digest and its sums, and
// all rows of the world are in them.
func TestWriteFiles(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 8, Places: 200, Days: 365, Discrepancies: 60})
	dir := t.TempDir()
	if err := w.WriteFiles(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*", "*.csv"))
	if err != nil || len(names) != 365*3*5*2 {
		t.Fatalf("%d files, %v: want %d", len(names), err, 365*3*5*2)
	}
	rows, sums := 0, schemas.Fen(0)
	for _, name := range names {
		n, taken, back := readBack(t, name)
		rows, sums = rows+n, sums+taken+back
	}
	want, wantSums := 0, schemas.Fen(0)
	for p := range w.Places() {
		want += len(p.Sales) + len(p.Payments)
		for _, s := range p.Sales {
			wantSums += s.Amount
		}
		for _, x := range p.Payments {
			wantSums += x.Amount
		}
	}
	if rows != want || sums != wantSums {
		t.Errorf("files hold %d rows over %s, the world %d over %s", rows, sums, want, wantSums)
	}
}

// readBack checks a file and returns its rows and sums.
func readBack(t *testing.T, name string) (rows int, taken, back schemas.Fen) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(raw, []byte("#total,"))
	h := gm.NewSM3()
	h.Write(raw[:max(at, 0)])
	total := strings.Split(strings.TrimRight(string(raw[max(at, 0):]), "\r\n"), ",")
	lines := strings.Split(strings.TrimSuffix(string(raw[:max(at, 0)]), "\n"), "\n")
	header := strings.Split(strings.TrimRight(lines[0], "\r"), ",")
	if len(total) != 5 || total[4] != fmt.Sprintf("%x", h.Sum(nil)) || len(header) != 7 || header[6] != "1" {
		t.Fatalf("%s: header %q trailer %q", name, header, total)
	}
	if want := strings.Join([]string{header[2], header[3], header[4], header[5], "1.csv"}, "-"); want != filepath.Base(name) {
		t.Fatalf("%s has the header of %s", name, want)
	}
	if rows, err = strconv.Atoi(total[1]); err != nil || rows != len(lines)-2 {
		t.Fatalf("%s: trailer says %s rows, there are %d", name, total[1], len(lines)-2)
	}
	inGB := header[4] == "bank" || header[4] == "alipay"
	if inGB != strings.HasPrefix(lines[1], "\xb6\xa9\xb5\xa5\xba\xc5,") || inGB != strings.HasSuffix(lines[1], "\r") { // 订单号
		t.Fatalf("%s: columns %q", name, lines[1])
	}
	taken, back = sum(t, header[2], lines[2:])
	if taken.String() != total[2] || back.String() != total[3] {
		t.Fatalf("%s: sums %s and %s, trailer %q", name, taken, back, total)
	}
	return rows, taken, back
}

// sum adds up the rows; kinds are told by their words, the amount by its place.
func sum(t *testing.T, content string, lines []string) (taken, back schemas.Fen) {
	t.Helper()
	for _, l := range lines {
		cells := strings.Split(strings.TrimRight(l, "\r"), ",")
		kind, amount, want := 1, 6, 12
		if content == "payments" {
			kind, amount, want = 2, 3, 5
		}
		if len(cells) != want {
			t.Fatalf("%d cells in %q", len(cells), l)
		}
		fen, err := schemas.ParseFen(cells[amount])
		if err != nil {
			t.Fatal(err)
		}
		switch cells[kind] {
		case "refund", "reversal", "\xcd\xcb\xb7\xd1", "\xb3\xe5\xd5\xfd": // 退费, 冲正
			back += fen
		default:
			taken += fen
		}
	}
	return taken, back
}

func TestWriteFilesStops(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 8, Places: 2_000, Days: 60})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.WriteFiles(ctx, t.TempDir()); err == nil {
		t.Error("a cancelled context did not stop the files")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFiles(t.Context(), file); err == nil {
		t.Error("files written into a file")
	}
}

func TestTariffYAML(t *testing.T) {
	w := mustNew(t, year.Options{Places: 10})
	got := w.TariffYAML()
	for _, want := range []string{"  - id: water-steps\n    utility: water\n    reset: yearly\n", "      - from: 2026-09-01\n",
		`          - {above: "180", price: "4.2000"}`, `        rates: ["1.0873", "0.8624", "0.5583", "0.3157"]`, `        price: "0.6100"`} {
		if !strings.Contains(got, want) {
			t.Errorf("tariffs lack %q:\n%s", want, got)
		}
	}
}
