package dlt645

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// byQuantity turns readings into what people would write down.
func byQuantity(readings []schemas.Reading) map[schemas.Quantity]string {
	m := map[schemas.Quantity]string{}
	for _, r := range readings {
		if m[r.Quantity] = r.Value.String(); r.Reason != "" {
			m[r.Quantity] = "missing " + string(r.Reason)
		}
	}
	return m
}

// three is a profile of three items, one of them a block.
const three = `edition: 2007
open: [0x0001FF00]
fields:
  - {quantity: power.voltage.l1, di: 0x02010100, bytes: 2, shift: -1}
  - {quantity: power.energy.import, di: 0x0001FF00, bytes: 4, shift: -2}
  - {quantity: power.energy.import.t1, di: 0x0001FF00, at: 4, bytes: 4, shift: -2}
  - {quantity: power.active, di: 0x02030000, bytes: 3, format: sbcd, shift: -1}
`

func threeSlave(t *testing.T) *slave {
	s := newSlave(t)
	s.set(0x02010100, low(t, "2314"))
	s.set(0x0001FF00, append(low(t, "00123456"), low(t, "00023456")...))
	s.set(0x02030000, low(t, "812345"))
	return s
}

// TestRead reads whole: each item once, its fields from one answer.
func TestRead(t *testing.T) {
	s := threeSlave(t)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, three))
	start := time.Now()
	readings, err := m.Read(background(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[schemas.Quantity]string{
		"power.voltage.l1": "231.4", "power.energy.import": "1234.56", "power.energy.import.t1": "234.56", "power.active": "-1234.5",
	}
	got := byQuantity(readings)
	for q, v := range want {
		if got[q] != v {
			t.Errorf("%s is %s, want %s", q, got[q], v)
		}
	}
	for _, r := range readings {
		if err := r.Validate(); err != nil || r.TakenAt.Before(start.Truncate(time.Millisecond)) || r.Origin != schemas.Live {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if asked := s.takeAsked(); !slices.Equal(asked, []uint32{0x02010100, 0x0001FF00, 0x02030000}) {
		t.Errorf("asked %08X", asked)
	}
}

// TestReadMissing shows values that a meter does not have.
func TestReadMissing(t *testing.T) {
	s := threeSlave(t)
	s.set(0x02010100, []byte{0xFF, 0xFF})
	s.set(0x02030000, []byte{0x1A, 0, 0})
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, three))
	readings, err := m.Read(background(t))
	got := byQuantity(readings)
	if err != nil || got["power.voltage.l1"] != "missing sentinel" || got["power.active"] != "missing bad_bcd" || got["power.energy.import"] != "1234.56" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestReadLacking shows that an item which the meter does not have is reported
// each time, and after the second refusal asked once an hour.
func TestReadLacking(t *testing.T) {
	s := threeSlave(t)
	s.set(0x0001FF00, nil)
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	b := busTo(t, s.addr, Config{Now: func() time.Time { return now }})
	m := mustSource(t, b, plate, mustParse(t, three))
	for i, want := range []int{3, 3, 2, 2, 3, 2} {
		if i == 4 {
			now = now.Add(askAgain + time.Second)
		}
		readings, err := m.Read(background(t))
		var e *adapters.Error
		if len(readings) != 2 || !errors.As(err, &e) || e.Class != adapters.Config || !strings.Contains(err.Error(), "no such data") || !strings.Contains(err.Error(), "0001FF00") {
			t.Fatalf("read %d: %v, %v", i, readings, err)
		}
		if asked := s.takeAsked(); len(asked) != want {
			t.Errorf("read %d asked %08X, want %d items", i, asked, want)
		}
	}
	s.set(0x0001FF00, append(low(t, "00123456"), low(t, "00023456")...))
	now = now.Add(2 * askAgain)
	if readings, err := m.Read(background(t)); err != nil || len(readings) != 4 {
		t.Errorf("with the item: %v, %v", readings, err)
	}
}

// TestReadOtherLength shows that an item of another length gives no value, and a
// block with fewer tariffs gives those it has.
func TestReadOtherLength(t *testing.T) {
	s := threeSlave(t)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, three))
	s.set(0x02010100, low(t, "002314"))
	readings, err := m.Read(background(t))
	got := byQuantity(readings)
	if _, has := got["power.voltage.l1"]; has || len(got) != 3 || adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "has 3 bytes, by the profile it has 2") {
		t.Errorf("a longer item: %v, %v", got, err)
	}
	s.set(0x02010100, low(t, "2314"))
	s.set(0x0001FF00, low(t, "00123456"))
	readings, err = m.Read(background(t))
	got = byQuantity(readings)
	if got["power.energy.import"] != "1234.56" || len(got) != 3 || adapters.ClassOf(err) != adapters.Config {
		t.Errorf("a shorter block: %v, %v", got, err)
	}
	s.set(0x0001FF00, append(append(low(t, "00123456"), low(t, "00023456")...), low(t, "00100000")...))
	if readings, err := m.Read(background(t)); err != nil || len(readings) != 4 {
		t.Errorf("a longer block: %v, %v", readings, err)
	}
}

// blockOf is a profile whose block of n numbers comes in several frames.
const longBlock = `edition: 2007
open: [0x0001FF00]
fields:
  - {quantity: power.energy.import, di: 0x0001FF00, bytes: 4, shift: -2}
  - {quantity: power.energy.import.t4, di: 0x0001FF00, at: 496, bytes: 4, shift: -2}
`

// framesOf answers as a meter whose item needs several frames does.
func framesOf(s *slave, data []byte, size int, number func(seq byte) byte) func(Frame, uint32) ([]byte, bool) {
	return func(f Frame, di uint32) ([]byte, bool) {
		from, tail := 0, []byte(nil)
		if f.Function() == readNext {
			seq := f.Data[4]
			from, tail = int(seq)*size, []byte{number(seq)}
		}
		to, control := min(from+size, len(data)), byte(fromMeter)|f.Function()
		if to < len(data) {
			control |= moreFollows
		}
		return encode(s.address, control, append(append(appendDI(nil, di, 4), data[from:to]...), tail...)), true
	}
}

func TestSeveralFrames(t *testing.T) {
	data := bytes.Repeat([]byte{0x11}, 500)
	copy(data[0:], low(t, "00123456"))
	copy(data[496:], low(t, "00654321"))
	same := func(seq byte) byte { return seq }
	s := newSlave(t)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, longBlock))

	s.setHook(framesOf(s, data, 190, same))
	readings, err := m.Read(background(t))
	got := byQuantity(readings)
	if err != nil || got["power.energy.import"] != "1234.56" || got["power.energy.import.t4"] != "6543.21" || len(s.takeAsked()) != 3 {
		t.Errorf("%v, %v", got, err)
	}
	s.setHook(framesOf(s, data, 190, func(seq byte) byte { return 1 }))
	hasty := mustSource(t, busToSilence(t, s.addr, Config{}), plate, mustParse(t, longBlock))
	if readings, err := hasty.Read(background(t)); err == nil || len(readings) != 0 {
		t.Errorf("the same frame for ever: %v, %v", readings, err)
	}
	s.setHook(framesOf(s, bytes.Repeat([]byte{0x11}, 500), 10, same))
	if readings, err := m.Read(background(t)); err == nil || len(readings) != 0 || !strings.Contains(err.Error(), "longer than 20 frames") {
		t.Errorf("frames without end: %v, %v", readings, err)
	}
}

// TestNoiseAndStrangers puts everything before the answer that a line may carry.
func TestNoiseAndStrangers(t *testing.T) {
	for name, before := range map[string]func(s *slave) []byte{
		"wake-up bytes":       func(*slave) []byte { return []byte{0xFE, 0xFE, 0xFE, 0xFE, 0xFE} },
		"noise":               func(*slave) []byte { return []byte{0x00, 0x68, 0x7F, 0x16, 0x33} },
		"another item":        func(s *slave) []byte { return s.answer(readData, 0x02010300, []byte{1, 2}) },
		"another meter":       func(*slave) []byte { return encode(Address{9}, 0x91, []byte{0, 1, 1, 2, 0, 0}) },
		"an answer of before": func(s *slave) []byte { return encode(s.address, 0x93, s.address.append(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := threeSlave(t)
			s.setHook(func(f Frame, di uint32) ([]byte, bool) {
				return append(before(s), s.answer(readData, di, s.items[di])...), true
			})
			m := mustSource(t, busTo(t, s.addr, Config{Retries: -1}), plate, mustParse(t, three))
			readings, err := m.Read(background(t))
			if got := byQuantity(readings); err != nil || len(got) != 4 || got["power.voltage.l1"] != "231.4" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestSpoiltAnswerIsRepeated spoils the first answer to each item.
func TestSpoiltAnswerIsRepeated(t *testing.T) {
	s := threeSlave(t)
	spoilt := map[uint32]bool{}
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		b := s.answer(readData, di, s.items[di])
		if !spoilt[di] {
			spoilt[di] = true
			b[len(b)-3] ^= 0x10
		}
		return b, true
	})
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, mustParse(t, three))
	readings, err := m.Read(background(t))
	if got := byQuantity(readings); err != nil || got["power.energy.import"] != "1234.56" || len(got) != 4 {
		t.Errorf("%v, %v", got, err)
	}
	m = mustSource(t, busTo(t, s.addr, Config{Retries: -1}), plate, mustParse(t, three))
	s.mu.Lock()
	clear(spoilt)
	s.mu.Unlock()
	readings, err = m.Read(background(t))
	var frame *line.FrameError
	if len(readings) != 0 || !errors.As(err, &frame) || adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("without repetition: %v, %v", readings, err)
	}
}

// TestFailedReadBeginsElsewhere shows that after an item without an answer the
// next read does not begin with it.
func TestFailedReadBeginsElsewhere(t *testing.T) {
	s := threeSlave(t)
	s.setHook(func(Frame, uint32) ([]byte, bool) { return nil, true })
	m := mustSource(t, busToSilence(t, s.addr, Config{Retries: -1}), plate, mustParse(t, three))
	for i, want := range []uint32{0x02010100, 0x0001FF00, 0x02030000, 0x02010100} {
		if _, err := m.Read(background(t)); adapters.ClassOf(err) != adapters.Transient {
			t.Fatal(err)
		}
		if asked := s.takeAsked(); len(asked) != 1 || asked[0] != want {
			t.Errorf("read %d asked %08X, want %08X", i, asked, want)
		}
	}
}

// TestTwoMeters shows that a wildcard address is held to one meter.
func TestTwoMeters(t *testing.T) {
	s := threeSlave(t)
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	b := busTo(t, s.addr, Config{Now: func() time.Time { return now }})
	m := mustSource(t, b, Anyone, mustParse(t, three))
	if readings, err := m.Read(background(t)); err != nil || len(readings) != 4 {
		t.Fatalf("%v, %v", readings, err)
	}
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		if di != 0x02030000 {
			return nil, false
		}
		return encode(Address{0x21, 0x82, 0x31, 0, 0x09, 0x99}, 0x91, append(appendDI(nil, di, 4), 1, 2, 3)), true
	})
	readings, err := m.Read(background(t))
	if _, has := byQuantity(readings)["power.active"]; has || len(readings) != 3 || adapters.ClassOf(err) != adapters.Config ||
		!strings.Contains(err.Error(), "two meters on the line: 218231000999 answers, and before 218231000114 did") {
		t.Errorf("%v, %v", readings, err)
	}
	// A meter that was exchanged is taken after an hour.
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		return encode(Address{0x21, 0x82, 0x31, 0, 0x09, 0x99}, 0x91, append(appendDI(nil, di, 4), s.items[di]...)), true
	})
	if readings, err := m.Read(background(t)); err == nil || len(readings) != 0 {
		t.Errorf("exchanged just now: %v, %v", readings, err)
	}
	now = now.Add(ask.ForgetAfter)
	if readings, err := m.Read(background(t)); err != nil || len(readings) != 4 {
		t.Errorf("exchanged an hour ago: %v, %v", readings, err)
	}
}

func TestReadAddress(t *testing.T) {
	s := newSlave(t)
	if got, err := busTo(t, s.addr, Config{}).ReadAddress(background(t)); err != nil || got != plate {
		t.Errorf("%s, %v", got, err)
	}
	s.setHook(func(Frame, uint32) ([]byte, bool) { return nil, true })
	var silent *line.NoAnswer
	if got, err := busToSilence(t, s.addr, Config{}).ReadAddress(background(t)); got != "" || !errors.As(err, &silent) {
		t.Errorf("nobody: %q, %v", got, err)
	}
}

// TestRead1997 reads by identifiers of two bytes.
func TestRead1997(t *testing.T) {
	s := newSlave(t)
	p := mustParse(t, "edition: 1997\nserial: 0xC032\nfields:\n  - {quantity: power.energy.import, di: 0x9010, bytes: 4, shift: -2}\n  - {quantity: power.voltage.l3, di: 0xB613, bytes: 2}\n")
	s.set(0x9010, low(t, "00000001"))
	s.set(0xB613, low(t, "0220"))
	s.set(0xC032, low(t, "000000000042"))
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, p)
	readings, err := m.Read(background(t))
	if got := byQuantity(readings); err != nil || got["power.energy.import"] != "0.01" || got["power.voltage.l3"] != "220" {
		t.Errorf("%v, %v", got, err)
	}
	if serial, err := m.ReadSerial(background(t)); err != nil || serial != "000000000042" {
		t.Errorf("%s, %v", serial, err)
	}
	s.setHook(func(f Frame, di uint32) ([]byte, bool) {
		return encode(s.address, fromMeter|moreFollows|readData1997, append(appendDI(nil, di, 2), s.items[di]...)), true
	})
	if readings, err := m.Read(background(t)); len(readings) != 0 || adapters.ClassOf(err) != adapters.Config {
		t.Errorf("more frames in 1997: %v, %v", readings, err)
	}
}

func TestSourceRefuses(t *testing.T) {
	p := mustParse(t, three)
	b := busTo(t, "127.0.0.1:1", Config{})
	bare := New(line.New(line.Config{Address: "127.0.0.1:1"}), Config{})
	for name, tt := range map[string]struct {
		bus     *Bus
		meter   schemas.MeterID
		address string
		want    string
	}{
		"meter id":     {b, "a b", plate, "meter"},
		"address":      {b, "M", "161", "twelve digits"},
		"line of none": {bare, "M", plate, "has no serial settings"},
	} {
		if _, err := tt.bus.Source(tt.meter, tt.address, p); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := *p
	bad.Edition = 2026
	if _, err := b.Source("M", plate, &bad); err == nil || !strings.Contains(err.Error(), "edition") {
		t.Errorf("profile: %v", err)
	}
}
