package statement

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func t3(count int64, fen schemas.Fen, volume int64) reconcile.Tally {
	return reconcile.Tally{Count: count, Fen: fen, Volume: volume}
}

// small is a world of two channels and three open differences, added up by hand.
func small() Input {
	f := &reconcile.Figures{Sales: 5, Entries: 4, Payments: 5}
	f.Channels = []reconcile.ChannelRoll{
		{Channel: "counter-7",
			Sales:    reconcile.MatchRoll{Rows: t3(2, 15_001, 0), Matched: t3(2, 15_001, 0)},
			Payments: reconcile.MatchRoll{Rows: t3(2, 15_001, 0), Matched: t3(2, 15_001, 0)}},
		{Channel: "微信",
			Sales:    reconcile.MatchRoll{Opening: t3(1, 5_000, 0), Rows: t3(2, 123_456_789, 0), Matched: t3(2, 123_456_789, 0), Closing: t3(1, 5_000, 0)},
			Payments: reconcile.MatchRoll{Rows: t3(3, 123_456_796, 0), Matched: t3(2, 123_456_789, 0), Closing: t3(1, 7, 0)}},
	}
	f.Purchases = reconcile.PurchaseRoll{Opening: t3(1, 5_000, 0), Sold: t3(4, 123_471_790, 0), Loaded: t3(4, 123_471_790, 0), Closing: t3(1, 5_000, 0)}
	f.Stock = reconcile.StockRoll{
		Opening: reconcile.Stock{Residual: t3(3, 1_000, 0), Installations: 3, Fresh: 3},
		Change:  reconcile.Stock{Residual: t3(0, 123_470_000, 0), Overdraft: t3(1, 250, 0), Fresh: -1, Stale: 1},
		Closing: reconcile.Stock{Residual: t3(3, 123_471_000, 0), Overdraft: t3(1, 250, 0), Installations: 3, Fresh: 2, Stale: 1},
	}
	class := func(c ledger.Class) *reconcile.ClassRoll {
		for n, k := range ledger.Classes() {
			if k == c {
				return &f.Classes[n]
			}
		}
		panic(c)
	}
	*class(ledger.PaidNoSale) = reconcile.ClassRoll{Opening: t3(1, 900, 0), Found: t3(1, 7, 0), Cleared: t3(1, 900, 0), Closing: t3(1, 7, 0)}
	*class(ledger.SaleNoPay) = reconcile.ClassRoll{Found: t3(2, 4_000, 0), Decided: t3(1, -1_000, 0), Closing: t3(1, 5_000, 0)}
	*class(ledger.Stale) = reconcile.ClassRoll{Found: t3(1, 0, 0), Closing: t3(1, 0, 0)}
	shanghai := time.FixedZone("Asia/Shanghai", 8*3600)
	day := func(s string) ledger.Day {
		d, err := ledger.ParseDay(s)
		if err != nil {
			panic(err)
		}
		return d
	}
	return Input{
		City: "示例市水务", Utility: schemas.Water, Span: reconcile.Span{From: day("2026-11-21"), To: day("2026-11-21")},
		Calendar: ledger.Calendar{Zone: shanghai, CutOff: 23 * time.Hour},
		Run:      RunRef{ID: 12, Version: 2, Before: 9, Replaces: 11}, Rules: "2026-1",
		Tariffs:    map[string]string{"resident": strings.Repeat("ab", 32)},
		Inputs:     map[string]string{"sales": strings.Repeat("01", 32), "payments": strings.Repeat("23", 32), "entries": strings.Repeat("45", 32)},
		Unresolved: &Unresolved{Sales: 0, Entries: 2},
		Figures:    f, By: "张三", At: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Open: []OpenDifference{
			{Key: "STALE W-3 2026-01-01", State: ledger.Assigned, Difference: ledger.Difference{Class: ledger.Stale, Utility: schemas.Water, Meter: "W-3",
				Day: day("2026-10-12"), Note: "look at the collector"}},
			{Key: "PAID_NO_SALE 微信/88", State: ledger.Open, Difference: ledger.Difference{Class: ledger.PaidNoSale, Utility: schemas.Water, Channel: "微信", Order: "88",
				Amount: 7, Day: day("2026-11-20"), Shown: "payment 0.07", Expected: "a sale", Note: "=cmd|' /C calc'!A0"}},
			{Key: "SALE_NO_PAY 微信/42", State: ledger.Explained, Difference: ledger.Difference{Class: ledger.SaleNoPay, Utility: schemas.Water, Channel: "微信", Order: "42",
				Meter: "W-1", Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 3}, Amount: 5_000, Day: day("2026-11-18"), Shown: "no payment", Expected: "payment 50.00"}},
		},
	}
}

func mustNew(t *testing.T, in Input) *Document {
	t.Helper()
	s, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs at line %d; look at the change, then run: go test ./hub/ledger/statement -update",
			file, bytes.Count(got[:max(firstOther(got, want), 0)], []byte("\n"))+1)
	}
}

func TestGoldenForms(t *testing.T) {
	d := mustNew(t, small())
	text, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "small.json", text)
	for _, l := range []Language{Chinese, English} {
		for _, extension := range []string{".txt", ".csv", ".html"} {
			write, _ := WriterOf(extension)
			var out bytes.Buffer
			if err := write(&out, d, l); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), d.Digest) {
				t.Errorf("%s in %s does not show the digest", extension, l)
			}
			golden(t, "small."+string(l)+extension, out.Bytes())
		}
	}
}

// TestOrderOfInputDoesNotMatter: the digest is that of what the statement says.
func TestOrderOfInputDoesNotMatter(t *testing.T) {
	in := small()
	in.Open[0], in.Open[2] = in.Open[2], in.Open[0]
	if a, b := mustNew(t, small()).Digest, mustNew(t, in).Digest; a != b {
		t.Errorf("digests %s and %s of the same run", a, b)
	}
	in.Open[1].Note += "."
	if mustNew(t, small()).Digest == mustNew(t, in).Digest {
		t.Error("another note has the same digest")
	}
}

// TestEachFigureIsFooted changes every figure that a sum is made of by one fen,
// one row or one litre: none may get through.
func TestEachFigureIsFooted(t *testing.T) {
	tallies := func(f *reconcile.Figures) []*reconcile.Tally {
		var all []*reconcile.Tally
		for n := range f.Channels {
			for _, m := range []*reconcile.MatchRoll{&f.Channels[n].Sales, &f.Channels[n].Payments} {
				all = append(all, &m.Opening, &m.Rows, &m.Matched, &m.AmountDiff, &m.Duplicates, &m.Decided, &m.Closing)
			}
		}
		for n := range f.Classes {
			c := &f.Classes[n]
			all = append(all, &c.Opening, &c.Found, &c.Cleared, &c.Decided, &c.Closing)
		}
		p := &f.Purchases
		all = append(all, &p.Opening, &p.Sold, &p.Transferred, &p.Undone, &p.Loaded, &p.Closing)
		for _, s := range []*reconcile.Stock{&f.Stock.Opening, &f.Stock.Change, &f.Stock.Closing} {
			all = append(all, &s.Residual, &s.Overdraft)
		}
		return all
	}
	for n := range tallies(small().Figures) {
		for what, change := range map[string]func(*reconcile.Tally){
			"count": func(t *reconcile.Tally) { t.Count++ }, "fen": func(t *reconcile.Tally) { t.Fen-- }, "volume": func(t *reconcile.Tally) { t.Volume++ },
		} {
			in := small()
			change(tallies(in.Figures)[n])
			var foot *FootError
			if _, err := New(in); !errors.As(err, &foot) || len(foot.Wrong) == 0 {
				t.Errorf("tally %d with another %s: %v", n, what, err)
			}
		}
	}
	for n, change := range []func(*reconcile.StockRoll){
		func(s *reconcile.StockRoll) { s.Opening.Installations++ }, func(s *reconcile.StockRoll) { s.Change.Installations-- },
		func(s *reconcile.StockRoll) { s.Closing.Installations++ }, func(s *reconcile.StockRoll) { s.Closing.Fresh++ },
		func(s *reconcile.StockRoll) { s.Closing.Stale-- },
	} {
		in := small()
		change(&in.Figures.Stock)
		if _, err := New(in); !errors.As(err, new(*FootError)) {
			t.Errorf("stock %d: %v", n, err)
		}
	}
}

// TestListFootsWithClasses: a difference that is missing from the list, stands
// twice in it or has another amount than its class says is found out.
func TestListFootsWithClasses(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"missing": func(in *Input) { in.Open = in.Open[:2] },
		"twice":   func(in *Input) { in.Open = append(in.Open, in.Open[2]) },
		"amount":  func(in *Input) { in.Open[2].Amount++ },
		"class":   func(in *Input) { in.Open[2].Class = ledger.PaidNoSale },
		"unknown": func(in *Input) { in.Open[2].Class = "OTHER" },
		"matched": func(in *Input) { in.Open[2].Class = ledger.Matched },
		"span":    func(in *Input) { in.Span.To-- },
		"nobody":  func(in *Input) { in.By = "" },
		"utility": func(in *Input) { in.Utility = "heat" },
		"no zone": func(in *Input) { in.Calendar.Zone = nil },
	} {
		in := small()
		change(&in)
		if _, err := New(in); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

// TestWritersRefuseWhatDoesNotFoot: a statement that was changed in memory does
// not get on paper.
func TestWritersRefuseWhatDoesNotFoot(t *testing.T) {
	for name, change := range map[string]func(*Document){
		"amount":   func(d *Document) { d.Statement.Channels[0].Sales.Rows.Amount++ },
		"no sum":   func(d *Document) { d.Statement.Rules = "other" },
		"digest":   func(d *Document) { d.Digest = strings.Repeat("0", 64) },
		"overflow": func(d *Document) { d.Statement.Classes[0].Opening.Amount = 1<<63 - 1 },
	} {
		d := mustNew(t, small())
		change(d)
		for _, extension := range []string{".txt", ".csv", ".xlsx", ".html"} {
			write, _ := WriterOf(extension)
			var out bytes.Buffer
			if err := write(&out, d, English); err == nil || out.Len() > 0 {
				t.Errorf("%s: %s written (%d bytes, %v)", name, extension, out.Len(), err)
			}
		}
		if _, err := d.Marshal(); err == nil {
			t.Errorf("%s: marshalled", name)
		}
	}
}

// TestWorkbookIsExact reads every number of the workbook back and compares it as
// text; a float on the way would show in 1234567.89 or 0.07, and more so in the
// largest amounts.
func TestWorkbookIsExact(t *testing.T) {
	in := small()
	in.Figures.Channels[0].Sales.Rows.Fen = 999_999_999_999_999 // 15 digits: a number
	in.Figures.Channels[0].Sales.Matched.Fen = 999_999_999_999_999
	in.Figures.Channels[0].Payments.Rows.Fen = 9_007_199_254_740_993 // above 2^53: text
	in.Figures.Channels[0].Payments.Matched.Fen = 9_007_199_254_740_993
	d := mustNew(t, in)
	var out bytes.Buffer
	if err := XLSX(&out, d, English); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := strings.Join(f.GetSheetList(), "|"); got != "Summary|Ledgers side by side|Roll-forwards|Open differences" {
		t.Errorf("sheets %s", got)
	}
	want := map[string]int{}
	for _, table := range layout(d, English) {
		for _, r := range table.rows {
			for _, c := range r {
				if c.text != "" {
					want[table.sheet+" "+c.text]++
				}
			}
		}
	}
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			for _, value := range r {
				want[sheet+" "+value]--
			}
		}
	}
	for value, n := range want {
		if n > 0 {
			t.Errorf("%d cells with %q are missing", n, value)
		}
	}
	checkCell(t, f, "Ledgers side by side", "C3", "9999999999999.99", excelize.CellTypeUnset)
	checkCell(t, f, "Ledgers side by side", "E3", "90071992547409.93", excelize.CellTypeSharedString)
	checkCell(t, f, "Ledgers side by side", "E4", "1234567.96", excelize.CellTypeUnset)
	if shown, _ := f.GetCellValue("Ledgers side by side", "E4"); shown != "1,234,567.96" {
		t.Errorf("shown as %q", shown)
	}
}

func checkCell(t *testing.T, f *excelize.File, sheet, at, want string, kind excelize.CellType) {
	t.Helper()
	got, err := f.GetCellValue(sheet, at, excelize.Options{RawCellValue: true})
	if err != nil || got != want {
		t.Errorf("%s!%s holds %q, want %q (%v)", sheet, at, got, want, err)
	}
	if k, _ := f.GetCellType(sheet, at); k != kind {
		t.Errorf("%s!%s is of type %v, want %v", sheet, at, k, kind)
	}
}

// TestColumnsAlign: every line of a table ends its first column at the same place
// of the terminal.
func TestColumnsAlign(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "售未充": 6, "（水）": 6, "ｆｕｌｌ": 8, "e\u0301": 1, "m³": 2, "한국": 4, "…": 1} {
		if got := columns(s); got != want {
			t.Errorf("%q takes %d places, want %d", s, got, want)
		}
	}
	for in, want := range map[string]string{"0.07": "0.07", "-0.07": "-0.07", "1234567.89": "1,234,567.89", "-123456": "-123,456", "999": "999", "1000": "1,000"} {
		if got := (cell{money, in}).grouped(); got != want {
			t.Errorf("%s is grouped as %s, want %s", in, got, want)
		}
	}
}

func TestLongListsAreCutInTextOnly(t *testing.T) {
	in := small()
	in.Open = nil
	in.Figures.Classes = [reconcile.Classes]reconcile.ClassRoll{}
	for n := range 25 {
		in.Open = append(in.Open, OpenDifference{Key: string(rune('a' + n)), State: ledger.Open, Difference: ledger.Difference{Class: ledger.PaidNoSale, Amount: 1, Day: in.Span.To, Order: "order"}})
	}
	in.Figures.Classes[0] = reconcile.ClassRoll{Found: t3(25, 25, 0), Closing: t3(25, 25, 0)}
	d := mustNew(t, in)
	var text, csv bytes.Buffer
	if err := errors.Join(Text(&text, d, English), CSV(&csv, d, English)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "... and 5 more") || strings.Count(text.String(), " order") != 20 || strings.Count(csv.String(), ",order,") != 25 {
		t.Errorf("text has %d rows, CSV %d", strings.Count(text.String(), " order"), strings.Count(csv.String(), ",order,"))
	}
}

// TestFormsAreCompared: a printed form that was changed is found out, with the
// place.
func TestFormsAreCompared(t *testing.T) {
	d, _ := signedDocument(t)
	for _, l := range []Language{Chinese, English} {
		for _, extension := range []string{".txt", ".csv", ".html"} {
			write, _ := WriterOf(extension)
			var out bytes.Buffer
			if err := write(&out, d, l); err != nil {
				t.Fatal(err)
			}
			if err := CompareForm("x"+extension, out.Bytes(), d); err != nil {
				t.Errorf("%s %s: %v", l, extension, err)
			}
			changed := bytes.Replace(out.Bytes(), []byte("150.01"), []byte("160.01"), 1)
			var other *DifferentError
			if err := CompareForm("x"+extension, changed, d); !errors.As(err, &other) || !strings.Contains(other.Has, "160.01") || !strings.HasPrefix(other.Where, "line ") {
				t.Errorf("%s %s changed: %v", l, extension, err)
			}
		}
	}
	if err := CompareForm("x.pdf", nil, d); err == nil || !strings.Contains(err.Error(), "compare the digest") {
		t.Errorf("PDF: %v", err)
	}
}

func TestWorkbooksAreCompared(t *testing.T) {
	d, _ := signedDocument(t)
	var out bytes.Buffer
	if err := XLSX(&out, d, Chinese); err != nil {
		t.Fatal(err)
	}
	if err := CompareForm("x.xlsx", out.Bytes(), d); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*excelize.File) error{
		"value":   func(f *excelize.File) error { return f.SetCellDefault("各账并列", "C3", "160.01") },
		"formula": func(f *excelize.File) error { return f.SetCellFormula("各账并列", "C3", "150.01+0") },
		"more":    func(f *excelize.File) error { return f.SetCellStr("各账并列", "Z99", "paid") },
		"less":    func(f *excelize.File) error { return f.SetCellStr("各账并列", "C3", "") },
		"sheet":   func(f *excelize.File) error { return f.DeleteSheet("滚动平衡") },
	} {
		f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var changed bytes.Buffer
		if err := errors.Join(change(f), f.Write(&changed), f.Close()); err != nil {
			t.Fatal(err)
		}
		var other *DifferentError
		if err := CompareForm("x.xlsx", changed.Bytes(), d); !errors.As(err, &other) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := CompareForm("x.xlsx", []byte("PK"), d); err == nil {
		t.Error("no workbook: accepted")
	}
}

func TestFormulasInImportedText(t *testing.T) {
	var out bytes.Buffer
	if err := CSV(&out, mustNew(t, small()), English); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), byteOrderMark) || strings.Contains(out.String(), ",=cmd") || !strings.Contains(out.String(), ",'=cmd") {
		t.Error("the note of an imported file is a formula")
	}
}

func TestPDF(t *testing.T) {
	if _, err := findBrowser(func(string) (string, error) { return "", os.ErrNotExist }); !errors.Is(err, ErrNoBrowser) {
		t.Errorf("without a browser: %v", err)
	}
	pdf, err := PDF(t.Context(), mustNew(t, small()), Chinese)
	if errors.Is(err, ErrNoBrowser) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.Contains(pdf, []byte("%%EOF")) {
		t.Errorf("%d bytes that are no PDF", len(pdf))
	}
}
