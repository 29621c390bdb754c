package schemas

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const eventID1 = EventID("0123456789abcdef0123456789abcdef")

// sampleEvents has one event with every field, and one of every kind that a
// collector may send.
func sampleEvents() *EventBatch {
	b := &EventBatch{Collector: "col-0001", Area: "110101001", SealedAt: at2026(30), Events: []ComponentEvent{{
		ID: eventID1, Kind: EventLeak, Phase: EventOpened, Meter: "11010100100000017", Component: "11010100100112345",
		Line: "竖井 3", Since: at2026(0).Add(-4 * time.Hour), TakenAt: at2026(1), Quantity: "water.flow",
		Value: Decimal{35, -2}, Limit: Decimal{1, -2}, Affected: 1, Note: "the flow never came down to nothing between 02:00 and 05:00"}}}
	for i, kind := range EventKinds() {
		if kind == EventCellOutage || kind == EventLeak {
			continue
		}
		e := ComponentEvent{Kind: kind, Phase: EventOpened, Meter: "P_42", Since: at2026(1), TakenAt: at2026(2), Affected: 1}
		switch kind {
		case EventLineOffline, EventGatewayGone:
			e.Meter, e.Line, e.Affected = "", "cabinet-12", math.MaxUint32
		case EventCoverOpen:
			e.Meter, e.Component = "", "1101010010010101"
		case EventBatteryLow:
			e.Quantity, e.Value, e.Limit = "device.battery.voltage", Decimal{math.MinInt64, 18}, Decimal{}
		}
		e.TakenAt = e.TakenAt.Add(time.Duration(i) * time.Second)
		e.ID = EventID(fmt.Sprintf("%032x", i))
		b.Events = append(b.Events, e)
	}
	over := b.Events[0]
	over.Phase, over.TakenAt, over.Value, over.Note = EventCleared, at2026(29), Decimal{0, -2}, ""
	b.Events = append(b.Events, over)
	return b
}

// largestEvents is the longest batch that there can be.
func largestEvents() *EventBatch {
	id := strings.Repeat("x", maxID)
	b := &EventBatch{Collector: CollectorID(id), Area: "110101001003", SealedAt: at2026(59)}
	for range MaxEvents {
		b.Events = append(b.Events, ComponentEvent{ID: EventID(strings.Repeat("f", 32)), Kind: EventGatewayGone, Phase: EventCleared,
			Meter: MeterID(id), Component: ComponentID(id), Line: strings.Repeat("l", MaxEventLine), Since: at2026(1), TakenAt: at2026(1),
			Quantity: "power.energy.reactive.import", Value: Decimal{math.MaxInt64, -18}, Limit: Decimal{math.MinInt64, -18},
			Affected: math.MaxUint32, Note: strings.Repeat("n", MaxEventNote)})
	}
	return b
}

// eventByHand is a batch of one event, written out from citygrid.cddl and RFC 8949
// without the encoder.
const eventByHand = "a5" + // map of 5
	"00" + "01" + // 0 format: 1
	"01" + "63" + "632d31" + // 1 collector: "c-1"
	"02" + "66" + "313130313031" + // 2 area: "110101"
	"03" + "1b" + "0000019ca8695a90" + // 3 sealed_at: 1772352002704
	"04" + "81" + // 4 events: array of 1
	"aa" + // map of 10
	"01" + "50" + "0123456789abcdef0123456789abcdef" + // 1 id
	"02" + "64" + "6c65616b" + // 2 kind: "leak"
	"03" + "66" + "6f70656e6564" + // 3 phase: "opened"
	"04" + "62" + "6d31" + // 4 meter: "m1"
	"07" + "1b" + "0000019ca8695a8e" + // 7 since: 1772352002702
	"08" + "1b" + "0000019ca8695a8f" + // 8 taken_at: 1772352002703
	"09" + "6a" + "77617465722e666c6f77" + // 9 quantity: "water.flow"
	"0a" + "c4" + "82" + "21" + "1823" + // 10 value: 4([-2, 35])
	"0b" + "c4" + "82" + "21" + "01" + // 11 limit: 4([-2, 1])
	"0c" + "01" // 12 affected: 1

func TestEventBatchByHand(t *testing.T) {
	ms := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	b := &EventBatch{Collector: "c-1", Area: "110101", SealedAt: ms(1772352002704), Events: []ComponentEvent{{
		ID: eventID1, Kind: EventLeak, Phase: EventOpened, Meter: "m1", Since: ms(1772352002702), TakenAt: ms(1772352002703),
		Quantity: "water.flow", Value: Decimal{35, -2}, Limit: Decimal{1, -2}, Affected: 1}}}
	if got := hex.EncodeToString(mustEncode(t, EncodeEventBatch, b)); got != eventByHand {
		t.Errorf("encoded\n%s, want\n%s", got, eventByHand)
	}
	for _, whole := range []*EventBatch{b, sampleEvents(), largestEvents()} {
		if got, err := DecodeEventBatch(mustEncode(t, EncodeEventBatch, whole)); err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("came back as %+v, %v", got, err)
		}
	}
}

// An envelope must stay below the packet limits of the brokers.
func TestLargestEventBatch(t *testing.T) {
	if n := len(mustEncode(t, EncodeEventBatch, largestEvents())); n > 40_000 {
		t.Errorf("the largest batch takes %d bytes, want at most 40000", n)
	}
}

func TestEventBatchBytes(t *testing.T) {
	everyCutAndEveryByte(t, mustEncode(t, EncodeEventBatch, sampleEvents()), DecodeEventBatch, EncodeEventBatch)
}

func TestEventBatchRefusals(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(b *EventBatch)
	}{
		{"collector", func(b *EventBatch) { b.Collector = "" }},
		{"area", func(b *EventBatch) { b.Area = "1" }},
		{"sealed_at", func(b *EventBatch) { b.SealedAt = time.Time{} }},
		{"events", func(b *EventBatch) { b.Events = nil }},
		{"events", func(b *EventBatch) { b.Events = make([]ComponentEvent, MaxEvents+1) }},
		{"events[1].taken_at", func(b *EventBatch) { b.Events[1].TakenAt = b.Events[1].TakenAt.Add(time.Microsecond) }},
		{"events[0].kind", func(b *EventBatch) { b.Events[0].Kind = EventCellOutage }},
	} {
		b := sampleEvents()
		c.spoil(b)
		dst, err := EncodeEventBatch([]byte("head"), b)
		if string(dst) != "head" {
			t.Errorf("%s: dst is %q", c.field, dst)
		}
		wantField(t, err, c.field)
	}
}

// TestEventRules spoils a sound event in one place each.
func TestEventRules(t *testing.T) {
	for _, c := range []struct {
		name, field string
		spoil       func(e *ComponentEvent)
	}{
		{"no id", "id", func(e *ComponentEvent) { e.ID = "" }},
		{"id of 31 digits", "id", func(e *ComponentEvent) { e.ID = e.ID[1:] }},
		{"id of 33 digits", "id", func(e *ComponentEvent) { e.ID += "0" }},
		{"id in capitals", "id", func(e *ComponentEvent) { e.ID = EventID(strings.ToUpper(string(e.ID))) }},
		{"id with a g", "id", func(e *ComponentEvent) { e.ID = "g" + e.ID[1:] }},
		{"no kind", "kind", func(e *ComponentEvent) { e.Kind = "" }},
		{"kind", "kind", func(e *ComponentEvent) { e.Kind = "flood" }},
		{"no phase", "phase", func(e *ComponentEvent) { e.Phase = "" }},
		{"phase", "phase", func(e *ComponentEvent) { e.Phase = "Opened" }},
		{"no subject", "meter", func(e *ComponentEvent) { e.Meter, e.Component, e.Line = "", "", "" }},
		{"meter", "meter", func(e *ComponentEvent) { e.Meter = "m/1" }},
		{"component", "component", func(e *ComponentEvent) { e.Component = "11.01" }},
		{"component too long", "component", func(e *ComponentEvent) { e.Component = ComponentID(strings.Repeat("1", maxID+1)) }},
		{"line of two lines", "line", func(e *ComponentEvent) { e.Line = "a\nb" }},
		{"line too long", "line", func(e *ComponentEvent) { e.Line = strings.Repeat("l", MaxEventLine+1) }},
		{"no since", "since", func(e *ComponentEvent) { e.Since = time.Time{} }},
		{"since in microseconds", "since", func(e *ComponentEvent) { e.Since = e.Since.Add(time.Microsecond) }},
		{"since after taken_at", "since", func(e *ComponentEvent) { e.Since = e.TakenAt.Add(time.Millisecond) }},
		{"no taken_at", "taken_at", func(e *ComponentEvent) { e.TakenAt = time.Time{} }},
		{"taken_at in 2200", "taken_at", func(e *ComponentEvent) { e.TakenAt = e.TakenAt.AddDate(200, 0, 0) }},
		{"quantity", "quantity", func(e *ComponentEvent) { e.Quantity = "water.colour" }},
		{"value of no quantity", "value", func(e *ComponentEvent) { e.Quantity = "" }},
		{"limit of no quantity", "limit", func(e *ComponentEvent) { e.Quantity, e.Value = "", Decimal{} }},
		{"value", "value.exponent", func(e *ComponentEvent) { e.Value.Exponent = 19 }},
		{"limit", "limit.exponent", func(e *ComponentEvent) { e.Limit.Exponent = -19 }},
		{"affected", "affected", func(e *ComponentEvent) { e.Affected = 0 }},
		{"note that does not print", "note", func(e *ComponentEvent) { e.Note = "\x1b[2J" }},
		{"note too long", "note", func(e *ComponentEvent) { e.Note = strings.Repeat("n", MaxEventNote+1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := sampleEvents().Events[0]
			if err := e.Validate(); err != nil {
				t.Fatalf("the sound event: %v", err)
			}
			c.spoil(&e)
			wantField(t, e.Validate(), c.field)
			if _, err := json.Marshal(e); err == nil {
				t.Error("written as JSON")
			}
		})
	}
	outage := sampleEvents().Events[0]
	outage.Kind = EventCellOutage // the hub makes them
	if err := outage.Validate(); err != nil {
		t.Error(err)
	}
}

// The id follows from collector, kind, subject and moment alone, and from each.
func TestEventIDOf(t *testing.T) {
	base := sampleEvents().Events[0]
	id := EventIDOf("c1", &base)
	// printf '2:c1,4:leak,17:11010100100000017,17:11010100100112345,8:竖井 3,13:1772352001250,' | sha256sum
	if id != "bb0e1c4860fbdce39e50f1dfe03b0dc9" {
		t.Errorf("id %s", id)
	}
	same := base
	same.ID, same.Phase, same.Since, same.Value, same.Note, same.Affected = "", EventCleared, at2026(1), Decimal{}, "", 7
	if got := EventIDOf("c1", &same); got != id {
		t.Errorf("id %s, want %s", got, id)
	}
	seen := map[EventID]string{id: "the same"}
	for name, change := range map[string]func(c *CollectorID, e *ComponentEvent){
		"collector": func(c *CollectorID, e *ComponentEvent) { *c = "c2" },
		"kind":      func(c *CollectorID, e *ComponentEvent) { e.Kind = EventReverseFlow },
		"meter":     func(c *CollectorID, e *ComponentEvent) { e.Meter = "m" },
		"component": func(c *CollectorID, e *ComponentEvent) { e.Component = "" },
		"line":      func(c *CollectorID, e *ComponentEvent) { e.Line = "" },
		"moment":    func(c *CollectorID, e *ComponentEvent) { e.TakenAt = e.TakenAt.Add(time.Millisecond) },
		"subject moved to another field": func(c *CollectorID, e *ComponentEvent) {
			e.Meter, e.Component = MeterID(e.Component), ComponentID(e.Meter)
		},
	} {
		c, e := CollectorID("c1"), base
		change(&c, &e)
		got := EventIDOf(c, &e)
		if other, twice := seen[got]; twice || got.Validate() != nil {
			t.Errorf("%s: id %s is that of %s", name, got, other)
		}
		seen[got] = name
	}
}

func TestEventListsAreCopies(t *testing.T) {
	EventKinds()[0], EventPhases()[0] = "x", "x"
	if EventKinds()[0] != EventLeak || EventPhases()[0] != EventOpened {
		t.Error("a caller changed a table")
	}
}

func TestEventTexts(t *testing.T) {
	long := strings.Repeat("表", 100)
	for in, want := range map[string]string{"": "", " a\nb ": "a b", long: strings.Repeat("表", 84) + "..."} {
		if got := EventNote(in); got != want || len(got) > MaxEventNote {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := EventLine(long); got != strings.Repeat("表", 41)+"..." || len(got) > MaxEventLine {
		t.Errorf("line %q", got)
	}
}

// Every kind and every field has its row in the document, and the limits in it are
// the code's.
func TestEventsDocument(t *testing.T) {
	doc := readDoc(t, "events.md")
	kinds, fields, ok := strings.Cut(doc, "## Fields")
	if !ok {
		t.Fatal("events.md has no fields")
	}
	for _, k := range EventKinds() {
		if !strings.Contains(kinds, "\n| `"+string(k)+"` |") {
			t.Errorf("events.md lacks a row for %s", k)
		}
	}
	if got := strings.Count(kinds, "\n| `"); got != len(EventKinds()) {
		t.Errorf("events.md has %d kinds, the code %d", got, len(EventKinds()))
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(fields, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			named[name[1]] = true
		}
	}
	for _, name := range eventFields {
		if name != "" && !named[name] {
			t.Errorf("events.md lacks the field %s", name)
		}
		delete(named, name)
	}
	if len(named) > 0 {
		t.Errorf("events.md has fields that the code has not: %v", named)
	}
	for _, text := range []string{"1 to 64 events", "32 digits of `0-9 a-f`", "1 to 32 of `0-9 A-Z a-z _ -`", "1 to 128 bytes", "1 to 256 bytes"} {
		if !strings.Contains(doc, text) {
			t.Errorf("events.md lacks %q", text)
		}
	}
}

func FuzzDecodeEventBatch(f *testing.F) {
	f.Add(mustEncode(f, EncodeEventBatch, sampleEvents()))
	for _, e := range sampleEvents().Events {
		b := sampleEvents()
		b.Events = []ComponentEvent{e}
		f.Add(mustEncode(f, EncodeEventBatch, b))
	}
	addNegatives(f, "events")
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeEventBatch, EncodeEventBatch) })
}

func FuzzEventJSON(f *testing.F) {
	for _, e := range sampleEvents().Events {
		out, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out)
	}
	for _, c := range eventJSONRefusals() {
		f.Add([]byte(strings.Replace(c.base, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again ComponentEvent
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
		if err := json.Unmarshal(out, &again); err != nil || again != e {
			t.Fatalf("%s came back as %+v, %v, want %+v", out, again, err, e)
		}
	})
}

func BenchmarkDecodeEventBatch(b *testing.B) {
	data := mustEncode(b, EncodeEventBatch, sampleEvents())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEventBatch(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(sampleEvents().Events)), "ns/event")
}
