package books

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/hub/ledger/intake"
	"citygrid/schemas"
)

// TestClearingRefusesFiles: what comes twice, differs, or is not for us changes
// nothing.
func TestClearingRefusesFiles(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		a, b := newTown(t, dsn, hangzhou, 2), newTown(t, another(t, dsn), nanjing, 2)
		s := a.sell(b, 1, 1, ledger.Purchase, 5000, "", at(start+1, 9))
		a.write(t, b, s)
		a.importDay(t, start+1)
		f := a.make(t, start+1).Files[0]
		name, answer := f.FileName(), f.AnswerName()
		raw := a.bytes(t, name)
		other := func(change func(*clearing.File)) []byte {
			sent, err := clearing.Read(ctx, name, bytes.NewReader(raw))
			must(t, err)
			change(&sent)
			var out bytes.Buffer
			must(t, clearing.Write(&out, sent))
			return out.Bytes()
		}
		same := func(b *town, do func()) {
			t.Helper()
			before := dump(t, b.Books)
			do()
			sameDump(t, dump(t, b.Books), before)
		}
		var bad *intake.FileError
		var taken *ClearingTakenError
		// Before it came: damaged, renamed, not for us, answered without having been sent.
		same(b, func() {
			for says, c := range map[string]struct {
				name string
				raw  []byte
			}{
				"digest":  {name, bytes.Replace(raw, []byte("T01:00"), []byte("T01:01"), 1)},
				"amount":  {name, bytes.Replace(raw, []byte(",50.00,"), []byte(",50.01,"), 1)},
				"cut":     {name, raw[:len(raw)-40]},
				"renamed": {strings.Replace(name, "-001", "-002", 1), raw},
			} {
				if _, _, err := b.ReceiveClearing(ctx, nanjing, c.name, c.raw, "zhang"); !errors.As(err, &bad) {
					t.Errorf("%s: %v", says, err)
				}
			}
			if _, _, err := b.ReceiveClearing(ctx, shaoxing, name, raw, "zhang"); !errors.Is(err, ErrClearing) {
				t.Errorf("for another: %v", err)
			}
		})
		b.receive(t, a, f)
		got := b.bytes(t, answer)
		same(b, func() {
			held, repeated, err := b.ReceiveClearing(ctx, nanjing, name, raw, "wang")
			if err != nil || !repeated || held.By != "zhang" || held.Answer == nil || !bytes.Equal(b.bytes(t, answer), got) {
				t.Errorf("the same again: %+v, %v, %v", held, repeated, err)
			}
			changed := other(func(f *clearing.File) { f.Details[0].Amount = 4999 })
			if _, _, err := b.ReceiveClearing(ctx, nanjing, name, changed, "wang"); !errors.As(err, &taken) || taken.Name != name || !strings.Contains(err.Error(), name) {
				t.Errorf("another under the name: %v", err)
			}
			next := other(func(f *clearing.File) { f.Number = 2 })
			if _, _, err := b.ReceiveClearing(ctx, nanjing, strings.Replace(name, "-001", "-002", 1), next, "wang"); !errors.Is(err, ErrClearing) || !strings.Contains(err.Error(), s.Order) {
				t.Errorf("an order in two files: %v", err)
			}
			if _, _, err := b.ReceiveClearingAnswer(ctx, nanjing, answer, got, "wang"); !errors.Is(err, ErrClearing) {
				t.Errorf("our own answer: %v", err)
			}
		})
		same(a, func() {
			a2, err := clearing.ReadAnswer(ctx, answer, bytes.NewReader(got))
			must(t, err)
			for says, change := range map[string]func(*clearing.Answer){
				"not sent": func(a *clearing.Answer) { a.Number = 7 },
				"amount":   func(a *clearing.Answer) { a.Results[0].Amount++ },
				"order":    func(a *clearing.Answer) { a.Results[0].Order += "x" },
			} {
				wrong := a2
				wrong.Results = slices.Clone(a2.Results)
				change(&wrong)
				var out bytes.Buffer
				must(t, clearing.WriteAnswer(&out, wrong))
				_, _, err := a.ReceiveClearingAnswer(ctx, hangzhou, wrong.AnswerName(), out.Bytes(), "wang")
				if want := map[bool]error{true: ErrUnknown, false: ErrClearing}[says == "not sent"]; !errors.Is(err, want) {
					t.Errorf("%s: %v", says, err)
				}
			}
			if _, _, err := a.ReceiveClearingAnswer(ctx, hangzhou, answer, got[:len(got)-9], "wang"); !errors.As(err, &bad) {
				t.Errorf("a damaged answer: %v", err)
			}
			if _, err := a.ClearingBytes(ctx, answer); !errors.Is(err, ErrUnknown) {
				t.Errorf("bytes of an answer that is not there: %v", err)
			}
			if _, err := a.ClearingBytes(ctx, "x.csv"); !errors.Is(err, ErrClearing) {
				t.Errorf("bytes of a strange name: %v", err)
			}
		})
		if list, total, err := a.ClearingFiles(ctx, ClearingFilter{Unanswered: true, Partner: nanjing, From: start, To: start + 1}); err != nil || total != 1 || len(list) != 1 {
			t.Errorf("unanswered: %+v, %v", list, err)
		}
		if n := a.net(t, start, start+1); n.Owe != 0 || n.Positions[0].Ours.Pending.Taken != 5000 {
			t.Errorf("before the answer: %+v", n)
		}
		_, _, err := a.ReceiveClearingAnswer(ctx, hangzhou, answer, got, "wang")
		must(t, err)
		same(a, func() {
			if held, repeated, err := a.ReceiveClearingAnswer(ctx, hangzhou, answer, got, "chen"); err != nil || !repeated || held.Answer.By != "wang" {
				t.Errorf("the same answer again: %+v, %v, %v", held, repeated, err)
			}
			later := bytes.Replace(got, []byte("accepted,50.00,,2026-11-22T08"), []byte("accepted,50.00,,2026-11-22T09"), 1)
			at := bytes.LastIndex(later, []byte("#total"))
			later = fmt.Appendf(slices.Clip(later[:at]), "#total,1,50.00,0.00,%s\n", ledger.DigestOf(later[:at]))
			if _, _, err := a.ReceiveClearingAnswer(ctx, hangzhou, answer, later, "chen"); !errors.As(err, &taken) || taken.By != "wang" {
				t.Errorf("a second answer: %v", err)
			}
		})
		if list, _, err := a.ClearingFiles(ctx, ClearingFilter{Unanswered: true}); err != nil || len(list) != 0 {
			t.Errorf("unanswered: %+v, %v", list, err)
		}
	})
}

// TestClearingImportedBefore: a file that somebody imported by hand is answered as
// any other, and its rows are not there twice.
func TestClearingImportedBefore(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		a, b := newTown(t, dsn, hangzhou, 2), newTown(t, another(t, dsn), nanjing, 2)
		for n := range uint32(2) {
			s := a.sell(b, 1, n+1, ledger.Purchase, 5000, "", at(start+1, 9))
			s.Undoes = ""
			a.write(t, b, s)
		}
		a.importDay(t, start+1)
		f := a.make(t, start+1).Files[0]
		m, err := intake.Named("citygrid")
		must(t, err)
		_, err = intake.Import(ctx, b.Books, bytes.NewReader(a.bytes(t, f.FileName())), m, intake.Options{Name: "x", By: "zhang", Zone: shanghai, Now: time.Now})
		must(t, err)
		if got := a.settle(t, b, f); got.Answer.Refused.Count != 0 {
			t.Errorf("%s", b.bytes(t, f.AnswerName()))
		}
		checkImported(t, b, a.net(t, start, start+1).Positions[0].Ours)

		s := a.sell(b, 1, 3, ledger.Purchase, 5000, "", at(start+2, 9))
		a.write(t, b, s)
		a.importDay(t, start+2)
		f = a.make(t, start+2).Files[0]
		id := ledger.FileID{Content: ledger.SalesFile, Utility: schemas.Water, Channel: f.Channel(), Day: f.Day, Number: f.Number}
		_, err = b.StoreFile(ctx, &ledger.File{FileID: id, Raw: []byte("other"), Name: "by hand", By: "zhang", At: at(start+2, 9)})
		must(t, err)
		var other *ledger.OtherContentError
		before := dump(t, b.Books)
		if _, _, err := b.ReceiveClearing(ctx, nanjing, f.FileName(), a.bytes(t, f.FileName()), "li"); !errors.As(err, &other) || other.Held.Name != "by hand" {
			t.Errorf("another file was imported under its number: %v", err)
		}
		sameDump(t, dump(t, b.Books), before)
	})
}

// clearingTables are compared after a kill.
var clearingTables = []string{"counters", "clearing_files", "clearing_answers", "clearing_details", "clearing_refused", "clearing_proofs", "imports", "sales", "payments"}

// TestClearingKilled kills the making of files at random moments and wants the same
// files, byte for byte, as if nothing had happened, and no second ones.
func TestClearingKilled(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 2))
		quiet, victim := newTown(t, another(t, dsn), hangzhou, 1), newTown(t, dsn, hangzhou, 1)
		b := &town{id: nanjing}
		var entries []schemas.CardEntry
		for i := 1; i < 600; i++ {
			for _, c := range []*town{quiet, victim} {
				s := c.sell(b, i, 1, ledger.Purchase, schemas.Fen(i), "", at(start+1+ledger.Day(i%3), 9))
				if c == quiet {
					entries = append(entries, schemas.CardEntry{Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: s.MeterNumber,
						Issuer: nanjing, Card: s.Card, Purchase: s.Purchase, Amount: fen(int64(s.Amount)), TakenAt: s.At})
				}
			}
		}
		for _, c := range []*town{quiet, victim} {
			must(t, c.StoreCards(t.Context(), "edge-1", entries))
			for d := start + 1; d <= start+3; d++ {
				c.importDay(t, d)
			}
		}
		begun := time.Now()
		quiet.make(t, start+3)
		whole := time.Since(begun)
		for range 6 {
			killAfter(t, "clearing", dsn, time.Duration(chance.Int64N(int64(whole)+1)))
		}
		victim.make(t, start+3)
		got, want := dump(t, victim.Books), dump(t, quiet.Books)
		for _, table := range clearingTables {
			if got[table] != want[table] {
				t.Errorf("table %s: %s, undisturbed %s", table, got[table], want[table])
			}
		}
		list, _, err := victim.ClearingFiles(t.Context(), ClearingFilter{})
		must(t, err)
		if len(list) != 3 {
			t.Errorf("%d files", len(list))
		}
		for _, f := range list {
			if !bytes.Equal(victim.bytes(t, f.FileName()), quiet.bytes(t, f.FileName())) {
				t.Errorf("%s differs", f.FileName())
			}
		}
	})
}

// makeKilled is what the killed process does.
func makeKilled(b *Books) error {
	_, err := b.MakeClearing(context.Background(), hangzhou, start+3, "li")
	return err
}

// BenchmarkMakeClearing makes the files of a day with 100 sales on other cities'
// cards, in books of 100,000 sales and 300,000 entries of our own.
func BenchmarkMakeClearing(b *testing.B) {
	dsn := "sqlite:" + b.TempDir() + "/books.db"
	books := mustOpen(b, dsn)
	w := world{n: 100_000}
	w.begin(b, books)
	w.fill(b, books)
	c, of := &town{Books: books, id: hangzhou, number: 1, sales: make(map[ledger.Day][]ledger.Sale)}, &town{id: nanjing}
	day := start + 1
	for b.Loop() {
		b.StopTimer()
		var entries []schemas.CardEntry
		for i := range 100 {
			s := c.sell(of, i+1, uint32(day-start), ledger.Purchase, 5000, "", at(day, 9))
			entries = append(entries, schemas.CardEntry{Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: s.MeterNumber,
				Issuer: nanjing, Card: s.Card, Purchase: s.Purchase, Amount: fen(int64(s.Amount)), TakenAt: s.At})
		}
		must(b, books.StoreCards(b.Context(), "edge-1", entries))
		c.importDay(b, day)
		b.StartTimer()
		made, err := c.MakeClearing(b.Context(), hangzhou, day, "li")
		if err != nil || len(made.Files) != 1 || made.Files[0].Sums.Count != 100 {
			b.Fatalf("%+v, %v", made.Files, err)
		}
		day++
	}
}
