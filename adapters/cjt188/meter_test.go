package cjt188

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

var (
	_ adapters.Source     = (*Meter)(nil)
	_ adapters.Clocked    = (*Meter)(nil)
	_ adapters.Keeper     = (*Meter)(nil)
	_ adapters.Identified = (*Meter)(nil)
)

const prepaid = "cjt188-cold-water-valve"

// values returns readings as "quantity value" or "quantity reason", sorted.
func values(readings []schemas.Reading) []string {
	var out []string
	for _, r := range readings {
		s := r.Value.String()
		if !r.HasValue() {
			s = string(r.Reason)
		}
		out = append(out, string(r.Quantity)+" "+s)
	}
	slices.Sort(out)
	return out
}

var wholeMeter = []string{
	"device.battery.state 0", "water.credit.money 12.34", "water.purchase.count 7", "water.purchase.last 50.00",
	"water.purchase.total 350.00", "water.valve.state 1", "water.volume.forward 1234.56",
}

func TestReadPrepaidMeter(t *testing.T) {
	d := newDouble(t)
	m := source(t, d, prepaid, 2018, Config{})
	before := time.Now().Truncate(time.Millisecond)
	readings, err := m.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := values(readings); !slices.Equal(got, wholeMeter) {
		t.Errorf("got %q", got)
	}
	for _, r := range readings {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		if r.Meter != "W-1" || r.TakenAt.Before(before) || r.TakenAt.Location() != time.UTC || r.Origin != schemas.Live {
			t.Errorf("%+v", r)
		}
	}
	if asked := d.requests(); !slices.Equal(asked, []string{"1F90", "0581"}) {
		t.Errorf("asked %q, want each item once", asked)
	}
}

// TestOrderFoundOut asks meters of which nothing is known but the profile.
func TestOrderFoundOut(t *testing.T) {
	for name, tt := range map[string]struct {
		change        func(*double)
		first, second []string
	}{
		"wants 1F90": {func(d *double) { d.high = false }, []string{"1F90", "0581"}, []string{"1F90", "0581"}},
		"wants 901F, else silent": {func(d *double) { d.low = false },
			[]string{"1F90", "901F", "8105"}, []string{"901F", "8105"}},
		"wants 901F, else refuses": {func(d *double) { d.low, d.deny = false, true },
			[]string{"1F90", "901F", "8105"}, []string{"901F", "8105"}},
		"takes both": {func(*double) {}, []string{"1F90", "0581"}, []string{"1F90", "0581"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			tt.change(d)
			m := source(t, d, prepaid, 0, Config{})
			for i, want := range [][]string{tt.first, tt.second, tt.second} {
				readings, err := m.Read(t.Context())
				if err != nil || !slices.Equal(values(readings), wholeMeter) {
					t.Fatalf("read %d: %q, %v", i, values(readings), err)
				}
				if asked := d.requests(); !slices.Equal(asked, want) {
					t.Errorf("read %d asked %q, want %q", i, asked, want)
				}
			}
		})
	}
}

// TestOrderByItem reads a meter that wants the two items in different orders.
func TestOrderByItem(t *testing.T) {
	d := newDouble(t)
	m := source(t, d, prepaid, 0, Config{})
	d.set(func() {
		d.items[0x1F90] = d.items[0x901F]
		delete(d.items, 0x901F) // 901F only as 1F 90, 8105 only as 81 05
		d.low, d.high = false, true
	})
	for i, want := range [][]string{{"1F90", "0581", "8105"}, {"1F90", "8105"}} {
		readings, err := m.Read(t.Context())
		if err != nil || !slices.Equal(values(readings), wholeMeter) {
			t.Fatalf("read %d: %q, %v", i, values(readings), err)
		}
		if asked := d.requests(); !slices.Equal(asked, want) {
			t.Errorf("read %d asked %q, want %q", i, asked, want)
		}
	}
}

// TestOrderTurned: an answer in the other order than asked is never taken.
func TestOrderTurned(t *testing.T) {
	d := newDouble(t)
	d.turn = true
	m := source(t, d, prepaid, 2018, Config{})
	readings, err := m.Read(t.Context())
	if len(readings) != 0 || adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "edition of 2004 when asked in that of 2018") {
		t.Errorf("fixed edition: %v, %v", readings, err)
	}
	if asked := d.requests(); !slices.Equal(asked, []string{"1F90", "0581"}) {
		t.Errorf("asked %q, want no repetition", asked)
	}
	found := source(t, d, prepaid, 0, Config{})
	if readings, err := found.Read(t.Context()); len(readings) != 0 || adapters.ClassOf(err) != adapters.Config {
		t.Errorf("turned both ways: %v, %v", readings, err)
	}
}

// TestOrderOfChangedMeter: the meter was replaced by one of the other edition.
func TestOrderOfChangedMeter(t *testing.T) {
	d := newDouble(t)
	d.high = false
	m := source(t, d, "cjt188-cold-water", 0, Config{})
	if _, err := m.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.low, d.high = false, true })
	for range 6 {
		if _, err := m.Read(t.Context()); err == nil {
			return
		}
	}
	t.Errorf("not found again; asked %q", d.requests())
}

// TestDeadMeterCostsOneRequest: silence is paid for once.
func TestDeadMeterCostsOneRequest(t *testing.T) {
	d := newDouble(t)
	m := source(t, d, prepaid, 2018, Config{Retries: 2})
	d.set(func() { d.dead = true })
	for i, want := range []int{3, 1, 1} {
		if readings, err := m.Read(t.Context()); len(readings) != 0 || adapters.ClassOf(err) != adapters.Transient || err == nil {
			t.Fatalf("read %d: %v, %v", i, readings, err)
		}
		if asked := d.requests(); len(asked) != want {
			t.Errorf("read %d asked %q, want %d requests", i, asked, want)
		}
	}
	d.set(func() { d.dead = false })
	if readings, err := m.Read(t.Context()); err != nil || !slices.Equal(values(readings), wholeMeter) {
		t.Errorf("back: %v, %v", readings, err)
	}
}

// TestRefusedItem: what the meter has comes, what it refuses is an error.
func TestRefusedItem(t *testing.T) {
	for _, edition := range []int{0, 2018} {
		d := newDouble(t)
		d.deny = true
		delete(d.items, 0x8105)
		readings, err := source(t, d, prepaid, edition, Config{}).Read(t.Context())
		if len(readings) != 3 || adapters.ClassOf(err) != adapters.Slow || !strings.Contains(err.Error(), "item 8105 of meter 00112233445566 at test (") {
			t.Errorf("edition %d: %d readings, %v", edition, len(readings), err)
		}
	}
}

// TestOtherLayouts: items of another length are refused, said once, and not
// guessed at.
func TestOtherLayouts(t *testing.T) {
	for name, content := range map[string]int{"heat of 2004": 43, "heat of 2018": 40, "without settlement": 14, "empty": 0, "one byte more": 20} {
		d := newDouble(t)
		d.items[0x901F] = make([]byte, content)
		readings, err := source(t, d, "cjt188-cold-water", 0, Config{}).Read(t.Context())
		if len(readings) != 0 || adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "needs another profile") {
			t.Errorf("%s: %v, %v", name, readings, err)
		}
		if asked := d.requests(); len(asked) != 1 {
			t.Errorf("%s: asked %q, want once", name, asked)
		}
	}
}

// TestWire holds what happens to answers on their way: what may be read all the
// same, and what must not be.
func TestWire(t *testing.T) {
	for name, tt := range map[string]struct {
		bend func([]byte) []byte
		good bool
	}{
		"lead-in":               {func(f []byte) []byte { return append([]byte{0xFE, 0xFE, 0xFE, 0xFE}, f...) }, true},
		"noise before":          {func(f []byte) []byte { return append([]byte{0x00, 0xFF, 0x68}, f...) }, true},
		"echo of the request":   {func(f []byte) []byte { return append(echo(f), f...) }, true},
		"twice":                 {func(f []byte) []byte { return append(slices.Clone(f), f...) }, true},
		"a stale one before":    {func(f []byte) []byte { return append(stale(f), f...) }, true},
		"one bit":               {func(f []byte) []byte { f[14] ^= 0x10; return f }, false},
		"last byte lost":        {func(f []byte) []byte { return f[:len(f)-1] }, false},
		"a byte lost in it":     {func(f []byte) []byte { return append(f[:15], f[16:]...) }, false},
		"only a stale one":      {stale, false},
		"two that differ":       {func(f []byte) []byte { return append(f, differing(f)...) }, false},
		"from another meter":    {func(f []byte) []byte { f[2] ^= 0x01; return sealed(f[:len(f)-2]) }, false},
		"digits changed places": {func(f []byte) []byte { f[11], f[12] = f[12], f[11]; return f }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			d.bend = tt.bend
			m := source(t, d, "cjt188-cold-water", 2018, Config{})
			readings, err := m.Read(t.Context())
			want := []string{"device.battery.state 0", "water.volume.forward 1234.56"}
			if tt.good && (err != nil || !slices.Equal(values(readings), want)) {
				t.Errorf("%q, %v", values(readings), err)
			}
			if !tt.good && (err == nil || len(readings) != 0) {
				t.Errorf("taken: %q", values(readings))
			}
			d.set(func() { d.bend = nil })
			if readings, err := m.Read(t.Context()); err != nil || !slices.Equal(values(readings), want) {
				t.Errorf("afterwards: %q, %v", values(readings), err)
			}
		})
	}
}

// echo is the request that f answers.
func echo(f []byte) []byte {
	r := slices.Clone(f[:14])
	r[9], r[10] = 0x01, 3
	return sealed(r)
}

// stale is f as an answer to the request before, with another number in it.
func stale(f []byte) []byte {
	s := slices.Clone(f[:len(f)-2])
	s[13]--
	s[14] ^= 0x01
	return sealed(s)
}

// differing is f with another number in it.
func differing(f []byte) []byte {
	s := slices.Clone(f[:len(f)-2])
	s[14] ^= 0x01
	return sealed(s)
}

// TestSequenceNeverReturned says what to look at.
func TestSequenceNeverReturned(t *testing.T) {
	d := newDouble(t)
	d.bend = func(f []byte) []byte { f[13] = 0xEE; return sealed(f[:len(f)-2]) }
	_, err := source(t, d, "cjt188-cold-water", 2018, Config{}).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "2 answers came with another sequence byte") {
		t.Errorf("error %v", err)
	}
	readings, err := source(t, d, "cjt188-cold-water", 2018, Config{IgnoreSequence: true}).Read(t.Context())
	if err != nil || len(readings) != 2 {
		t.Errorf("told to ignore it: %v, %v", readings, err)
	}
}

func TestReadClockAndSerial(t *testing.T) {
	d := newDouble(t)
	m := source(t, d, prepaid, 2018, Config{})
	clock, at, err := m.ReadClock(t.Context())
	if err != nil || clock.Format(time.RFC3339) != "2026-03-05T06:30:15Z" || time.Since(at) > time.Minute {
		t.Errorf("clock %s at %s, %v", clock, at, err)
	}
	utc := source(t, d, prepaid, 2018, Config{Location: time.UTC})
	if clock, _, err := utc.ReadClock(t.Context()); err != nil || clock.Format(time.RFC3339) != "2026-03-05T14:30:15Z" {
		t.Errorf("clock set to UTC: %s, %v", clock, err)
	}
	if serial, err := m.ReadSerial(t.Context()); err != nil || serial != "00112233445566" {
		t.Errorf("serial %q, %v", serial, err)
	}
	d.set(func() { d.items[0x901F][14] = 0x13 }) // month 13
	if _, _, err := m.ReadClock(t.Context()); adapters.ClassOf(err) != adapters.Slow || !strings.Contains(err.Error(), "no date and time") {
		t.Errorf("broken clock: %v", err)
	}
}

// TestWildcardAddress reads the only meter of a line and learns who it is.
func TestWildcardAddress(t *testing.T) {
	d := newDouble(t)
	b := New(testLine(t, serve(t, d.handle)), Config{})
	m, err := b.Source("W-1", "AAAAAAAAAAAAAA", mustProfile(t, prepaid))
	if err != nil {
		t.Fatal(err)
	}
	if serial, err := m.ReadSerial(t.Context()); err != nil || serial != "00112233445566" {
		t.Errorf("serial %q, %v", serial, err)
	}
	for _, high := range []bool{true, false} {
		d.set(func() { d.high, d.low = high, !high })
		found, err := b.FindOnly(t.Context())
		if err != nil || found.Address != "00112233445566" || found.Type != 0x10 || found.At.IsZero() {
			t.Errorf("high byte first %v: found %+v, %v", high, found, err)
		}
	}
	d.set(func() { d.dead = true })
	if _, err := b.FindOnly(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestTwoMetersOfAWildcard: with two meters on the line an answer may be of the
// other, and is then nobody's value.
func TestTwoMetersOfAWildcard(t *testing.T) {
	d := newDouble(t)
	m, err := New(testLine(t, serve(t, d.handle)), Config{}).Source("W-1", "AAAAAAAAAAAAAA", mustProfile(t, prepaid))
	if err != nil {
		t.Fatal(err)
	}
	if readings, err := m.Read(t.Context()); err != nil || len(readings) != len(wholeMeter) {
		t.Fatalf("%v, %v", readings, err)
	}
	d.set(func() { d.address[0] = 0x67 })
	readings, err := m.Read(t.Context())
	if len(readings) != 0 || adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "00112233445567 answers, and before 00112233445566 did") {
		t.Errorf("%v, %v", readings, err)
	}
	if _, err := m.ReadSerial(t.Context()); err == nil {
		t.Error("a serial number of two meters")
	}
	d.set(func() { d.address[0] = 0x66 })
	if readings, err := m.Read(t.Context()); err != nil || len(readings) != len(wholeMeter) {
		t.Errorf("%v, %v", readings, err)
	}
}

func TestReadKept(t *testing.T) {
	d := newDouble(t)
	d.deny = true
	m := source(t, d, prepaid, 2018, Config{})
	if m.Kept(schemas.MonthlyFreeze) != 12 || m.Kept(schemas.DailyFreeze) != 0 || m.Kept(schemas.LoadRecord) != 0 {
		t.Error("kept")
	}
	for n, want := range map[int]string{
		1: "2026-02-28T16:00:00Z water.volume.forward 1200.00",
		2: "2026-01-31T16:00:00Z water.volume.forward 1199.50",
		3: "",
	} {
		readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, n)
		if err != nil {
			t.Errorf("%d: %v", n, err)
		}
		got := ""
		for _, r := range readings {
			got = r.TakenAt.Format(time.RFC3339) + " " + values(readings)[0]
			if err := r.Validate(); err != nil || r.Origin != schemas.MonthlyFreeze {
				t.Errorf("%d: %+v, %v", n, r, err)
			}
		}
		if got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestReadKeptUnfilled: a record of FF alone is one that the meter has not made,
// as if it refused the item; one that is damaged is not.
func TestReadKeptUnfilled(t *testing.T) {
	for record, want := range map[string][]string{
		"FF FF FF FF FF": nil,
		"FF FF FF FF 2C": nil,
		"FF FF FF 0F 2C": {"water.volume.forward bad_bcd"},
		"FF 00 12 00 2C": {"water.volume.forward bad_bcd"},
	} {
		d := newDouble(t)
		d.items[0xD120] = catalogtest.Bytes(t, record)
		m := source(t, d, prepaid, 2018, Config{})
		readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 1)
		if got := values(readings); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", record, got, err, want)
		}
		if readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 2); err != nil || len(readings) != 1 {
			t.Errorf("%s, the record before: %v, %v", record, readings, err)
		}
	}
}

// TestReadKeptRefuses: a record that cannot be dated is none.
func TestReadKeptRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		origin schemas.Origin
		n      int
		change func(*double)
		class  adapters.Class
		want   string
	}{
		"day 29":         {schemas.MonthlyFreeze, 1, func(d *double) { d.items[0x8103] = []byte{0x29} }, adapters.Slow, "settlement day is 29"},
		"day 99":         {schemas.MonthlyFreeze, 1, func(d *double) { d.items[0x8103] = []byte{0x99} }, adapters.Slow, "settlement day is 99"},
		"day FF":         {schemas.MonthlyFreeze, 1, func(d *double) { d.items[0x8103] = []byte{0xFF} }, adapters.Slow, "settlement day is FF"},
		"no day":         {schemas.MonthlyFreeze, 1, func(d *double) { delete(d.items, 0x8103) }, adapters.Slow, "settlement day, item 8103"},
		"no clock":       {schemas.MonthlyFreeze, 1, func(d *double) { d.items[0x901F][12] = 0xFF }, adapters.Slow, "no date and time"},
		"at settlement":  {schemas.MonthlyFreeze, 1, func(d *double) { copy(d.items[0x901F][10:], "\x59\x59\x23\x28\x02") }, adapters.Transient, "ask again later"},
		"daily":          {schemas.DailyFreeze, 1, func(*double) {}, adapters.Config, "names 0 such records"},
		"the thirteenth": {schemas.MonthlyFreeze, 13, func(*double) {}, adapters.Config, "names 12 such records"},
		"the zeroth":     {schemas.MonthlyFreeze, 0, func(*double) {}, adapters.Config, "names 12 such records"},
		"other layout":   {schemas.MonthlyFreeze, 1, func(d *double) { d.items[0xD120] = make([]byte, 19) }, adapters.Config, "needs another profile"},
	} {
		d := newDouble(t)
		d.deny = true
		tt.change(d)
		readings, err := source(t, d, prepaid, 2018, Config{}).ReadKept(t.Context(), tt.origin, tt.n)
		if len(readings) != 0 || adapters.ClassOf(err) != tt.class || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, class %s: %v", name, readings, adapters.ClassOf(err), err)
		}
	}
}

// TestReadKeptLostAnswer: a lost answer must not pass for a record that the
// meter does not have, whatever the meter says to the other order.
func TestReadKeptLostAnswer(t *testing.T) {
	for name, swapped := range map[string]bool{
		"lost in the likely order": false, "lost in the other order": true, "broken in the other order": true,
	} {
		d := newDouble(t)
		d.low, d.deny = false, true
		di := [2]byte{0xD1, 0x20}
		if swapped {
			d.items[0x20D1] = d.items[0xD120]
			delete(d.items, 0xD120)
			di = [2]byte{0x20, 0xD1}
		}
		d.bend = func(f []byte) []byte {
			if [2]byte(f[11:13]) != di {
				return f
			}
			if strings.HasPrefix(name, "broken") {
				f[14] ^= 0x40
				return f
			}
			return nil
		}
		m := source(t, d, prepaid, 0, Config{})
		readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 1)
		if len(readings) != 0 || err == nil || adapters.ClassOf(err) != adapters.Transient {
			t.Errorf("%s: %v, %v", name, readings, err)
		}
		d.set(func() { d.bend = nil })
		if readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 1); err != nil || len(readings) != 1 {
			t.Errorf("%s, asked again: %v, %v", name, readings, err)
		}
	}
}

// TestReadKeptInPart: what was read before an answer was lost is marked like the
// rest.
func TestReadKeptInPart(t *testing.T) {
	d := newDouble(t)
	p := *mustProfile(t, prepaid)
	p.Edition = 2018
	live := p.Fields[0]
	settled := p.Monthly.Fields[0]
	settled.Quantity, settled.DI, settled.At = live.Quantity, 0x901F, 5
	other := p.Monthly.Fields[0]
	other.Quantity = "water.volume.reverse"
	p.Monthly = &profiles.Freeze{Kept: 1, DayDI: 0x8103, Fields: []profiles.Field{settled, other}}
	d.bend = func(f []byte) []byte {
		if f[11] == 0x20 && f[12] == 0xD1 {
			return nil
		}
		return f
	}
	m, err := New(testLine(t, serve(t, d.handle)), Config{}).Source("W-1", "00112233445566", &p)
	if err != nil {
		t.Fatal(err)
	}
	readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 1)
	if err == nil || len(readings) != 1 {
		t.Fatalf("%v, %v", readings, err)
	}
	if r := readings[0]; r.Origin != schemas.MonthlyFreeze {
		t.Errorf("a reading of %s is of origin %q", r.TakenAt, r.Origin)
	}
}

// TestSettlementWithin901F dates the settlement total that stands in 901F, for
// meters that have no D120.
func TestSettlementWithin901F(t *testing.T) {
	d := newDouble(t)
	p := *mustProfile(t, prepaid)
	settled := p.Monthly.Fields[0]
	settled.DI, settled.At = 0x901F, 5
	p.Monthly = &profiles.Freeze{Kept: 1, DayDI: 0x8103, Fields: []profiles.Field{settled}}
	delete(p.Lengths, 0xD120)
	m, err := New(testLine(t, serve(t, d.handle)), Config{}).Source("W-1", "00112233445566", &p)
	if err != nil {
		t.Fatal(err)
	}
	readings, err := m.ReadKept(t.Context(), schemas.MonthlyFreeze, 1)
	if err != nil || !slices.Equal(values(readings), []string{"water.volume.forward 1200.00"}) {
		t.Errorf("%q, %v", values(readings), err)
	}
}

func TestMeterWithoutClock(t *testing.T) {
	p := *mustProfile(t, "cjt188-cold-water")
	p.Clock = nil
	m, err := New(testLine(t, "127.0.0.1:1"), Config{}).Source("W-1", "00112233445566", &p)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.ReadClock(t.Context()); adapters.ClassOf(err) != adapters.Config {
		t.Errorf("clock: %v", err)
	}
	if m.Kept(schemas.MonthlyFreeze) != 0 {
		t.Error("kept without records")
	}
}

func TestSourceRefuses(t *testing.T) {
	b := New(testLine(t, "127.0.0.1:1"), Config{})
	good := mustProfile(t, prepaid)
	for name, tt := range map[string]struct {
		id      schemas.MeterID
		address string
		profile *profiles.Profile
		want    string
	}{
		"meter":   {"", "00112233445566", good, "meter"},
		"address": {"W-1", "112233445566", good, `meter W-1: address "112233445566": want 14 digits`},
		"profile": {"W-1", "00112233445566", &profiles.Profile{ID: "x"}, "fields: none"},
	} {
		if _, err := b.Source(tt.id, tt.address, tt.profile); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	bare := New(line.New(line.Config{Address: "127.0.0.1:1"}), Config{})
	if _, err := bare.Source("W-1", "00112233445566", good); err == nil || !strings.Contains(err.Error(), "no serial settings") {
		t.Errorf("line without a wire: %v", err)
	}
}

// TestCancelled: every method ends with its context and says so.
func TestCancelled(t *testing.T) {
	d := newDouble(t)
	m := source(t, d, prepaid, 2018, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, readErr := m.Read(ctx)
	_, _, clockErr := m.ReadClock(ctx)
	_, keptErr := m.ReadKept(ctx, schemas.MonthlyFreeze, 1)
	_, serialErr := m.ReadSerial(ctx)
	_, findErr := m.bus.FindOnly(ctx)
	for _, err := range []error{readErr, clockErr, keptErr, serialErr, findErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}
