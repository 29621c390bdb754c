package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// vector is a message in both forms; bytes are lower-case hex.
type vector struct {
	Name string          `json:"name"`
	JSON json.RawMessage `json:"json"`
	CBOR string          `json:"cbor"`
}

// refusal is a message that a decoder must refuse, naming the field.
type refusal struct {
	Name  string `json:"name"`
	CBOR  string `json:"cbor"`
	Field string `json:"field"`
	Error string `json:"error"`
}

func vectorPath(name string) string { return filepath.Join("testdata", "vectors", name+".json") }

func writeVectors(t *testing.T, name string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	golden(t, vectorPath(name), buf.Bytes())
}

func readVectors(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(vectorPath(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func TestVectors(t *testing.T) {
	one := sampleBatch()
	one.Readings = one.Readings[:1]
	calm := sampleStatus()
	calm.Failing, calm.FailingTotal, calm.SpoolFull = nil, 0, false
	single := sampleReceipt()
	single.Stored = []SeqRange{{5, 5}}
	checkVectors(t, "batch", DecodeBatch, EncodeBatch, map[string]*Batch{
		"one reading": one, "all qualities, groups and extremes": sampleBatch(), "a cabinet of 30": batchOf(30),
		"live readings, freezes and load records": sampleOrigins(),
		"accounts of two meters alone":            sampleAccounts(), "a reading and an account": sampleBoth()})
	checkVectors(t, "command", DecodeCommand, EncodeCommand, map[string]*Command{"two times to refill": sampleCommand()})
	checkVectors(t, "status", DecodeStatus, EncodeStatus, map[string]*Status{
		"no meter fails": calm, "spool full, two of five failing": sampleStatus(),
		"the health of three meters": sampleHealth(), "frames, lines, key and certificate": sampleFrames()})
	checkVectors(t, "receipt", DecodeReceipt, EncodeReceipt, map[string]*Receipt{
		"one envelope": single, "three ranges up to the last number": sampleReceipt()})
	leak := sampleEvents()
	leak.Events = leak.Events[:1]
	checkVectors(t, "events", DecodeEventBatch, EncodeEventBatch, map[string]*EventBatch{
		"a leak with every field": leak, "every kind of a collector, both phases": sampleEvents()})
	load := sampleCards()
	load.Entries = load.Entries[3:4]
	checkVectors(t, "cards", DecodeCardBatch, EncodeCardBatch, map[string]*CardBatch{
		"a load with every field": load, "every event, source, utility and unit": sampleCards()})
}

func checkVectors[T any](t *testing.T, kind string, decode func([]byte) (*T, error), encode func([]byte, *T) ([]byte, error), samples map[string]*T) {
	if *update {
		var vs []vector
		for _, name := range sortedKeys(samples) {
			j, err := json.Marshal(samples[name])
			if err != nil {
				t.Fatal(err)
			}
			vs = append(vs, vector{name, j, hex.EncodeToString(mustEncode(t, encode, samples[name]))})
		}
		writeVectors(t, kind, vs)
	}
	var vs []vector
	readVectors(t, kind, &vs)
	if len(vs) != len(samples) {
		t.Errorf("%s: %d vectors, %d samples", kind, len(vs), len(samples))
	}
	for _, v := range vs {
		t.Run(kind+"/"+v.Name, func(t *testing.T) { checkVector(t, v, decode, encode, samples[v.Name]) })
	}
}

func checkVector[T any](t *testing.T, v vector, decode func([]byte) (*T, error), encode func([]byte, *T) ([]byte, error), sample *T) {
	raw, err := hex.DecodeString(v.CBOR)
	if err != nil {
		t.Fatal(err)
	}
	fromCBOR, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromCBOR, sample) {
		t.Errorf("decoded %+v, want %+v", fromCBOR, sample)
	}
	if got := mustEncode(t, encode, sample); !bytes.Equal(got, raw) {
		t.Errorf("encoded %x, want %s", got, v.CBOR)
	}
	written, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, v.JSON); err != nil || compact.String() != string(written) {
		t.Errorf("JSON %s, want %s", written, compact.String())
	}
	fromJSON := new(T)
	if err := json.Unmarshal(v.JSON, fromJSON); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(fromJSON)
	if err != nil || string(again) != string(written) {
		t.Errorf("JSON read and written again is %s, %v, want %s", again, err, written)
	}
}

type body = map[int]any

func decimalTag(e, m any) cbor.Tag { return cbor.Tag{Number: 4, Content: []any{e, m}} }

// wireBatch builds a sound batch of two groups as plain maps, without the
// encoder under test, and lets a case spoil it.
func wireBatch(spoil func(batch, group, reading body)) body {
	reading := body{1: "water.flow", 2: "m3/h", 3: 0, 5: decimalTag(-2, 999)}
	other := body{1: "water.pressure", 2: "kPa", 3: 2, 4: "sentinel"}
	group := body{1: "m1", 2: int64(1772352002703), 3: []any{other, reading}}
	first := body{1: "m0", 2: int64(1772352002703), 3: []any{body{1: "water.flow", 2: "m3/h", 3: 1, 4: "range", 5: decimalTag(0, -7)}}}
	batch := body{0: 1, 1: "c-1", 2: "110101", 3: int64(1772352002704), 4: []any{first, group}}
	spoil(batch, group, reading)
	return batch
}

// account gives the batch an account, spoilt.
func account(spoil func(a body)) func(b, g, r body) {
	return func(b, _, _ body) {
		a := body{1: "m1", 2: int64(1772348400000), 3: 60000, 6: 60}
		spoil(a)
		b[5] = []any{a}
	}
}

type spoiltBatch struct {
	name, field string
	spoil       func(b, g, r body)
}

// The reading that the cases spoil is number 2, in group 1.
var spoiltBatches = []spoiltBatch{
	{"no format", "format", func(b, g, r body) { delete(b, 0) }},
	{"format as text", "format", func(b, g, r body) { b[0] = "1" }},
	{"no collector", "collector", func(b, g, r body) { delete(b, 1) }},
	{"collector with a slash", "collector", func(b, g, r body) { b[1] = "a/b" }},
	{"collector too long", "collector", func(b, g, r body) { b[1] = strings.Repeat("c", 33) }},
	{"collector as bytes", "collector", func(b, g, r body) { b[1] = []byte("c-1") }},
	{"area of five digits", "area", func(b, g, r body) { b[2] = "11010" }},
	{"area as number", "area", func(b, g, r body) { b[2] = 110101 }},
	{"no sealed_at", "sealed_at", func(b, g, r body) { delete(b, 3) }},
	{"sealed_at in 1970", "sealed_at", func(b, g, r body) { b[3] = 1000 }},
	{"sealed_at as float", "sealed_at", func(b, g, r body) { b[3] = 1.5 }},
	{"no groups", "groups", func(b, g, r body) { delete(b, 4) }},
	{"groups empty", "readings", func(b, g, r body) { b[4] = []any{} }},
	{"unknown field", "key 9", func(b, g, r body) { b[9] = 1 }},
	{"accounts empty", "accounts", func(b, g, r body) { b[5] = []any{} }},
	{"account of a meter with a slash", "accounts[0].meter", account(func(a body) { a[1] = "m/1" })},
	{"account of half an hour", "accounts[0].hour", account(func(a body) { a[2] = int64(1772350200000) })},
	{"account without an interval", "accounts[0].interval_ms", account(func(a body) { delete(a, 3) })},
	{"account of an interval of 99 ms", "accounts[0].interval_ms", account(func(a body) { a[3] = 99 })},
	{"offset as long as the interval", "accounts[0].offset_ms", account(func(a body) { a[4] = 60000 })},
	{"offset of 0", "accounts[0].offset_ms", account(func(a body) { a[4] = 0 })},
	{"first of 0", "accounts[0].first", account(func(a body) { a[5] = 0 })},
	{"first beyond the hour", "accounts[0].first", account(func(a body) { a[5] = 60 })},
	{"nothing planned", "accounts[0].planned", account(func(a body) { a[6] = 0 })},
	{"more planned than the hour has", "accounts[0].planned", account(func(a body) { a[5], a[6] = 1, 60 })},
	{"missing empty", "accounts[0].missing", account(func(a body) { a[7] = []any{} })},
	{"missing without a loss", "accounts[0].missing[0]", account(func(a body) { a[7] = []any{[]any{0, 1}} })},
	{"missing with an unknown loss", "accounts[0].missing[0]", account(func(a body) { a[7] = []any{[]any{0, 1, "mood"}} })},
	{"missing of no slots", "accounts[0].missing[0]", account(func(a body) { a[7] = []any{[]any{0, 0, "line_busy"}} })},
	{"missing beyond what is planned", "accounts[0].missing[0]", account(func(a body) { a[7] = []any{[]any{59, 2, "line_busy"}} })},
	{"missing that overlap", "accounts[0].missing[1]", account(func(a body) { a[7] = []any{[]any{0, 2, "line_busy"}, []any{1, 2, "line_down"}} })},
	{"missing that should be one", "accounts[0].missing[1]", account(func(a body) { a[7] = []any{[]any{0, 2, "line_busy"}, []any{2, 2, "line_busy"}} })},
	{"since after the first slot", "accounts[0].since", account(func(a body) { a[8] = a[2].(int64) + 1 })},
	{"since in 1970", "accounts[0].since", account(func(a body) { a[8] = 1000 })},
	{"since as text", "accounts[0].since", account(func(a body) { a[8] = "2026" })},
	{"account with an unknown field", "accounts[0].key 9", account(func(a body) { a[9] = 1 })},
	{"negative key", "key", func(b, g, r body) { b[-1] = 1 }},
	{"no meter", "groups[1].meter", func(b, g, r body) { delete(g, 1) }},
	{"meter as number", "groups[1].meter", func(b, g, r body) { g[1] = 7 }},
	{"meter empty", "readings[1].meter", func(b, g, r body) { g[1] = "" }},
	{"meter with a dot", "readings[1].meter", func(b, g, r body) { g[1] = "m.1" }},
	{"no taken_at", "groups[1].taken_at", func(b, g, r body) { delete(g, 2) }},
	{"taken_at in 2200", "readings[1].taken_at", func(b, g, r body) { g[2] = int64(7258118400000) }},
	{"taken_at beyond int64", "groups[1].taken_at", func(b, g, r body) { g[2] = uint64(1 << 63) }},
	{"group empty", "groups[1].readings", func(b, g, r body) { g[3] = []any{} }},
	{"group that should join the one before", "groups[1]", func(b, g, r body) { g[1] = "m0" }},
	{"group with an unknown field", "groups[1].key 5", func(b, g, r body) { g[5] = 1 }},
	{"origin that is not known", "groups[1].origin", func(b, g, r body) { g[4] = "weekly_freeze" }},
	{"origin empty", "groups[1].origin", func(b, g, r body) { g[4] = "" }},
	{"origin as number", "groups[1].origin", func(b, g, r body) { g[4] = 1 }},
	{"group of the same origin that should join", "groups[1]", func(b, g, r body) {
		g[1], g[4] = "m0", "load_record"
		b[4].([]any)[0].(body)[4] = "load_record"
	}},
	{"group is no map", "groups[1]", func(b, g, r body) { b[4].([]any)[1] = 1 }},
	{"reading is no map", "readings[2]", func(b, g, r body) { g[3].([]any)[1] = "x" }},
	{"no quantity", "readings[2].quantity", func(b, g, r body) { delete(r, 1) }},
	{"unknown quantity", "readings[2].quantity", func(b, g, r body) { r[1] = "water.colour" }},
	{"no unit", "readings[2].unit", func(b, g, r body) { delete(r, 2) }},
	{"wrong unit", "readings[2].unit", func(b, g, r body) { r[2] = "L/h" }},
	{"no quality", "readings[2].quality", func(b, g, r body) { delete(r, 3) }},
	{"unknown quality", "readings[2].quality", func(b, g, r body) { r[3] = 3 }},
	{"quality as bool", "readings[2].quality", func(b, g, r body) { r[3] = false }},
	{"good with a reason", "readings[2].reason", func(b, g, r body) { r[4] = "range" }},
	{"suspect without a reason", "readings[2].reason", func(b, g, r body) { r[3] = 1 }},
	{"suspect with a reason for missing", "readings[2].reason", func(b, g, r body) { r[3], r[4] = 1, "nan" }},
	{"unknown reason", "readings[2].reason", func(b, g, r body) { r[3], r[4] = 1, "mood" }},
	{"missing with a value", "readings[2].value", func(b, g, r body) { r[3], r[4] = 2, "nan" }},
	{"good without a value", "readings[2].value", func(b, g, r body) { delete(r, 5) }},
	{"value as a plain number", "readings[2].value", func(b, g, r body) { r[5] = 10 }},
	{"value as float", "readings[2].value", func(b, g, r body) { r[5] = 9.99 }},
	{"value as big float", "readings[2].value", func(b, g, r body) { r[5] = cbor.Tag{Number: 5, Content: []any{-2, 999}} }},
	{"value of three parts", "readings[2].value", func(b, g, r body) { r[5] = cbor.Tag{Number: 4, Content: []any{-2, 999, 0}} }},
	{"value of one part", "readings[2].value", func(b, g, r body) { r[5] = cbor.Tag{Number: 4, Content: []any{-2}} }},
	{"exponent 19", "readings[2].value", func(b, g, r body) { r[5] = decimalTag(19, 1) }},
	{"exponent -19", "readings[2].value", func(b, g, r body) { r[5] = decimalTag(-19, 1) }},
	{"exponent 256, which is 0 in eight bits", "readings[2].value", func(b, g, r body) { r[5] = decimalTag(256, 1) }},
	{"mantissa beyond int64", "readings[2].value", func(b, g, r body) { r[5] = decimalTag(0, uint64(1<<63)) }},
	{"reading with an unknown field", "readings[2].key 6", func(b, g, r body) { r[6] = 1 }},
}

// spoiltBytes changes the bytes of byHand; old must occur once.
var spoiltBytes = []struct{ name, field, old, new string }{
	{"nothing", "", byHand, ""},
	{"an array", "", byHand, "80"},
	{"trailing byte", "", "1903e7", "1903e700"},
	{"map of indefinite length", "", "a50001", "bf0001"},
	{"groups of indefinite length", "groups", "0481a3", "049fa3"},
	{"format in two bytes", "format", "a50001", "a5001801"},
	{"key in two bytes", "key", "0163632d31", "180163632d31"},
	{"collector's length in two bytes", "collector", "63632d31", "7803632d31"},
	{"mantissa cut short", "readings[0].value", "1903e7", "1903"},
	{"value missing at the end", "readings[0].value", "05c482211903e7", ""},
	{"mantissa in four bytes", "readings[0].value", "1903e7", "1a000003e7"},
	{"mantissa in two bytes where one does", "readings[0].value", "1903e7", "1900e7"},
	{"exponent in two bytes", "readings[0].value", "8221", "823801"},
	{"quality in two bytes", "readings[0].quality", "030005", "03180005"},
	{"reserved additional information", "format", "a50001", "a5001c"},
	{"collector twice", "collector", "0266313130313031", "0163632d31"},
	{"area before collector", "collector", "0163632d31" + "0266313130313031", "0266313130313031" + "0163632d31"},
	{"collector again after area", "collector", "031b0000", "0163632d31" + "031b0000"},
	{"area twice", "area", "031b0000", "0266313130313031" + "031b0000"},
	{"invalid UTF-8", "collector", "63632d31", "63ff2d31"},
	{"a thousand million groups", "groups", "0481a3", "049a3b9aca00a3"},
	{"256 groups in a short message", "groups", "0481a3", "04990100a3"},
	{"257 readings", "groups[0].readings", "0381a4", "03990101a4"},
	{"an id of 4 GB", "collector", "63632d31", "7affffffff632d31"},
	{"a length of 2^64-1", "collector", "63632d31", "7bffffffffffffffff632d31"},
}

func batchRefusals(t testing.TB) []refusal {
	var rs []refusal
	for _, c := range spoiltBatches {
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: hex.EncodeToString(mustMarshal(t, wireBatch(c.spoil)))})
	}
	for _, c := range spoiltBytes {
		if strings.Count(byHand, c.old) != 1 {
			t.Fatalf("%s: %q occurs %d times", c.name, c.old, strings.Count(byHand, c.old))
		}
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: strings.Replace(byHand, c.old, c.new, 1)})
	}
	return rs
}

func wireStatus() body {
	s := body{0: 1, 1: "c-1", 2: "110101", 3: int64(1772352002704), 4: int64(1772352002704), 5: "v1", 17: false, 18: 2,
		19: []any{body{1: "m1", 2: int64(1772352002704), 3: "no answer"}, body{1: "m2", 2: int64(1772352002704), 3: "no answer"}}}
	for k := 6; k <= 16; k++ {
		s[k] = k * 100
	}
	return s
}

var spoiltStatuses = []struct {
	name, field string
	spoil       func(s, fault body)
}{
	{"no started_at", "started_at", func(s, f body) { delete(s, 4) }},
	{"version empty", "version", func(s, f body) { s[5] = "" }},
	{"version of two lines", "version", func(s, f body) { s[5] = "a\nb" }},
	{"version too long", "version", func(s, f body) { s[5] = strings.Repeat("v", 65) }},
	{"no reads_planned", "reads_planned", func(s, f body) { delete(s, 6) }},
	{"negative counter", "reads_failed", func(s, f body) { s[8] = -1 }},
	{"counter above 2^53-1", "values_read", func(s, f body) { s[10] = uint64(1 << 53) }},
	{"no envelopes_sealed", "envelopes_sealed", func(s, f body) { delete(s, 11) }},
	{"envelopes_published as text", "envelopes_published", func(s, f body) { s[12] = "1" }},
	{"envelopes_freed above 2^53-1", "envelopes_freed", func(s, f body) { s[13] = uint64(1 << 53) }},
	{"spool_full as number", "spool_full", func(s, f body) { s[17] = 1 }},
	{"spool_full null", "spool_full", func(s, f body) { s[17] = nil }},
	{"spool_full as float", "spool_full", func(s, f body) { s[17] = 1.5 }},
	{"failing_total above 32 bits", "failing_total", func(s, f body) { s[18] = uint64(1 << 32) }},
	{"failing_total too low", "failing_total", func(s, f body) { s[18] = 1 }},
	{"fault without a meter", "failing[1].meter", func(s, f body) { delete(f, 1) }},
	{"fault listed twice", "failing[1].meter", func(s, f body) { f[1] = "m1" }},
	{"fault since 1970", "failing[1].since", func(s, f body) { f[2] = 0 }},
	{"fault without a text", "failing[1].error", func(s, f body) { f[3] = "" }},
	{"fault with an escape", "failing[1].error", func(s, f body) { f[3] = "\x1b[2J" }},
	{"fault with an unknown field", "failing[1].key 6", func(s, f body) { f[6] = 1 }},
	{"cause that is not known", "failing[1].cause", func(s, f body) { f[4] = "mood" }},
	{"cause empty", "failing[1].cause", func(s, f body) { f[4] = "" }},
	{"exchange as bytes", "failing[1].exchange", func(s, f body) { f[5] = []byte{1} }},
	{"exchange in 1970", "failing[1].exchange.at", withExchange(func(e body) { e[1] = 0 })},
	{"exchange without a protocol", "failing[1].exchange.protocol", withExchange(func(e body) { delete(e, 2) })},
	{"exchange of an unknown protocol", "failing[1].exchange.protocol", withExchange(func(e body) { e[2] = "mbus" })},
	{"exchange without sent", "failing[1].exchange.sent", withExchange(func(e body) { delete(e, 3) })},
	{"sent as text", "failing[1].exchange.sent", withExchange(func(e body) { e[3] = "68" })},
	{"257 bytes received", "failing[1].exchange.received", withExchange(func(e body) { e[4] = make([]byte, 257) })},
	{"nothing sent and nothing received", "failing[1].exchange.received", withExchange(func(e body) { e[3], e[4] = []byte{}, []byte{} })},
	{"cut of 0", "failing[1].exchange.received_cut", withExchange(func(e body) { e[4], e[6] = make([]byte, 256), 0 })},
	{"cut above 65535", "failing[1].exchange.sent_cut", withExchange(func(e body) { e[3], e[5] = make([]byte, 256), 65536 })},
	{"cut behind fewer than 256 bytes", "failing[1].exchange.received_cut", withExchange(func(e body) { e[4], e[6] = make([]byte, 255), 1 })},
	{"exchange with an unknown field", "failing[1].exchange.key 7", withExchange(func(e body) { e[7] = 1 })},
	{"17 exchanges", "failing", func(s, f body) {
		var list []any
		for i := range 17 {
			list = append(list, body{1: fmt.Sprintf("m%d", i), 2: int64(1772352002704), 3: "x", 5: body{1: int64(1772352002704), 2: "cjt188", 3: []byte{1}, 4: []byte{}}})
		}
		s[18], s[19] = 17, list
	}},
	{"101 faults", "failing", func(s, f body) { s[19] = make([]int, 101) }},
	{"unknown field", "key 25", func(s, f body) { s[25] = 1 }},
	{"0 envelopes dropped", "spool_dropped", func(s, f body) { s[24] = 0 }},
	{"dropped above 2^53-1", "spool_dropped", func(s, f body) { s[24] = uint64(1 << 53) }},
	{"dropped as a text", "spool_dropped", func(s, f body) { s[24] = "1" }},
	{"key generation 0", "key_generation", func(s, f body) { s[21] = 0 }},
	{"key generation above 16 bits", "key_generation", func(s, f body) { s[21] = 65536 }},
	{"certificate that ends in 1970", "certificate_ends", func(s, f body) { s[22] = 0 }},
	{"certificate that ends in 2200", "certificate_ends", func(s, f body) { s[22] = int64(7258118400000) }},
	{"lines empty", "lines", func(s, f body) { s[23] = []any{} }},
	{"101 lines", "lines", func(s, f body) { s[23] = make([]int, 101) }},
	{"line without a name", "lines[0].name", withLines(func(l body) { l[1] = "" })},
	{"line of an unknown kind", "lines[0].kind", withLines(func(l body) { l[2] = "radio" })},
	{"line without an address", "lines[0].address", withLines(func(l body) { delete(l, 3) })},
	{"address of two lines", "lines[0].address", withLines(func(l body) { l[3] = "a\nb" })},
	{"address of 129 bytes", "lines[0].address", withLines(func(l body) { l[3] = strings.Repeat("a", 129) })},
	{"meters above 32 bits", "lines[0].meters", withLines(func(l body) { l[4] = uint64(1 << 32) })},
	{"more of a line read than planned", "lines[0].read", withLines(func(l body) { l[6] = 97 })},
	{"used above ten times", "lines[0].used", withLines(func(l body) { l[7] = 10001 })},
	{"line listed twice", "lines[1].name", withLines(func(l body) { l[1] = "b" })},
	{"line with an unknown field", "lines[0].key 8", withLines(func(l body) { l[8] = 1 })},
	{"health empty", "health", func(s, f body) { s[20] = []any{} }},
	{"health as a map", "health", func(s, f body) { s[20] = body{} }},
	{"101 healths", "health", func(s, f body) { s[20] = make([]int, 101) }},
	{"health without a meter", "health[0].meter", withHealth(func(h body) { delete(h, 1) })},
	{"health listed twice", "health[1].meter", withHealth(func(h body) { h[1] = "m2" })},
	{"health without planned", "health[0].planned", withHealth(func(h body) { delete(h, 2) })},
	{"planned above 2^53-1", "health[0].planned", withHealth(func(h body) { h[2] = uint64(1 << 53) })},
	{"read above planned", "health[0].read", withHealth(func(h body) { h[3] = 97 })},
	{"drift of a hundred years and a millisecond", "health[0].drift_ms", withHealth(func(h body) { h[4] = int64(3155760000001) })},
	{"drift that overflows when it becomes nanoseconds", "health[0].drift_ms", withHealth(func(h body) { h[4] = int64(-9223372036854775808) })},
	{"drift as float", "health[0].drift_ms", withHealth(func(h body) { h[4] = 1.5 })},
	{"health with an empty error", "health[0].error", withHealth(func(h body) { h[5] = "" })},
	{"health with an error of two lines", "health[0].error", withHealth(func(h body) { h[5] = "a\nb" })},
	{"health with an unknown field", "health[0].key 6", withHealth(func(h body) { h[6] = 1 })},
}

// withHealth gives the status a sound list of two meters and lets the case
// spoil the first.
func withHealth(spoil func(first body)) func(s, fault body) {
	return func(s, _ body) {
		first := body{1: "m1", 2: 96, 3: 90, 4: -1500, 5: "no answer"}
		spoil(first)
		s[20] = []any{first, body{1: "m2", 2: 1, 3: 0}}
	}
}

// withExchange gives the fault a sound exchange and lets the case spoil it.
func withExchange(spoil func(exchange body)) func(s, fault body) {
	return func(_, fault body) {
		e := body{1: int64(1772352002704), 2: "dlt645", 3: []byte{0x68}, 4: []byte{}}
		spoil(e)
		fault[5] = e
	}
}

// withLines gives the status two sound lines and lets the case spoil the first.
func withLines(spoil func(first body)) func(s, fault body) {
	return func(s, _ body) {
		first := body{1: "a", 2: "serial", 3: "/dev/ttyS0", 4: 8, 5: 96, 6: 90, 7: 340}
		spoil(first)
		s[23] = []any{first, body{1: "b", 2: "modbus_tcp", 3: "h:502", 4: 0, 5: 0, 6: 0, 7: 0}}
	}
}

func statusRefusals(t testing.TB) []refusal {
	var rs []refusal
	for _, c := range spoiltStatuses {
		s := wireStatus()
		c.spoil(s, s[19].([]any)[1].(body))
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: hex.EncodeToString(mustMarshal(t, s))})
	}
	return rs
}

var spoiltReceipts = []struct {
	name, field string
	spoil       func(r body)
}{
	{"no boot", "boot", func(r body) { delete(r, 2) }},
	{"boot above 32 bits", "boot", func(r body) { r[2] = uint64(1 << 32) }},
	{"random of 7 bytes", "random", func(r body) { r[3] = make([]byte, 7) }},
	{"random of 9 bytes", "random", func(r body) { r[3] = make([]byte, 9) }},
	{"random as text", "random", func(r body) { r[3] = "12345678" }},
	{"nothing stored", "stored", func(r body) { r[4] = []any{} }},
	{"1025 ranges", "stored", func(r body) { r[4] = make([]int, 1025) }},
	{"range is no pair", "stored[1]", func(r body) { r[4] = []any{[]int{1, 2}, []int{4}} }},
	{"range is a number", "stored[1]", func(r body) { r[4] = []any{[]int{1, 2}, 4} }},
	{"range backwards", "stored[1]", func(r body) { r[4] = []any{[]int{1, 2}, []int{9, 8}} }},
	{"ranges touch", "stored[1]", func(r body) { r[4] = []any{[]int{1, 2}, []int{3, 8}} }},
	{"ranges overlap", "stored[1]", func(r body) { r[4] = []any{[]int{1, 5}, []int{5, 8}} }},
	{"ranges descend", "stored[1]", func(r body) { r[4] = []any{[]int{7, 8}, []int{1, 2}} }},
	{"range after the last number", "stored[1]", func(r body) { r[4] = []any{[]uint32{1, 4294967295}, []int{0, 0}} }},
	{"number above 32 bits", "stored[0]", func(r body) { r[4] = []any{[]uint64{1, 1 << 32}} }},
	{"negative number", "stored[0]", func(r body) { r[4] = []any{[]int{-1, 1}} }},
	{"unknown field", "key 5", func(r body) { r[5] = 1 }},
}

func receiptRefusals(t testing.TB) []refusal {
	var rs []refusal
	for _, c := range spoiltReceipts {
		r := body{0: 1, 1: "c-1", 2: 7, 3: make([]byte, 8), 4: []any{[]int{1, 2}}}
		c.spoil(r)
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: hex.EncodeToString(mustMarshal(t, r))})
	}
	return rs
}

func refusals(t testing.TB, kind string) []refusal {
	return map[string]func(testing.TB) []refusal{
		"batch": batchRefusals, "status": statusRefusals, "receipt": receiptRefusals, "cards": cardRefusals, "events": eventRefusals}[kind](t)
}

func addNegatives(f *testing.F, kind string) {
	for _, r := range refusals(f, kind) {
		raw, err := hex.DecodeString(r.CBOR)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

func TestRefusals(t *testing.T) {
	// The unspoilt messages are sound, so that each case fails for its own
	// reason.
	if _, err := DecodeBatch(mustMarshal(t, wireBatch(func(b, g, r body) {}))); err != nil {
		t.Fatal(err)
	}
	healthy := wireStatus()
	withHealth(func(body) {})(healthy, nil)
	withLines(func(body) {})(healthy, nil)
	withExchange(func(body) {})(nil, healthy[19].([]any)[1].(body))
	healthy[21], healthy[22] = 258, int64(1772352002704)
	for _, s := range []body{wireStatus(), healthy} {
		if _, err := DecodeStatus(mustMarshal(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := DecodeBatch(mustMarshal(t, wireBatch(func(b, g, r body) { g[1], g[4] = "m0", "daily_freeze" }))); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCardBatch(mustMarshal(t, wireCards(func(b, e body) {}))); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeEventBatch(mustMarshal(t, wireEvents(func(b, e body) {}))); err != nil {
		t.Fatal(err)
	}
	for kind, decode := range map[string]func([]byte) error{
		"events":  func(d []byte) error { _, err := DecodeEventBatch(d); return err },
		"cards":   func(d []byte) error { _, err := DecodeCardBatch(d); return err },
		"batch":   func(d []byte) error { _, err := DecodeBatch(d); return err },
		"status":  func(d []byte) error { _, err := DecodeStatus(d); return err },
		"receipt": func(d []byte) error { _, err := DecodeReceipt(d); return err },
	} {
		rs := refusals(t, kind)
		for i := range rs {
			t.Run(kind+"/"+rs[i].Name, func(t *testing.T) { rs[i].Error = checkRefusal(t, rs[i], decode) })
		}
		writeVectors(t, kind+".refused", rs)
	}
}

func checkRefusal(t *testing.T, r refusal, decode func([]byte) error) string {
	raw, err := hex.DecodeString(r.CBOR)
	if err != nil {
		t.Fatal(err)
	}
	err = decode(raw)
	if err == nil {
		t.Fatal("accepted")
	}
	wantField(t, err, r.Field)
	return errors.Unwrap(err).Error()
}
