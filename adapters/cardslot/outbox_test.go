package cardslot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

func entryAt(n int) schemas.CardEntry {
	return schemas.CardEntry{Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: "000000000789",
		Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: uint32(n)}, Amount: schemas.Credit{Value: 100, Unit: schemas.CreditFen},
		TakenAt: time.Date(2026, 11, 20, 2, n, 0, 0, time.UTC)}
}

func TestOutbox(t *testing.T) {
	o := Outbox{Dir: filepath.Join(t.TempDir(), "outbox")}
	var got []schemas.CardEntry
	keep := func(_ context.Context, list []schemas.CardEntry) error { got = append(got, list...); return nil }
	if n, err := o.Take(t.Context(), keep); n != 0 || err != nil {
		t.Fatalf("without a folder: %d, %v", n, err)
	}
	for _, n := range []int{2, 1, 1, 3} { // 1 comes twice
		if err := o.Put([]schemas.CardEntry{entryAt(n)}); err != nil {
			t.Fatal(err)
		}
	}
	full := errors.New("full")
	refuse := func(_ context.Context, list []schemas.CardEntry) error {
		if list[0].Purchase.Number == 2 {
			return full
		}
		return keep(t.Context(), list)
	}
	if n, err := o.Take(t.Context(), refuse); n != 1 || !errors.Is(err, full) {
		t.Errorf("%d taken, %v; want one and %v", n, err, full)
	}
	if n, err := o.Take(t.Context(), keep); n != 2 || err != nil {
		t.Errorf("%d taken, %v; want the other two", n, err)
	}
	if want := []schemas.CardEntry{entryAt(1), entryAt(2), entryAt(3)}; !reflect.DeepEqual(got, want) {
		t.Errorf("took %+v, want %+v", got, want)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestOutboxDamaged: a file that cannot be understood is said and stays, and keeps
// no other back.
func TestOutboxDamaged(t *testing.T) {
	o := Outbox{Dir: t.TempDir()}
	bad := filepath.Join(o.Dir, "0000"+outboxSuffix)
	if err := os.WriteFile(bad, []byte("[] x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.Put([]schemas.CardEntry{entryAt(1)}); err != nil {
		t.Fatal(err)
	}
	n, err := o.Take(t.Context(), func(context.Context, []schemas.CardEntry) error { return nil })
	if n != 1 || err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("%d taken, %v", n, err)
	}
	if _, err := os.Stat(bad); err != nil {
		t.Error(err)
	}
	if err := o.Put([]schemas.CardEntry{{}}); err == nil {
		t.Error("an entry that is not well formed was put in")
	}
}

func FuzzParseEntries(f *testing.F) {
	f.Add([]byte(`[{"event":"state","source":"cjt188","utility":"water","meter":"m1","taken_at":"2026-03-01T08:00:01.250Z"}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseEntries(data)
		for n := range list {
			if err == nil && list[n].Validate() != nil {
				t.Errorf("%s: entry %d is not well formed", data, n)
			}
		}
	})
}
