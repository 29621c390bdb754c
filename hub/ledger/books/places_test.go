package books

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// TestPlacesInPages: every place once, as it was stored, over the pages of a utility.
func TestPlacesInPages(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, w := mustOpen(t, dsn), world{}
		if list, err := b.Places(ctx, "", "", 10); err != nil || len(list) != 0 {
			t.Errorf("empty books list %+v, %v", list, err)
		}
		var all []ledger.Place
		for i := range 5 {
			p := w.place(i)
			p.Installations[0].From, p.Installations[0].To = p.Installations[0].From.UTC(), at(start+3, 0)
			p.Installations = append(p.Installations, ledger.Installation{From: at(start+3, 0), MeterNumber: numberOf(i + 100), Customer: "C"})
			all = append(all, p)
		}
		gas := ledger.Place{Meter: "A-1", Utility: schemas.Gas, Purse: schemas.CreditLitre, Readout: ledger.Remote}
		must(t, b.StoreRegister(ctx, []ledger.Place{all[3], all[0], gas, all[4], all[2], all[1]}))
		var got []ledger.Place
		for after := schemas.MeterID(""); len(got) <= len(all); {
			page, err := b.Places(ctx, schemas.Water, after, 2)
			must(t, err)
			if len(page) == 0 {
				break
			}
			got, after = append(got, page...), page[len(page)-1].Meter
		}
		for n := range all {
			for i := range all[n].Installations {
				all[n].Installations[i].From = all[n].Installations[i].From.UTC()
				if to := &all[n].Installations[i].To; !to.IsZero() {
					*to = to.UTC()
				}
			}
		}
		if !reflect.DeepEqual(got, all) {
			t.Errorf("pages of two give\n%+v, want\n%+v", got, all)
		}
		any, err := b.Places(ctx, "", "", 0)
		if err != nil || len(any) != 6 || any[0].Meter != "A-1" || len(any[0].Installations) != 0 {
			t.Errorf("of all utilities: %+v, %v", any, err)
		}
	})
}

// TestBooksArePrivate: the file of new books and those beside it are for their owner
// only; a mode that somebody chose stays.
func TestBooksArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	b := mustOpen(t, "sqlite:"+path)
	world{n: 1}.begin(t, b)
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + end)
		must(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("books.db%s has mode %s", end, info.Mode())
		}
	}
	must(t, os.Chmod(path, 0o640))
	mustOpen(t, "sqlite:"+path)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("opened again: %v, %v", info.Mode(), err)
	}
}
