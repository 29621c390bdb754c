package verdict

import (
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// FuzzJudge: no stream of readings makes the validator panic, change a value or
// a verdict of the driver's, or give a malformed reading; and one that is
// restarted before every Read judges like one that never is.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{0, 1, 50, 1, 1, 51, 1, 1, 0, 1, 1, 52, 1, 1, 53})
	f.Add([]byte{0xFF, 1, 250, 1, 1, 251, 1, 1, 0, 1, 1, 1, 1, 1, 2, 0x41, 1, 3, 0x81, 200, 4})
	f.Add([]byte{0x1F, 9, 9, 9, 0x11, 9, 9, 0x21, 9, 9, 0x31, 9, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		rules := fuzzRules(data[0])
		always, restarted := New(rules, State{}), New(rules, State{})
		at := start
		for data = data[1:]; len(data) >= 3; data = data[3:] {
			at = at.Add(time.Duration(int8(data[1])) * 7 * time.Minute)
			read := fuzzRead(data[0], int64(data[2]), at)
			a, b := slices.Clone(read), slices.Clone(read)
			always.Judge(a)
			restarted = New(rules, roundTrip(t, restarted.State()))
			restarted.Judge(b)
			if !slices.Equal(a, b) {
				t.Fatalf("%+v, after a restart %+v", a, b)
			}
			for i := range a {
				if err := a[i].Validate(); err != nil {
					t.Fatal(err)
				}
				if a[i].Quality != schemas.Suspect && a[i] != read[i] || read[i].Quality != schemas.Good && a[i] != read[i] || a[i].Value != read[i].Value {
					t.Fatalf("%+v is judged as %+v", read[i], a[i])
				}
			}
		}
		always.Notes()
	})
}

func fuzzRules(b byte) Rules {
	var r Rules
	if b&1 != 0 {
		r.Limits = limits(energy, Limits{MaxPerHour: decp("20"), Max: decp("240")})
	}
	if b&2 != 0 {
		r.WrapsAt = widths(energy, "250")
	}
	if b&4 != 0 {
		r.Direction = Forward
	}
	if b&8 != 0 {
		r.StuckAfter = time.Hour
	}
	first := map[schemas.Quantity]schemas.Decimal{energy: dec("5"), export: dec("7.5")}
	if b&16 != 0 {
		first = nil
	}
	if b&32 != 0 {
		r.Installations = append(r.Installations, schemas.Installation{Meter: "m", From: start.Add(-time.Hour), To: start.Add(8 * time.Hour), Multiplier: dec("1"), First: first})
	}
	if b&64 != 0 {
		r.Installations = append(r.Installations, schemas.Installation{Meter: "m", From: start.Add(9 * time.Hour), Multiplier: dec("1"), First: first,
			WrapsAt: map[schemas.Quantity]schemas.Decimal{energy: dec("200")}})
	}
	return r
}

// fuzzRead makes a Read of up to three values; kind says which, at what
// resolution, and from where.
func fuzzRead(kind byte, value int64, at time.Time) (read []schemas.Reading) {
	exponent := -int8(kind >> 2 & 1)
	for i, q := range []schemas.Quantity{active, energy, export} {
		r := reading(q, "0", at)
		r.Value = schemas.Decimal{Mantissa: value, Exponent: exponent}
		switch {
		case kind&(8<<i) != 0:
			continue
		case kind&3 == 3 && q == energy:
			r.Quality, r.Reason, r.Value = schemas.Missing, schemas.ReasonNaN, schemas.Decimal{}
		case kind&64 != 0 && q == active:
			r.Value.Mantissa -= 100
		}
		if kind&128 != 0 {
			r.Origin = schemas.DailyFreeze
		}
		read = append(read, r)
	}
	return read
}
