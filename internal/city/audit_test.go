package city

import (
	"errors"
	"testing"
	"time"

	"citygrid/schemas"
)

// TestAuditFindsWhatIsWrong gives the audit a store with one wrong, one lost,
// one doubled and one owed point, and expects each to be counted once.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000).UTC()
	reading := func(n int64) schemas.Reading {
		return schemas.Reading{Meter: "P-1", Quantity: "power.energy.import", Unit: "kW.h",
			Value: schemas.Decimal{Mantissa: n}, TakenAt: at.Add(time.Duration(n) * time.Second)}
	}
	oracle := func(r schemas.Reading) error {
		if r.Value.Mantissa == 3 {
			return errors.New("three is wrong")
		}
		return nil
	}
	tests := []struct {
		name                        string
		stored                      []int64
		read, written, left         uint64
		owed                        []int64
		lost, duplicated, wrongOnes uint64
	}{
		{name: "all is well", stored: []int64{1, 2}, read: 2, written: 2},
		{name: "one is lost", stored: []int64{1}, read: 2, written: 1, lost: 1},
		{name: "one is wrong", stored: []int64{1, 3}, read: 2, written: 2, wrongOnes: 1},
		{name: "one is there that nobody read", stored: []int64{1, 2, 4}, read: 2, written: 3, duplicated: 1},
		{name: "one was written twice", stored: []int64{1, 2}, read: 2, written: 3, duplicated: 1},
		{name: "a killed collector's is there", stored: []int64{1, 2}, read: 1, written: 2, owed: []int64{2}, duplicated: 1},
		{name: "a killed collector's is not there, and a surplus does not hide it", stored: []int64{1, 4}, read: 1, written: 2, owed: []int64{2}, lost: 1, duplicated: 1},
		{name: "nothing is there", read: 2, lost: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{Counts: Counts{ValuesRead: tt.read}, PointsWritten: tt.written}
			due := make(owed)
			for _, n := range tt.owed {
				due[pointOf(reading(n))] = true
			}
			a := newAudit(r, oracle, due)
			for _, n := range tt.stored {
				a.add(reading(n))
			}
			a.end()
			r.conclude(2 * time.Second)
			if r.Lost != tt.lost || r.Duplicated != tt.duplicated || r.Wrong != tt.wrongOnes || len(r.WrongExamples) != int(tt.wrongOnes) {
				t.Errorf("lost %d, duplicated %d, wrong %d (%v); want %d, %d, %d",
					r.Lost, r.Duplicated, r.Wrong, r.WrongExamples, tt.lost, tt.duplicated, tt.wrongOnes)
			}
			if want := float64(len(tt.stored)) / 2; r.StoredPerS != want {
				t.Errorf("%v stored a second, want %v", r.StoredPerS, want)
			}
		})
	}
}

// TestRecordsFromMemoryAreOtherPoints: a live reading of the moment of a meter's
// record neither stands for the record nor the other way round, and a record is
// no read of its slot.
func TestRecordsFromMemoryAreOtherPoints(t *testing.T) {
	live := schemas.Reading{Meter: "P-1", Quantity: "power.energy.import", Unit: "kW.h",
		Value: schemas.Decimal{Mantissa: 1}, TakenAt: time.UnixMilli(1_700_000_000_000).UTC()}
	frozen := live
	frozen.Origin = schemas.DailyFreeze
	for _, tt := range []struct {
		name   string
		stored schemas.Reading
		lost   uint64
		slots  int
		kept   uint64
	}{
		{"only the live one is stored", live, 1, 1, 0},
		{"only the record is stored", frozen, 1, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Report
			a := newAudit(&r, func(schemas.Reading) error { return nil }, owed{pointOf(live): true, pointOf(frozen): true})
			kind, met := &KindReport{}, make(slotsMet)
			a.add(tt.stored)
			kind.add(tt.stored)
			met.add(tt.stored, plan{interval: time.Second})
			a.end()
			if r.Lost != tt.lost || len(met["P-1"]) != tt.slots || kind.Points != 1 || kind.Kept != tt.kept {
				t.Errorf("lost %d, %d slots met, %+v; want %d, %d, %d from memory", r.Lost, len(met["P-1"]), kind, tt.lost, tt.slots, tt.kept)
			}
		})
	}
}
