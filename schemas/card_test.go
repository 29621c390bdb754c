package schemas

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sampleCards has one entry of every event, source, utility, unit and scheme,
// and one with every field that it may have.
func sampleCards() *CardBatch {
	fen := func(n int64) Credit { return Credit{n, CreditFen} }
	return &CardBatch{
		Collector: "col-0001", Area: "110101001", SealedAt: at2026(30),
		Entries: []CardEntry{
			{Event: CardSale, Source: FromReader, Utility: Power, MeterNumber: "112233445566", Issuer: "11010001",
				Card: "00112233AABBCCDD", Customer: "H_42", Purchase: PurchaseRef{BySequence, 3}, Amount: fen(5000),
				Terminal: "counter 7", TakenAt: at2026(1)},
			{Event: CardClear, Source: FromMemory, Utility: Gas, MeterNumber: "000000000001", Card: "0000000000000001",
				Purchase: PurchaseRef{BySequence, math.MaxUint32}, Amount: fen(0), TakenAt: at2026(2)},
			{Event: CardIssue, Source: FromReader, Utility: Water, MeterNumber: "000000000789", Card: "00112233AABBCCDE",
				Replaces: "00112233AABBCCDD", Customer: "H_42", Purchase: PurchaseRef{BySequence, 0}, TakenAt: at2026(3)},
			{Event: CardLoad, Source: FromDLT645, Utility: Power, Meter: "P_42", MeterNumber: "112233445566",
				InstalledAt: at2026(0), Issuer: "11010001", Card: "00112233AABBCCDD", Customer: "H_42",
				Purchase: PurchaseRef{BySequence, 3}, Amount: fen(5000), Residual: fen(-17), Overdraft: fen(17),
				Bought: fen(math.MaxInt64), Used: Credit{123456, CreditWh},
				Counters: map[CardCounter]uint32{IllegalCards: 0, Pulses: math.MaxUint32, StatusWord: 0x0102},
				Terminal: "col-0001/竖井 3", TakenAt: at2026(5), RecordedAt: at2026(4)},
			{Event: CardLoad, Source: FromModbus, Utility: Power, Meter: "P_43", Purchase: PurchaseRef{ByTID, MaxTID},
				Amount: Credit{1000000, CreditWh}, TakenAt: at2026(5)},
			{Event: CardRefusal, Source: FromModbus, Utility: Gas, Meter: "G7", Fault: FaultHoard, TakenAt: at2026(6)},
			{Event: CardReturn, Source: FromReader, Utility: Water, MeterNumber: "000000000789", Card: "00112233AABBCCDE",
				Residual: Credit{88000, CreditLitre}, Bought: Credit{99000, CreditLitre}, Used: Credit{11000, CreditLitre},
				TakenAt: at2026(7), RecordedAt: at2026(6)},
			{Event: CardState, Source: FromCJT188, Utility: Water, Meter: "11010100100000017",
				Residual: Credit{math.MinInt64, CreditFen}, Counters: map[CardCounter]uint32{StatusWord: 7}, TakenAt: at2026(8)},
			{Event: CardLoad, Source: FromCJT188, Utility: Water, Meter: "W-100", Purchase: PurchaseRef{BySequence, 100}, PurchaseModulus: 100,
				Amount: fen(5000), TakenAt: at2026(9)},
		},
	}
}

// largestCards is the longest batch that there can be.
func largestCards() *CardBatch {
	id := strings.Repeat("x", maxID)
	most := Credit{math.MaxInt64, CreditFen}
	b := &CardBatch{Collector: CollectorID(id), Area: "110101001003", SealedAt: at2026(59)}
	for range MaxCardEntries {
		b.Entries = append(b.Entries, CardEntry{Event: CardIssue, Source: FromReader, Utility: Water, Meter: MeterID(id),
			MeterNumber: "999999999999", InstalledAt: at2026(0), Issuer: "99999999", Card: "FFFFFFFFFFFFFFFF",
			Replaces: "EEEEEEEEEEEEEEEE", Customer: CustomerID(id), Purchase: PurchaseRef{BySequence, math.MaxUint32},
			Amount: most, Residual: most, Overdraft: most, Bought: most, Used: most,
			Counters: map[CardCounter]uint32{IllegalCards: math.MaxUint32, Pulses: math.MaxUint32, StatusWord: math.MaxUint32},
			Terminal: strings.Repeat("t", MaxTerminal), TakenAt: at2026(1), RecordedAt: at2026(1), PurchaseModulus: math.MaxUint32})
	}
	return b
}

// cardByHand is a batch of one load, written out from citygrid.cddl and RFC 8949
// without the encoder.
const cardByHand = "a5" + // map of 5
	"00" + "01" + // 0 format: 1
	"01" + "63" + "632d31" + // 1 collector: "c-1"
	"02" + "66" + "313130313031" + // 2 area: "110101"
	"03" + "1b" + "0000019ca8695a90" + // 3 sealed_at: 1772352002704
	"04" + "81" + // 4 entries: array of 1
	"a8" + // map of 8
	"01" + "64" + "6c6f6164" + // 1 event: "load"
	"02" + "66" + "646c74363435" + // 2 source: "dlt645"
	"03" + "65" + "706f776572" + // 3 utility: "power"
	"04" + "62" + "6d31" + // 4 meter: "m1"
	"0b" + "82" + "63" + "736571" + "03" + // 11 purchase: ["seq", 3]
	"0c" + "82" + "63" + "66656e" + "191388" + // 12 amount: ["fen", 5000]
	"11" + "a1" + "02" + "07" + // 17 counters: {2 (pulses): 7}
	"14" + "1b" + "0000019ca8695a8f" // 20 taken_at: 1772352002703

func TestCardBatchByHand(t *testing.T) {
	b := &CardBatch{Collector: "c-1", Area: "110101", SealedAt: time.UnixMilli(1772352002704).UTC(), Entries: []CardEntry{{
		Event: CardLoad, Source: FromDLT645, Utility: Power, Meter: "m1", Purchase: PurchaseRef{BySequence, 3},
		Amount: Credit{5000, CreditFen}, Counters: map[CardCounter]uint32{Pulses: 7}, TakenAt: time.UnixMilli(1772352002703).UTC()}}}
	if got := hex.EncodeToString(mustEncode(t, EncodeCardBatch, b)); got != cardByHand {
		t.Errorf("encoded\n%s, want\n%s", got, cardByHand)
	}
	for _, whole := range []*CardBatch{b, sampleCards(), largestCards()} {
		if got, err := DecodeCardBatch(mustEncode(t, EncodeCardBatch, whole)); err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("came back as %+v, %v", got, err)
		}
	}
}

// An envelope must stay below the packet limits of the brokers.
func TestLargestCardBatch(t *testing.T) {
	if n := len(mustEncode(t, EncodeCardBatch, largestCards())); n > 32_000 {
		t.Errorf("the largest batch takes %d bytes, want at most 32000", n)
	}
	typical := sampleCards()
	typical.Entries = typical.Entries[3:4]
	if n := len(mustEncode(t, EncodeCardBatch, typical)); n > 320 {
		t.Errorf("an entry with every field takes %d bytes, want at most 320", n)
	}
}

func TestCardBatchBytes(t *testing.T) {
	everyCutAndEveryByte(t, mustEncode(t, EncodeCardBatch, sampleCards()), DecodeCardBatch, EncodeCardBatch)
}

// An empty map of counters says nothing, and so is not another batch.
func TestEmptyCountersSayNothing(t *testing.T) {
	b := sampleCards()
	want := mustEncode(t, EncodeCardBatch, b)
	b.Entries[0].Counters = map[CardCounter]uint32{}
	if got := mustEncode(t, EncodeCardBatch, b); string(got) != string(want) {
		t.Errorf("%x, want %x", got, want)
	}
	out, err := json.Marshal(b.Entries[0])
	if err != nil || strings.Contains(string(out), "counters") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestCardBatchRefusals(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(b *CardBatch)
	}{
		{"collector", func(b *CardBatch) { b.Collector = "" }},
		{"area", func(b *CardBatch) { b.Area = "1" }},
		{"sealed_at", func(b *CardBatch) { b.SealedAt = time.Time{} }},
		{"entries", func(b *CardBatch) { b.Entries = nil }},
		{"entries", func(b *CardBatch) { b.Entries = make([]CardEntry, MaxCardEntries+1) }},
		{"entries[0].taken_at", func(b *CardBatch) { b.Entries[0].TakenAt = b.Entries[0].TakenAt.Add(time.Microsecond) }},
	} {
		b := sampleCards()
		c.spoil(b)
		dst, err := EncodeCardBatch([]byte("head"), b)
		if string(dst) != "head" {
			t.Errorf("%s: dst is %q", c.field, dst)
		}
		wantField(t, err, c.field)
	}
}

// TestCardEntryRules spoils a sound entry in one place each.
func TestCardEntryRules(t *testing.T) {
	byEvent := make(map[CardEvent]CardEntry)
	for _, e := range sampleCards().Entries {
		byEvent[e.Event] = e
	}
	full := sampleCards().Entries[3]
	one := Credit{1, CreditFen}
	for _, c := range []struct {
		name, field string
		base        CardEntry
		spoil       func(e *CardEntry)
	}{
		{"event", "event", full, func(e *CardEntry) { e.Event = "lost" }},
		{"no event", "event", full, func(e *CardEntry) { e.Event = "" }},
		{"source", "source", full, func(e *CardEntry) { e.Source = "rumour" }},
		{"utility", "utility", full, func(e *CardEntry) { e.Utility = Device }},
		{"no utility", "utility", full, func(e *CardEntry) { e.Utility = "" }},
		{"neither meter", "meter", full, func(e *CardEntry) { e.Meter, e.MeterNumber = "", "" }},
		{"meter", "meter", full, func(e *CardEntry) { e.Meter = "m/1" }},
		{"number of 11 digits", "meter_number", full, func(e *CardEntry) { e.MeterNumber = "12345678901" }},
		{"number with a letter", "meter_number", full, func(e *CardEntry) { e.MeterNumber = "12345678901A" }},
		{"installation of no meter", "installed_at", full, func(e *CardEntry) { e.Meter = "" }},
		{"installation in 1970", "installed_at", full, func(e *CardEntry) { e.InstalledAt = time.UnixMilli(1).UTC() }},
		{"issuer of 7 digits", "issuer", full, func(e *CardEntry) { e.Issuer = "1101000" }},
		{"issuer with a letter", "issuer", full, func(e *CardEntry) { e.Issuer = "1101000X" }},
		{"card in lower case", "card", full, func(e *CardEntry) { e.Card = "00112233aabbccdd" }},
		{"card of 14 digits", "card", full, func(e *CardEntry) { e.Card = "00112233AABBCC" }},
		{"replaces for a load", "replaces", full, func(e *CardEntry) { e.Replaces = "00112233AABBCCDD" }},
		{"replaces of 15 digits", "replaces", byEvent[CardIssue], func(e *CardEntry) { e.Replaces = "00112233AABBCCD" }},
		{"customer", "customer", full, func(e *CardEntry) { e.Customer = "Müller" }},
		{"scheme", "purchase.scheme", full, func(e *CardEntry) { e.Purchase.Scheme = "date" }},
		{"number without a scheme", "purchase.scheme", full, func(e *CardEntry) { e.Purchase.Scheme = "" }},
		{"purchase 0 of a load", "purchase.number", full, func(e *CardEntry) { e.Purchase.Number = 0 }},
		{"purchase 0 of a sale", "purchase.number", byEvent[CardSale], func(e *CardEntry) { e.Purchase.Number = 0 }},
		{"TID of 25 bits", "purchase.number", full, func(e *CardEntry) { e.Purchase = PurchaseRef{ByTID, MaxTID + 1} }},
		{"modulus 1", "purchase_modulus", full, func(e *CardEntry) { e.PurchaseModulus = 1 }},
		{"modulus below the number", "purchase_modulus", full, func(e *CardEntry) { e.PurchaseModulus = e.Purchase.Number - 1 }},
		{"modulus of a token", "purchase_modulus", full, func(e *CardEntry) { e.Purchase.Scheme, e.PurchaseModulus = ByTID, 100 }},
		{"modulus of no purchase", "purchase_modulus", byEvent[CardIssue], func(e *CardEntry) { e.Purchase, e.PurchaseModulus = PurchaseRef{}, 100 }},
		{"sale of nothing", "amount", byEvent[CardSale], func(e *CardEntry) { e.Amount = Credit{} }},
		{"clearing of nothing", "amount", byEvent[CardClear], func(e *CardEntry) { e.Amount = Credit{} }},
		{"load of nothing", "amount", full, func(e *CardEntry) { e.Amount = Credit{} }},
		{"amount of a state", "amount", byEvent[CardState], func(e *CardEntry) { e.Amount = one }},
		{"amount of a return", "amount", byEvent[CardReturn], func(e *CardEntry) { e.Amount = one }},
		{"amount below zero", "amount", full, func(e *CardEntry) { e.Amount.Value = -1 }},
		{"overdraft below zero", "overdraft", full, func(e *CardEntry) { e.Overdraft.Value = -1 }},
		{"unknown unit", "residual.unit", full, func(e *CardEntry) { e.Residual.Unit = "CNY" }},
		{"value without a unit", "bought.unit", full, func(e *CardEntry) { e.Bought.Unit = "" }},
		{"litres of power", "used.unit", full, func(e *CardEntry) { e.Used.Unit = CreditLitre }},
		{"watt-hours of water", "used.unit", byEvent[CardReturn], func(e *CardEntry) { e.Used.Unit = CreditWh }},
		{"unknown counter", "counters.counter", full, func(e *CardEntry) { e.Counters = map[CardCounter]uint32{"mood": 1} }},
		{"fault of a load", "fault", full, func(e *CardEntry) { e.Fault = FaultMAC }},
		{"refusal without a fault", "fault", byEvent[CardRefusal], func(e *CardEntry) { e.Fault = FaultNone }},
		{"fault 22", "fault", byEvent[CardRefusal], func(e *CardEntry) { e.Fault = FaultHoard + 1 }},
		{"terminal of two lines", "terminal", full, func(e *CardEntry) { e.Terminal = "a\nb" }},
		{"terminal too long", "terminal", full, func(e *CardEntry) { e.Terminal = strings.Repeat("t", MaxTerminal+1) }},
		{"no taken_at", "taken_at", full, func(e *CardEntry) { e.TakenAt = time.Time{} }},
		{"recorded_at in 1999", "recorded_at", full, func(e *CardEntry) { e.RecordedAt = at2026(0).AddDate(-30, 0, 0) }},
		{"recorded_at in microseconds", "recorded_at", full, func(e *CardEntry) { e.RecordedAt = e.RecordedAt.Add(time.Microsecond) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.base.Validate(); err != nil {
				t.Fatalf("the sound entry: %v", err)
			}
			e := c.base
			c.spoil(&e)
			wantField(t, e.Validate(), c.field)
			if _, err := json.Marshal(e); err == nil {
				t.Error("written as JSON")
			}
		})
	}
}

func TestCardListsAreCopies(t *testing.T) {
	CardEvents()[0], CardSources()[0], CardCounters()[0] = "x", "x", "x"
	if CardEvents()[0] != CardSale || CardSources()[0] != FromReader || CardCounters()[0] != IllegalCards {
		t.Error("a caller changed a table")
	}
	if len(counterFields) != len(cardCounterTable)+1 {
		t.Fatal("counters without a key")
	}
	for i, name := range cardCounterTable {
		if counterFields[i+1] != string(name) {
			t.Errorf("counter %d is %s on the wire, %s in the table", i+1, counterFields[i+1], name)
		}
	}
}

func TestTerminalText(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		" col-1/riser\n3 ":      "col-1/riser 3",
		strings.Repeat("表", 50): strings.Repeat("表", 41) + "...",
	} {
		if got := TerminalText(in); got != want || len(got) > MaxTerminal {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestIssuerCity(t *testing.T) {
	if c := IssuerID("11010001").City(); c != "1101" {
		t.Errorf("city %q", c)
	}
}

func TestParseFen(t *testing.T) {
	for in, want := range map[string]Fen{
		"50": 5000, "50.": -1, "50.5": 5050, "50.05": 5005, "-0.07": -7, "+1.00": 100, "0": 0, "-0": 0, "0.00": 0, "007": 700,
		"92233720368547758.07": math.MaxInt64, "-92233720368547758.08": math.MinInt64,
	} {
		got, err := ParseFen(in)
		if in == "50." {
			if err == nil {
				t.Errorf("%q is %d", in, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "-", "+", ".5", "+-1", "--1", "1-", "1.2.3", "1.234", "1.000", "1,000", "1e3", "1E3", " 1", "1 ", "¥1", "0x10", "1_0",
		"1.-5", "1.+5", "１", "92233720368547758.08", "-92233720368547758.09", "99999999999999999999", "NaN", "Inf",
	} {
		if got, err := ParseFen(in); err == nil || got != 0 || !strings.Contains(err.Error(), "amount") {
			t.Errorf("%q is %d, %v", in, got, err)
		}
	}
}

func TestFenString(t *testing.T) {
	for f, want := range map[Fen]string{
		0: "0.00", 1: "0.01", -7: "-0.07", 5000: "50.00", -12345: "-123.45",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		if f.String() != want {
			t.Errorf("%d is %q, want %q", int64(f), f, want)
		}
	}
}

// FuzzParseFen: what is accepted is written again as the same amount.
func FuzzParseFen(f *testing.F) {
	for _, s := range []string{"50", "50.5", "-0.07", "+1.00", "92233720368547758.07", "1.", "", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseFen(s)
		if err != nil {
			return
		}
		if again, err := ParseFen(v.String()); err != nil || again != v {
			t.Fatalf("%q is %d, written %q, read as %d, %v", s, v, v, again, err)
		}
	})
}

func FuzzDecodeCardBatch(f *testing.F) {
	f.Add(mustEncode(f, EncodeCardBatch, sampleCards()))
	for _, e := range sampleCards().Entries {
		b := sampleCards()
		b.Entries = []CardEntry{e}
		f.Add(mustEncode(f, EncodeCardBatch, b))
	}
	addNegatives(f, "cards")
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeCardBatch, EncodeCardBatch) })
}

func FuzzCardJSON(f *testing.F) {
	for _, e := range sampleCards().Entries {
		out, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out)
	}
	for _, c := range jsonRefusals {
		if c.kind == "card" {
			f.Add([]byte(strings.Replace(c.base, c.old, c.new, 1)))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again CardEntry
		if json.Unmarshal(data, &e) != nil {
			return
		}
		if err := e.Validate(); err != nil {
			t.Fatalf("accepted what Validate refuses: %v", err)
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%s came back as %+v, %v, want %+v", out, again, err, e)
		}
	})
}

func BenchmarkEncodeCardBatch(b *testing.B) {
	batch := sampleCards()
	dst := make([]byte, 0, 16384)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeCardBatch(dst, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch.Entries)), "ns/entry")
}

func BenchmarkDecodeCardBatch(b *testing.B) {
	data := mustEncode(b, EncodeCardBatch, sampleCards())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCardBatch(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(sampleCards().Entries)), "ns/entry")
}

func TestRecorded(t *testing.T) {
	china := time.FixedZone("UTC+8", 8*3600)
	for in, want := range map[time.Time]string{
		time.Date(2000, 1, 1, 0, 5, 0, 0, china):              "0001-01-01T00:00:00Z",
		time.Date(2000, 1, 1, 8, 0, 0, 0, china):              "2000-01-01T00:00:00Z",
		time.Date(2200, 1, 1, 7, 59, 59, 999_999_999, china):  "2199-12-31T23:59:59.999Z",
		time.Date(2200, 1, 1, 8, 0, 0, 0, china):              "0001-01-01T00:00:00Z",
		time.Date(2026, 3, 6, 14, 30, 0, 1_500_000, time.UTC): "2026-03-06T14:30:00.001Z",
		{}: "0001-01-01T00:00:00Z",
	} {
		if got := Recorded(in).Format(time.RFC3339Nano); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}
