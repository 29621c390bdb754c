package schemas

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// wireEvents builds a sound batch of two events as plain maps, without the encoder
// under test, and lets a case spoil the second, which has every field.
func wireEvents(spoil func(batch, event body)) body {
	id := func(b byte) []byte { return []byte(strings.Repeat(string(b), eventIDBytes)) }
	first := body{1: id(1), 2: "line_offline", 3: "opened", 6: "riser 3", 7: int64(1772352002703), 8: int64(1772352002703), 12: 7}
	event := body{1: id(2), 2: "leak", 3: "cleared", 4: "m1", 5: "1101010010010101", 6: "l", 7: int64(1772352002702),
		8: int64(1772352002703), 9: "water.flow", 10: decimalTag(-2, 35), 11: decimalTag(-2, 1), 12: 1, 13: "n"}
	batch := body{0: 1, 1: "c-1", 2: "110101", 3: int64(1772352002704), 4: []any{first, event}}
	spoil(batch, event)
	return batch
}

var spoiltEvents = []struct {
	name, field string
	spoil       func(b, e body)
}{
	{"no format", "format", func(b, e body) { delete(b, 0) }},
	{"no collector", "collector", func(b, e body) { delete(b, 1) }},
	{"no area", "area", func(b, e body) { delete(b, 2) }},
	{"no sealed_at", "sealed_at", func(b, e body) { delete(b, 3) }},
	{"no events", "events", func(b, e body) { delete(b, 4) }},
	{"events empty", "events", func(b, e body) { b[4] = []any{} }},
	{"65 events", "events", func(b, e body) { b[4] = make([]int, 65) }},
	{"event is no map", "events[0]", func(b, e body) { b[4] = []any{7} }},
	{"unknown field", "key 5", func(b, e body) { b[5] = 1 }},
	{"event with an unknown field", "events[1].key 14", func(b, e body) { e[14] = 1 }},
	{"no id", "events[1].id", func(b, e body) { delete(e, 1) }},
	{"id of 15 bytes", "events[1].id", func(b, e body) { e[1] = make([]byte, 15) }},
	{"id of 17 bytes", "events[1].id", func(b, e body) { e[1] = make([]byte, 17) }},
	{"id as text", "events[1].id", func(b, e body) { e[1] = string(eventID1) }},
	{"no kind", "events[1].kind", func(b, e body) { delete(e, 2) }},
	{"unknown kind", "events[1].kind", func(b, e body) { e[2] = "flood" }},
	{"kind in capitals", "events[1].kind", func(b, e body) { e[2] = "Leak" }},
	{"kind that only the hub can tell", "events[1].kind", func(b, e body) { e[2] = "cell_outage" }},
	{"no phase", "events[1].phase", func(b, e body) { delete(e, 3) }},
	{"unknown phase", "events[1].phase", func(b, e body) { e[3] = "open" }},
	{"no subject", "events[1].meter", func(b, e body) { delete(e, 4); delete(e, 5); delete(e, 6) }},
	{"meter empty", "events[1].meter", func(b, e body) { e[4] = "" }},
	{"meter with a dot", "events[1].meter", func(b, e body) { e[4] = "m.1" }},
	{"component as number", "events[1].component", func(b, e body) { e[5] = 1101010010010101 }},
	{"component too long", "events[1].component", func(b, e body) { e[5] = strings.Repeat("1", 33) }},
	{"line empty", "events[1].line", func(b, e body) { e[6] = "" }},
	{"line with an escape", "events[1].line", func(b, e body) { e[6] = "\x1b[2J" }},
	{"no since", "events[1].since", func(b, e body) { delete(e, 7) }},
	{"since after taken_at", "events[1].since", func(b, e body) { e[7] = int64(1772352002704) }},
	{"since in 1970", "events[1].since", func(b, e body) { e[7] = 1 }},
	{"no taken_at", "events[1].taken_at", func(b, e body) { delete(e, 8) }},
	{"taken_at in 2200", "events[1].taken_at", func(b, e body) { e[8] = int64(7258118400000) }},
	{"quantity empty", "events[1].quantity", func(b, e body) { e[9] = "" }},
	{"unknown quantity", "events[1].quantity", func(b, e body) { e[9] = "water.colour" }},
	{"value of no quantity", "events[1].value", func(b, e body) { delete(e, 9) }},
	{"quantity without a value", "events[1].value", func(b, e body) { delete(e, 10) }},
	{"quantity without a limit", "events[1].limit", func(b, e body) { delete(e, 11) }},
	{"value as float", "events[1].value", func(b, e body) { e[10] = 0.35 }},
	{"limit with exponent 19", "events[1].limit", func(b, e body) { e[11] = decimalTag(19, 1) }},
	{"no affected", "events[1].affected", func(b, e body) { delete(e, 12) }},
	{"affected 0", "events[1].affected", func(b, e body) { e[12] = 0 }},
	{"affected above 32 bits", "events[1].affected", func(b, e body) { e[12] = uint64(math.MaxUint32 + 1) }},
	{"note empty", "events[1].note", func(b, e body) { e[13] = "" }},
	{"note of two lines", "events[1].note", func(b, e body) { e[13] = "a\nb" }},
	{"note too long", "events[1].note", func(b, e body) { e[13] = strings.Repeat("n", 257) }},
}

// spoiltEventBytes changes the bytes of eventByHand; old must occur once.
var spoiltEventBytes = []struct{ name, field, old, new string }{
	{"trailing byte", "", "0b" + "c482" + "2101" + "0c01", "0b" + "c482" + "2101" + "0c01" + "00"},
	{"event of indefinite length", "events[0]", "0481aa", "0481bf"},
	{"a thousand million events", "events", "0481aa", "049a3b9aca00aa"},
	{"id with a length of two bytes", "events[0].id", "0150" + "0123", "015810" + "0123"},
	{"since twice", "events[0].since", "081b", "071b"},
	{"affected in two bytes", "events[0].affected", "0c01", "0c1801"},
	{"value in four bytes", "events[0].value", "211823", "211a00000023"},
}

func eventRefusals(t testing.TB) []refusal {
	var rs []refusal
	for _, c := range spoiltEvents {
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: hex.EncodeToString(mustMarshal(t, wireEvents(c.spoil)))})
	}
	for _, c := range spoiltEventBytes {
		if strings.Count(eventByHand, c.old) != 1 {
			t.Fatalf("%s: %q occurs %d times", c.name, c.old, strings.Count(eventByHand, c.old))
		}
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: strings.Replace(eventByHand, c.old, c.new, 1)})
	}
	return rs
}

// eventNodes are the schemas of the parts of an event.
func eventNodes() node {
	return node{"line": lineNode(MaxEventLine), "note": lineNode(MaxEventNote),
		"affected": node{"type": "integer", "minimum": 1, "maximum": uint32(math.MaxUint32)}}
}

// eventsNodes are those of a batch, in which there is no outage of a cell.
func eventsNodes() node {
	one := node{"$ref": "event.schema.json", "properties": node{"kind": node{"not": node{"const": EventCellOutage}}}}
	return node{"events": node{"type": "array", "minItems": 1, "maxItems": MaxEvents, "items": one}}
}

// eventRules says which fields of an event go together.
func eventRules() []any {
	return []any{
		node{"anyOf": []any{node{"required": []string{"meter"}}, node{"required": []string{"component"}}, node{"required": []string{"line"}}}},
		node{"dependentRequired": node{"quantity": []string{"value", "limit"}, "value": []string{"quantity"}, "limit": []string{"quantity"}}},
	}
}

const (
	leakJSON = `{"id":"0123456789abcdef0123456789abcdef","kind":"leak","phase":"opened","meter":"m1","component":"1101010010010101","line":"riser 3",` +
		`"since":"2026-03-01T04:00:01.250Z","taken_at":"2026-03-01T08:00:01.250Z","quantity":"water.flow","value":"0.35","limit":"0.01","affected":1,"note":"all night"}`
	goneJSON = `{"id":"0123456789abcdef0123456789abcdef","kind":"gateway_offline","phase":"cleared","line":"riser 3",` +
		`"since":"2026-03-01T08:00:01.250Z","taken_at":"2026-03-01T08:00:01.250Z","affected":12}`
	eventsText = `{"collector":"c-1","area":"110101","sealed_at":"2026-03-01T08:00:02.000Z","events":[` + goneJSON + `]}`
)

func eventJSONRefusals() []jsonRefusal {
	return []jsonRefusal{
		{"event", leakJSON, `"id":"0123456789abcdef0123456789abcdef",`, ``, "id", false},
		{"event", leakJSON, `"0123456789abcdef`, `"0123456789ABCDEF`, "id", false},
		{"event", leakJSON, `"0123456789abcdef`, `"0123456789abcde`, "id", false},
		{"event", leakJSON, `"leak"`, `"flood"`, "kind", false},
		{"event", leakJSON, `"leak"`, `null`, "kind", false},
		{"event", leakJSON, `"opened"`, `"open"`, "phase", false},
		{"event", leakJSON, `"meter"`, `"Meter"`, "Meter", false},
		{"event", leakJSON, `"m1"`, `""`, "meter", false},
		{"event", leakJSON, `"1101010010010101"`, `1101010010010101`, "component", false},
		{"event", leakJSON, `"riser 3"`, `"riser\n3"`, "line", true},
		{"event", goneJSON, `"line":"riser 3",`, ``, "meter", false},
		{"event", leakJSON, `"since":"2026-03-01T04:00:01.250Z",`, ``, "since", false},
		{"event", leakJSON, `T04:00:01.250Z`, `T09:00:01.250Z`, "since", true},
		{"event", leakJSON, `T08:00:01.250Z`, `T08:00:01Z`, "taken_at", false},
		{"event", leakJSON, `water.flow`, `water.colour`, "quantity", false},
		{"event", leakJSON, `"quantity":"water.flow",`, ``, "limit", false},
		{"event", leakJSON, `"value":"0.35",`, ``, "value", false},
		{"event", leakJSON, `"limit":"0.01",`, ``, "limit", false},
		{"event", leakJSON, `"0.35"`, `0.35`, "value", false},
		{"event", leakJSON, `"0.01"`, `"1e-2"`, "limit", false},
		{"event", leakJSON, `"affected":1`, `"affected":0`, "affected", false},
		{"event", leakJSON, `"affected":1`, `"affected":4294967296`, "affected", false},
		{"event", leakJSON, `"affected":1,`, ``, "affected", false},
		{"event", leakJSON, `"all night"`, `""`, "note", false},
		{"event", leakJSON, `"all night"`, `"all night","case":1`, "case", false},
		{"events", eventsText, `gateway_offline`, `cell_outage`, "events[0].kind", false},
		{"events", eventsText, goneJSON, ``, "events", false},
		{"events", eventsText, `"affected":12`, `"affected":0`, "events[0].affected", false},
		{"events", eventsText, `110101`, `11010`, "area", false},
	}
}

func TestEventJSONForms(t *testing.T) {
	for _, doc := range []string{leakJSON, goneJSON} {
		var e ComponentEvent
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			t.Fatal(err)
		}
		if out, err := json.Marshal(e); err != nil || string(out) != doc {
			t.Errorf("got %s, %v, want %s", out, err, doc)
		}
	}
}
