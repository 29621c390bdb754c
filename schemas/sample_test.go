package schemas

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the generated documents and vectors anew")

// golden compares a committed file with what the code makes of it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from the code; if the change is meant, run go test ./schemas -update and read the diff", path)
	}
}

// wantField checks that err names the field.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var fe *FieldError
	if !errors.As(err, &fe) {
		t.Fatalf("error %v, want a FieldError for %q", err, field)
	}
	if fe.Field != field {
		t.Errorf("field %q, want %q (%v)", fe.Field, field, err)
	}
}

func at2026(seconds int) time.Time {
	return time.Date(2026, 3, 1, 8, 0, seconds, 250e6, time.UTC)
}

func good(meter MeterID, q Quantity, m int64, e int8, second int) Reading {
	info, _ := q.Info()
	return Reading{Meter: meter, Quantity: q, Value: Decimal{m, e}, Unit: info.Unit, TakenAt: at2026(second)}
}

func flawed(r Reading, why Reason) Reading {
	r.Reason = why
	r.Quality, _ = why.Quality()
	if r.Quality == Missing {
		r.Value = Decimal{}
	}
	return r
}

func sampleBatch() *Batch {
	return &Batch{
		Collector: "col-0001", Area: "110101001", SealedAt: at2026(30),
		Readings: []Reading{
			good("11010100100000017", "water.volume.forward", 56486, -2, 1),
			flawed(good("11010100100000017", "water.flow", -3, 0, 1), ReasonRange),
			flawed(good("11010100100000017", "water.pressure", 0, 0, 1), ReasonSentinel),
			good("P_42", "power.voltage.l1", 2302, -1, 2),
			good("P_42", "power.energy.import", 9223372036854775807, -18, 3),
			good("11010100100000017", "water.valve.state", 1, 0, 3),
			flawed(good("G7", "gas.volume.standard", -9223372036854775808, 18, 4), ReasonRollback),
		},
	}
}

// sampleOrigins has live readings, and records of the meter's own memory, of one
// meter and partly of one moment.
func sampleOrigins() *Batch {
	from := func(o Origin, r Reading) Reading { r.Origin = o; return r }
	energy := good("P_42", "power.energy.import", 123456, -2, 0)
	return &Batch{
		Collector: "col-0001", Area: "110101001", SealedAt: at2026(30),
		Readings: []Reading{
			energy,
			from(DailyFreeze, energy),
			from(DailyFreeze, good("P_42", "power.energy.import.t1", 23456, -2, 0)),
			from(MonthlyFreeze, energy),
			flawed(from(LoadRecord, energy), ReasonClock),
			flawed(from(LoadRecord, good("P_42", "power.active", 0, 0, 0)), ReasonBadBCD),
			flawed(good("P_42", "power.energy.import", 0, 0, 1), ReasonReset),
		},
	}
}

// batchOf returns a batch as an ordinary cabinet makes it: n readings, ten of
// each meter at one moment, ids of 17 digits.
func batchOf(n int) *Batch {
	quantities := []Quantity{"power.energy.import", "power.energy.export", "power.energy.reactive.import",
		"power.active", "power.voltage.l1", "power.voltage.l2", "power.voltage.l3",
		"power.current.l1", "power.current.l2", "power.factor"}
	b := &Batch{Collector: "collector-1101-07", Area: "110101001003", SealedAt: at2026(59)}
	for i := range n {
		id := MeterID("110101001000000") + MeterID(rune('0'+i/10%10)) + MeterID(rune('0'+i/100))
		b.Readings = append(b.Readings, good(id, quantities[i%10], 123456789+int64(i), -3, i/10%60))
	}
	return b
}

func sampleStatus() *Status {
	return &Status{
		Collector: "col-0001", Area: "110101", At: at2026(20), StartedAt: at2026(0), Version: "0.1.0+abc",
		ReadsPlanned: 100, ReadsDone: 96, ReadsFailed: 3, ReadsMissed: 1, ValuesRead: 960,
		EnvelopesSealed: 40, EnvelopesPublished: 43, EnvelopesFreed: 28,
		SpoolRecords: 12, SpoolBytes: 70000, SpoolQuota: MaxCount, SpoolFull: true, FailingTotal: 5,
		Failing: []MeterFault{
			{Meter: "P_42", Since: at2026(3), Error: "read 10 registers from 0x0000: no answer in 1s"},
			{Meter: "G7", Since: at2026(4), Error: "表 7: 异常码 2"},
		},
	}
}

func sampleHealth() *Status {
	s := sampleStatus()
	s.Health = []MeterHealth{
		{Meter: "P_42", Planned: 96, Error: "no answer in 1s"},
		{Meter: "G7", Planned: 96, Read: 95, Drift: -MaxDrift, DriftKnown: true, Error: "表 7: 异常码 2"},
		{Meter: "11010100100000017", Planned: MaxCount, Read: MaxCount, DriftKnown: true},
	}
	return s
}

// sampleFrames has every field of a status, and the bounds of an exchange.
func sampleFrames() *Status {
	s := sampleHealth()
	s.KeyGeneration, s.CertificateEnds, s.SpoolDropped = 0x0102, at2026(59), MaxCount
	long := bytes.Repeat([]byte{0xA5}, MaxFrameBytes)
	s.Failing[0].Cause = CauseNoAnswer
	s.Failing[0].Exchange = &Exchange{At: at2026(5), Protocol: DLT645, Sent: []byte{0x68, 0x17, 0x16}}
	s.Failing[1].Exchange = &Exchange{At: at2026(6), Protocol: ModbusRTU, Sent: long, Received: long, SentCut: 1, ReceivedCut: MaxFrameCut}
	s.Lines = []LineStatus{
		{Name: "cabinet-12", Kind: LineModbusTCP, Address: "10.0.0.5:502", Meters: 12, Planned: 1152, Read: 1151, Used: 340},
		{Name: "楼道 3", Kind: LineSerial, Address: "/dev/ttyS0", Planned: MaxCount, Read: 0, Used: MaxUsed},
	}
	return s
}

func sampleReceipt() *Receipt {
	return &Receipt{
		Collector: "col-0001", Boot: 7, Random: [8]byte{0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff},
		Stored: []SeqRange{{0, 0}, {2, 5}, {1000, 4294967295}},
	}
}
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sampleAccounts is a batch of accounts alone: one whole hour, one with every loss.
func sampleAccounts() *Batch {
	hour := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	all := SlotAccount{Meter: "m2", Hour: hour, Interval: 10 * time.Second, Offset: 250 * time.Millisecond, First: 12, Planned: 348,
		Since: hour.Add(120250 * time.Millisecond)}
	for i, loss := range lossTable {
		all.Missing = append(all.Missing, SlotSpan{From: uint32(12 + 20*i), Slots: uint32(1 + i), Loss: loss})
	}
	return &Batch{Collector: "c-1", Area: "110101", SealedAt: at2026(2), Accounts: []SlotAccount{
		{Meter: "m1", Hour: hour, Interval: time.Minute, Planned: 60}, all}}
}

// sampleBoth is one reading with the account of the hour before.
func sampleBoth() *Batch {
	b := sampleAccounts()
	b.Readings = sampleBatch().Readings[:1]
	b.Accounts = b.Accounts[:1]
	b.Accounts[0].Missing = []SlotSpan{{0, 3, LossBusy}, {3, 57, LossSilent}}
	return b
}

func sampleCommand() *Command {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return &Command{Collector: "c-1", At: at2026(2), Refill: []Refill{{"m1", from, from.Add(time.Hour)}, {"m2", from.Add(-24 * time.Hour), from.Add(250 * time.Millisecond)}}}
}
