package dlt645

import (
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

const splitClock = "edition: 2007\nclock: {date: 0x04000101, time: 0x04000102}\nserial: 0x04000402\nfields:\n  - {quantity: power.active, di: 0x02030000, bytes: 3}\n"

func TestReadClock(t *testing.T) {
	s := newSlave(t)
	s.set(0x04000101, low(t, "26030504")) // YYMMDDWW
	s.set(0x04000102, low(t, "073015"))
	s.set(0x0400010C, low(t, "26030504073015"))
	want := time.Date(2026, 3, 4, 23, 30, 15, 0, time.UTC)
	bus := busTo(t, s.addr, Config{})
	for name, keys := range map[string]string{"two items": splitClock, "one item": strings.Replace(splitClock, "date: 0x04000101, time: 0x04000102", "both: 0x0400010C", 1)} {
		m := mustSource(t, bus, plate, mustParse(t, keys))
		start := time.Now().Truncate(time.Millisecond)
		meter, at, err := m.ReadClock(background(t))
		if err != nil || !meter.Equal(want) || meter.Location() != time.UTC || at.Before(start) || at.Location() != time.UTC {
			t.Errorf("%s: %s at %s, %v", name, meter, at, err)
		}
	}
	elsewhere := mustSource(t, busTo(t, s.addr, Config{Location: time.UTC}), plate, mustParse(t, splitClock))
	if meter, _, err := elsewhere.ReadClock(background(t)); err != nil || !meter.Equal(want.Add(8*time.Hour)) {
		t.Errorf("in UTC: %s, %v", meter, err)
	}
	s.set(0x04000101, low(t, "26023001"))
	m := mustSource(t, bus, plate, mustParse(t, splitClock))
	if _, _, err := m.ReadClock(background(t)); adapters.ClassOf(err) != adapters.Slow || !strings.Contains(err.Error(), "shows 260230073015, which is no time") {
		t.Errorf("30 February: %v", err)
	}
	s.set(0x04000101, low(t, "2603050400"))
	if _, _, err := m.ReadClock(background(t)); adapters.ClassOf(err) != adapters.Config {
		t.Errorf("five bytes: %v", err)
	}
}

// TestReadClockAtMidnight lets midnight pass between the two items.
func TestReadClockAtMidnight(t *testing.T) {
	s := newSlave(t)
	date, clock := low(t, "26022805"), low(t, "235959")
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		if di == 0x04000101 {
			defer func() { date, clock = low(t, "26030100"), low(t, "000001") }()
			return s.answer(readData, di, date), true
		}
		return s.answer(readData, di, clock), true
	})
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, splitClock))
	meter, _, err := m.ReadClock(background(t))
	if want := time.Date(2026, 2, 28, 16, 0, 1, 0, time.UTC); err != nil || !meter.Equal(want) {
		t.Errorf("%s, %v, want %s", meter, err, want)
	}
}

// TestReadClockLongPastMidnight lets midnight pass while the answer about the
// time is waited for, on a line where that takes more than a minute.
func TestReadClockLongPastMidnight(t *testing.T) {
	s := newSlave(t)
	date := low(t, "26022805")
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		if di == 0x04000101 {
			defer func() { date = low(t, "26030100") }()
			return s.answer(readData, di, date), true
		}
		return s.answer(readData, di, low(t, "000130")), true
	})
	now := time.Now()
	slow := line.New(line.Config{Address: s.addr, Serial: wire(), Timeout: 5 * time.Second, QuietTime: -1, Now: func() time.Time {
		now = now.Add(2 * time.Minute)
		return now
	}})
	t.Cleanup(func() { slow.Close() })
	m := mustSource(t, New(slow, Config{}), plate, mustParse(t, splitClock))
	meter, _, err := m.ReadClock(background(t))
	if want := time.Date(2026, 2, 28, 16, 1, 30, 0, time.UTC); err != nil || !meter.Equal(want) {
		t.Errorf("%s, %v, want %s", meter, err, want)
	}
}

func TestReadSerial(t *testing.T) {
	s := newSlave(t)
	s.set(0x04000402, low(t, "001234567890"))
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, splitClock))
	if got, err := m.ReadSerial(background(t)); err != nil || got != "001234567890" {
		t.Errorf("%s, %v", got, err)
	}
	s.set(0x04000402, low(t, "FFFFFFFFFFFF"))
	if got, err := m.ReadSerial(background(t)); got != "" || adapters.ClassOf(err) != adapters.Slow {
		t.Errorf("no number: %q, %v", got, err)
	}
}

// TestWithout shows what a meter does whose profile names none of this.
func TestWithout(t *testing.T) {
	s := threeSlave(t)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, three))
	_, _, clock := m.ReadClock(background(t))
	_, serial := m.ReadSerial(background(t))
	_, record := m.ReadKept(background(t), schemas.DailyFreeze, 1)
	for _, err := range []error{clock, serial, record} {
		if adapters.ClassOf(err) != adapters.Config {
			t.Error(err)
		}
	}
	if m.Kept(schemas.DailyFreeze) != 0 || m.Kept(schemas.MonthlyFreeze) != 0 || m.Kept(schemas.LoadRecord) != 0 || len(s.takeAsked()) != 0 {
		t.Error("a profile without records has some")
	}
}

// freezeSlave is a meter of the three-phase profile with two days and two months.
func freezeSlave(t *testing.T) (*slave, *Meter) {
	s := newSlave(t)
	s.set(0x05060001, low(t, "2603050000"))
	s.set(0x05060002, low(t, "2603040000"))
	s.set(0x05060003, make([]byte, 5))
	block := func(v string) []byte {
		b := low(t, v)
		for range 4 {
			b = append(b, low(t, "00000001")...)
		}
		return b
	}
	s.set(0x05060101, block("00123456"))
	s.set(0x05060102, block("00122222"))
	s.set(0x05060201, block("00000100"))
	s.set(0x05060202, block("00000099"))
	s.set(0x00010001, low(t, "00110000"))
	s.set(0x00020001, low(t, "00000100"))
	s.set(0x00010002, low(t, "00100000"))
	s.set(0x00010003, []byte{0xFF, 0xFF, 0xFF, 0xFF})
	s.set(0x04000101, low(t, "26030504"))
	s.set(0x04000102, low(t, "073015"))
	s.set(0x04000B01, low(t, "0100"))
	s.set(0x04000B02, low(t, "9999"))
	return s, mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, "dlt645-three-phase"))
}

func TestReadDailyFreeze(t *testing.T) {
	s, m := freezeSlave(t)
	if n := m.Kept(schemas.DailyFreeze); n != 62 {
		t.Errorf("kept %d", n)
	}
	for n, want := range map[int]struct {
		value string
		at    time.Time
	}{
		1: {"1234.56", time.Date(2026, 3, 4, 16, 0, 0, 0, time.UTC)},
		2: {"1222.22", time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC)},
	} {
		readings, err := m.ReadKept(background(t), schemas.DailyFreeze, n)
		if err != nil || len(readings) != 6 {
			t.Fatalf("record %d: %v, %v", n, readings, err)
		}
		for _, r := range readings {
			if err := r.Validate(); err != nil || !r.TakenAt.Equal(want.at) || r.Origin != schemas.DailyFreeze {
				t.Errorf("record %d: %+v, %v", n, r, err)
			}
		}
		if got := byQuantity(readings); got["power.energy.import"] != want.value || got["power.energy.import.t4"] != "0.01" {
			t.Errorf("record %d: %v", n, got)
		}
	}
	// Record 3 was never made, record 4 is not known to the meter.
	for _, n := range []int{3, 4} {
		if readings, err := m.ReadKept(background(t), schemas.DailyFreeze, n); err != nil || len(readings) != 0 {
			t.Errorf("record %d: %v, %v", n, readings, err)
		}
	}
	for _, n := range []int{0, 63} {
		if _, err := m.ReadKept(background(t), schemas.DailyFreeze, n); adapters.ClassOf(err) != adapters.Config {
			t.Errorf("record %d: %v", n, err)
		}
	}
	s.set(0x05060001, low(t, "2613050000"))
	if _, err := m.ReadKept(background(t), schemas.DailyFreeze, 1); adapters.ClassOf(err) != adapters.Slow {
		t.Errorf("month 13: %v", err)
	}
}

// TestDailyFreezeAtMidnight lets the meter make a record while one is read: the
// values must not get the day of their neighbours.
func TestDailyFreezeAtMidnight(t *testing.T) {
	s, m := freezeSlave(t)
	made := false
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		if di == 0x05060101 && !made {
			made = true
			s.items[0x05060001], s.items[0x05060002] = low(t, "2603060000"), s.items[0x05060001]
			s.items[0x05060102] = s.items[0x05060101]
			s.items[0x05060101] = append(low(t, "00130000"), s.items[0x05060101][4:]...)
		}
		return nil, false
	})
	readings, err := m.ReadKept(background(t), schemas.DailyFreeze, 1)
	if err != nil || len(readings) != 6 {
		t.Fatalf("%v, %v", readings, err)
	}
	at := time.Date(2026, 3, 5, 16, 0, 0, 0, time.UTC)
	if got := byQuantity(readings); got["power.energy.import"] != "1300.00" || !readings[0].TakenAt.Equal(at) {
		t.Errorf("%v at %s", got, readings[0].TakenAt)
	}
}

func TestReadMonthlyFreeze(t *testing.T) {
	s, m := freezeSlave(t)
	if n := m.Kept(schemas.MonthlyFreeze); n != 12 {
		t.Errorf("kept %d", n)
	}
	first := time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC)
	readings, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 1)
	got := byQuantity(readings)
	if err != nil || got["power.energy.import"] != "1100.00" || got["power.energy.export"] != "1.00" || !readings[0].TakenAt.Equal(first) || readings[0].Origin != schemas.MonthlyFreeze {
		t.Errorf("%v, %v", readings, err)
	}
	// The meter lacks the second record of one item; the other's is kept.
	readings, err = m.ReadKept(background(t), schemas.MonthlyFreeze, 2)
	if err != nil || len(readings) != 1 || readings[0].Value.String() != "1000.00" || !readings[0].TakenAt.Equal(time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", readings, err)
	}
	if readings, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 3); err != nil || len(readings) != 0 {
		t.Errorf("record never made: %v, %v", readings, err)
	}
	s.set(0x04000B01, low(t, "3100"))
	if _, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 1); adapters.ClassOf(err) != adapters.Slow || !strings.Contains(err.Error(), "31 at 00") {
		t.Errorf("the 31st: %v", err)
	}
	s.set(0x04000B01, low(t, "0000"))
	if readings, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 1); err != nil || len(readings) != 0 {
		t.Errorf("no settlement day: %v, %v", readings, err)
	}
}

// TestMonthlyFreezeNearSettlement: a meter's clock has struck, or is about to,
// and nobody knows whether the record is made yet.
func TestMonthlyFreezeNearSettlement(t *testing.T) {
	s, m := freezeSlave(t)
	for clock, near := range map[string]bool{
		"26033102 234959": false, "26033102 235958": true, "26040103 000002": true, "26040103 001000": false,
	} {
		date, hour, _ := strings.Cut(clock, " ")
		s.set(0x04000101, low(t, date))
		s.set(0x04000102, low(t, hour))
		readings, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 1)
		switch {
		case !near && (err != nil || len(readings) != 2):
			t.Errorf("%s: %v, %v", clock, readings, err)
		case near && (len(readings) != 0 || err == nil || adapters.ClassOf(err) != adapters.Transient):
			t.Errorf("%s: %v, %v", clock, readings, err)
		}
	}
}

// TestMonthlyFreezeClockSet sets the meter's clock while a record is read.
func TestMonthlyFreezeClockSet(t *testing.T) {
	s, m := freezeSlave(t)
	moved := false
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		if di == 0x00010001 && !moved {
			moved = true
			s.items[0x04000101], s.items[0x04000102] = low(t, "26040103"), low(t, "120002")
		}
		return nil, false
	})
	readings, err := m.ReadKept(background(t), schemas.MonthlyFreeze, 1)
	if err != nil || len(readings) != 2 || !readings[0].TakenAt.Equal(time.Date(2026, 3, 31, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", readings, err)
	}
}
