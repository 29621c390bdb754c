package clearing

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
	"citygrid/schemas"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	home  = schemas.IssuerID("33010001")
	other = schemas.IssuerID("32010002")
	third = schemas.IssuerID("31000001")
)

func day(s string) ledger.Day {
	d, err := ledger.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// sampleFile is the file of docs/clearing-files.md.
func sampleFile() File {
	key := Key{From: home, To: other, Day: day("2026-11-21"), Number: 1}
	base := ledger.Sale{Channel: key.Channel(), Kind: ledger.Purchase, Utility: schemas.Water, MeterNumber: "000000000042", Customer: "C-42",
		Card: "00112233445566AA", Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 7}, Amount: 5000, Day: key.Day,
		Order: "counter-1:S-1001", At: time.Date(2026, 11, 21, 1, 30, 0, 0, time.UTC), Terminal: "t1"}
	back := base
	back.Order, back.Kind, back.Undoes, back.At = "counter-1:S-1002", ledger.Refund, base.Order, base.At.Add(30*time.Minute)
	volume := base
	volume.Order, volume.Volume, volume.Amount, volume.Customer, volume.Terminal = `net:"a", b`, 12_000, 2724, "", ""
	volume.Purchase = schemas.PurchaseRef{Scheme: schemas.ByTID, Number: 14200320}
	return File{Key: key, Utility: schemas.Water, Details: []ledger.Sale{base, back, volume}}
}

func sampleAnswer() Answer {
	f := sampleFile()
	a := Answer{Key: f.Key, Utility: f.Utility}
	for _, d := range f.Details {
		a.Results = append(a.Results, Result{Order: d.Order, Amount: d.Amount, At: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)})
	}
	a.Results[2].Reason = "purchase number was loaded before"
	return a
}

func encoded(tb testing.TB, f File) string {
	tb.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	var answer bytes.Buffer
	if err := WriteAnswer(&answer, sampleAnswer()); err != nil {
		t.Fatal(err)
	}
	f := sampleFile()
	for name, got := range map[string]string{f.FileName(): encoded(t, f), f.AnswerName(): answer.String()} {
		path := "testdata/" + name
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v, wrote\n%s\nwant\n%s", name, err, got, want)
		}
	}
	page, err := os.ReadFile("../../../docs/clearing-files.md")
	if err != nil || !strings.Contains(string(page), encoded(t, f)) || !strings.Contains(string(page), answer.String()) {
		t.Errorf("docs/clearing-files.md does not show these files: %v", err)
	}
}

// TestBooksTakeIt: the ordinary import reads a clearing file as sales.
func TestBooksTakeIt(t *testing.T) {
	m, err := intake.Named("citygrid")
	if err != nil {
		t.Fatal(err)
	}
	f := sampleFile()
	got, err := intake.Read(t.Context(), strings.NewReader(encoded(t, f)), m, intake.Options{Zone: time.UTC, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if got.FileID != f.ID() || !slices.Equal(got.Sales, f.Details) {
		t.Errorf("read %+v, want %+v", got, f)
	}
}

// mistake is a change of a good file and where it must be found.
type mistake struct{ old, new, says string }

func TestRefusedFiles(t *testing.T) {
	good := encoded(t, sampleFile())
	for _, c := range []mistake{
		{"#citygrid,1,", "#citygrid,2,", "line 1"},
		{"#citygrid", "\xef\xbb\xbf#citygrid", "line 1"},
		{"sales,water", "sales,heat", "line 2"},
		{",2026-11-21,1\n", ",2026-13-21,1\n", "line 2: \"2026-13-21\""},
		{",2026-11-21,1\n", ",2026-11-21,2\n", "line 6"},
		{"order,kind", "kind,order", "line 2: want exactly"},
		{"purchase,0000", "transfer,0000", "line 3, column 2 (kind)"},
		{"AA,7,50.00", "AA,7,50.001", "line 3, column 7 (amount)"},
		{"AA,7,50.00", "AA,7,-50.00", "line 3, column 7 (amount)"},
		{"AA,7,50.00", "AA,7,50.01", "line 6: \"77.24\""},
		{"AA,7,50.00", "AA,8,50.00", "line 6"},
		{"AA,7,", "AA,0,", "line 3, column 6 (purchase)"},
		{"00112233445566AA", "00112233445566AX", "line 3, column 5 (card)"},
		{"000000000042", "42", "line 3, column 3 (meter_number)"},
		{"01:30:00.000Z", "01:30", "line 3, column 10 (at)"},
		{"#total,3", "#total,2", "line 6"},
		{"77.24,50.00", "77.24,0.00", "line 6"},
		{"#total,3", "\n#total,3", "line 7"},
		{"counter-1:S-1002,", "counter-1:S-1001,", "line 6"},
		{"counter-1:S-1002,", "counter-1:S-1002,,", "line 4"},
		{good[strings.Index(good, "#total"):], "", "without its trailer"},
		{good[len(good)-66:], "\n", "without its trailer"},
		{good[len(good)-1:], "", "no end of the last line"},
		{"77.24,50.00,", "77.24,50.00,0", "without its trailer"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if len(c.old) == 1 {
			text = good[:len(good)-1]
		}
		var bad *intake.FileError
		if _, err := Read(t.Context(), "", strings.NewReader(text)); !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q for %q: %v; want it to say %q", c.new, c.old, err, c.says)
		}
	}
	if _, err := Read(t.Context(), "clearing-33010001-32010002-20261121-002.csv", strings.NewReader(good)); err == nil {
		t.Error("a renamed file is taken")
	}
}

// TestRefusedLines: empty and doubled lines under a digest that is right.
func TestRefusedLines(t *testing.T) {
	good := encoded(t, sampleFile())
	header, _, _ := strings.Cut(good, "\n")
	inside := strings.Replace(good, "counter-1:S-1002", "\ncounter-1:S-1002", 1)
	for name, text := range map[string]string{
		"after":          good + "\n",
		"inside":         string(reseal([]byte(inside))),
		"inside, no end": strings.TrimSuffix(string(reseal([]byte(inside))), "\n"),
		"header twice":   strings.Replace(good, header, header+"\n"+header, 1),
	} {
		if _, err := Read(t.Context(), "", strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		} else if !strings.Contains(err.Error(), "empty line") && name != "header twice" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedDetails: mistakes under a digest that is right.
func TestRefusedDetails(t *testing.T) {
	for says, change := range map[string]func(*File){
		"order counter-1:S-1001 stands twice": func(f *File) { f.Details[2].Order = f.Details[0].Order },
		"card or meter_number":                func(f *File) { f.Details[1].Card = "" },
		"meter_number is given":               func(f *File) { f.Details[1].MeterNumber = "" },
		"kind":                                func(f *File) { f.Details[1].Kind = ledger.Transfer },
		"of one city":                         func(f *File) { f.To = "33010002"; f.setChannel() },
		"trailer":                             func(f *File) { f.Number = 1000 },
		"without loss":                        func(f *File) { f.Details[0].Meter = "W-1" },
		"whole milliseconds":                  func(f *File) { f.Details[0].At = f.Details[0].At.Add(1) },
		"no details":                          func(f *File) { f.Details = nil },
		"undoes":                              func(f *File) { f.Details[1].Undoes = "" },
		"order is missing":                    func(f *File) { f.Details[1].Order = "" },
		"volume":                              func(f *File) { f.Details[1].Volume = -1 },
	} {
		f, b := sampleFile(), bytes.Buffer{}
		change(&f)
		if err := Write(&b, f); says != "trailer" && (err == nil || !strings.Contains(err.Error(), says)) || err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", says, err, b.Len())
		}
	}
}

func (f *File) setChannel() {
	for i := range f.Details {
		f.Details[i].Channel = f.Channel()
	}
}

func TestNames(t *testing.T) {
	f := sampleFile()
	for name, answer := range map[string]bool{f.FileName(): false, f.AnswerName(): true} {
		if key, isAnswer, err := ParseName(name); err != nil || key != f.Key || isAnswer != answer {
			t.Errorf("%s: %v %t %v", name, key, isAnswer, err)
		}
	}
	for _, bad := range []string{"", "clearing-33010001-32010002-20261131-001.csv", "clearing-33010001-33010002-20261121-001.csv",
		"clearing-33010001-32010002-20261121-000.csv", "x-33010001-32010002-20261121-001.csv", f.FileName() + "\n"} {
		if _, _, err := ParseName(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// randomText is printable and of awkward characters.
func randomText(r *rand.Rand, least int) string {
	letters := []rune(`a"',#\.水/:-7 `)
	text := make([]rune, least+r.IntN(10))
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	if s := strings.TrimSpace(string(text)); s != "" || least == 0 {
		return s
	}
	return "x"
}

func randomFile(r *rand.Rand, key Key) File {
	f := File{Key: key, Utility: []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}[r.IntN(3)]}
	for i := range 1 + r.IntN(20) {
		d := ledger.Sale{Channel: key.Channel(), Order: fmt.Sprintf("%s%d", randomText(r, 1), i), Kind: ledger.Purchase, Utility: f.Utility,
			MeterNumber: fmt.Sprintf("%012d", r.Int64N(1e12)), Card: schemas.CardID(fmt.Sprintf("%016X", r.Uint64())),
			Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 1 + r.Uint32N(1<<24)}, Amount: schemas.Fen(r.Int64N(1e12)),
			Volume: r.Int64N(2) * r.Int64N(1e9), Day: key.Day, At: time.UnixMilli(1.7e12 + r.Int64N(1e11)).UTC(), Terminal: randomText(r, 0)}
		if r.IntN(3) == 0 {
			d.Kind, d.Undoes = ledger.Reversal, randomText(r, 1)
		}
		f.Details = append(f.Details, d)
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 500 {
		f := randomFile(r, Key{From: home, To: other, Day: day("2026-11-21") + ledger.Day(n), Number: 1 + n%MaxNumber})
		text := encoded(t, f)
		got, err := Read(t.Context(), f.FileName(), strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Fatalf("read back %+v, %v; want %+v", got, err, f)
		}
		if again := encoded(t, got); again != text {
			t.Fatalf("the same file in other bytes:\n%s\n%s", text, again)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encoded(f, sampleFile()))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Read(t.Context(), "", strings.NewReader(text))
		if err == nil {
			if back, err := Read(t.Context(), "", strings.NewReader(encoded(t, got))); err != nil || !reflect.DeepEqual(back, got) {
				t.Fatalf("accepted %+v, then %+v, %v", got, back, err)
			}
		}
	})
}

// FuzzRows gives the rows a trailer that is right, so that they are reached.
func FuzzRows(f *testing.F) {
	rows, _, _ := strings.Cut(encoded(f, sampleFile()), "#total")
	f.Add(strings.SplitN(rows, "\n", 3)[2], uint16(3), int64(7724), int64(5000))
	f.Fuzz(func(t *testing.T, rows string, count uint16, taken, back int64) {
		key := sampleFile().Key
		sums := Sums{int(count), schemas.Fen(taken), schemas.Fen(back)}
		text := bytes.Replace(encode(key.header("sales", schemas.Water), fileNames, nil, sums), []byte("#total"), []byte(rows+"#total"), 1)
		f, err := Read(t.Context(), "", bytes.NewReader(reseal(text)))
		if err != nil {
			return
		}
		if back, err := Read(t.Context(), "", strings.NewReader(encoded(t, f))); err != nil || !reflect.DeepEqual(back, f) {
			t.Fatalf("accepted %+v, then %+v, %v", f, back, err)
		}
	})
}

// reseal corrects the digest of the last line.
func reseal(text []byte) []byte {
	head := text[:bytes.LastIndex(text, []byte("#total"))]
	total := text[len(head):]
	return fmt.Appendf(nil, "%s%s,%s\n", head, total[:bytes.LastIndexByte(total, ',')], ledger.DigestOf(head))
}

func FuzzReadAnswer(f *testing.F) {
	var b bytes.Buffer
	if err := WriteAnswer(&b, sampleAnswer()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		if i := bytes.LastIndex(text, []byte("#total")); i >= 0 && bytes.IndexByte(text[i:], ',') > 0 {
			text = reseal(text)
		}
		a, err := ReadAnswer(t.Context(), "", bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteAnswer(&b, a); err != nil {
			t.Fatal(err)
		}
		if back, err := ReadAnswer(t.Context(), a.AnswerName(), &b); err != nil || !reflect.DeepEqual(back, a) {
			t.Fatalf("accepted %+v, then %+v, %v", a, back, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	f := sampleFile()
	one := f.Details[0]
	for n := range 100_000 {
		one.Order = fmt.Sprintf("counter-1:%d", n)
		f.Details = append(f.Details, one)
	}
	text := encoded(b, f)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Read(b.Context(), "", strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
