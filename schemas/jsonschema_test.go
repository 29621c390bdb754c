package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

type node = map[string]any

// Patterns of the JSON forms. The code checks by hand; TestSchemasAgree holds
// both against the same samples.
var (
	idNode      = node{"type": "string", "pattern": fmt.Sprintf("^[0-9A-Za-z_-]{1,%d}$", maxID)}
	areaNode    = node{"type": "string", "pattern": "^([0-9]{6}|[0-9]{9}|[0-9]{12})$"}
	momentNode  = node{"type": "string", "pattern": `^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`, "format": "date-time"}
	decimalNode = node{"type": "string", "maxLength": 38,
		"pattern": `^((0|-?[1-9][0-9]*)(\.[0-9]{1,18})?|-0\.[0-9]{0,17}[1-9][0-9]{0,17})$`}
	randomNode = node{"type": "string", "pattern": "^[0-9a-f]{16}$"}
	cardNode   = node{"type": "string", "pattern": fmt.Sprintf("^[0-9A-F]{%d}$", cardDigits)}
	// exactNode is an integer of 64 bits; the code also refuses what is beyond.
	exactNode = node{"type": "string", "maxLength": 20, "pattern": "^(0|-?[1-9][0-9]*)$"}
)

func digitsNode(n int) node { return node{"type": "string", "pattern": fmt.Sprintf("^[0-9]{%d}$", n)} }

func listNode[T ~string](list []T) node { return node{"enum": texts(list)} }

// typeNodes gives the schema of each Go type that a JSON form may hold. A
// field of any other type fails the generator.
func typeNodes() map[reflect.Type]node {
	return map[reflect.Type]node{
		reflect.TypeFor[MeterID]():        idNode,
		reflect.TypeFor[CollectorID]():    idNode,
		reflect.TypeFor[AreaCode]():       areaNode,
		reflect.TypeFor[moment]():         momentNode,
		reflect.TypeFor[*Decimal]():       decimalNode,
		reflect.TypeFor[random8]():        randomNode,
		reflect.TypeFor[Quantity]():       {"enum": allQuantities()},
		reflect.TypeFor[Unit]():           {"enum": allUnits()},
		reflect.TypeFor[Quality]():        {"enum": []string{Good.String(), Suspect.String(), Missing.String()}},
		reflect.TypeFor[*Reason]():        {"enum": append(reasonsOf(Suspect), reasonsOf(Missing)...)},
		reflect.TypeFor[*Origin]():        {"enum": recordedOrigins()},
		reflect.TypeFor[*int64]():         {"type": "integer", "minimum": -MaxDrift.Milliseconds(), "maximum": MaxDrift.Milliseconds()},
		reflect.TypeFor[uint64]():         {"type": "integer", "minimum": 0, "maximum": uint64(MaxCount)},
		reflect.TypeFor[uint32]():         {"type": "integer", "minimum": 0, "maximum": uint32(math.MaxUint32)},
		reflect.TypeFor[bool]():           {"type": "boolean"},
		reflect.TypeFor[*moment]():        momentNode,
		reflect.TypeFor[CustomerID]():     idNode,
		reflect.TypeFor[CardID]():         cardNode,
		reflect.TypeFor[IssuerID]():       digitsNode(issuerDigits),
		reflect.TypeFor[CardEvent]():      listNode(cardEventTable),
		reflect.TypeFor[CardSource]():     listNode(cardSourceTable),
		reflect.TypeFor[Medium]():         listNode(utilityTable),
		reflect.TypeFor[CreditUnit]():     listNode(creditUnitTable),
		reflect.TypeFor[PurchaseScheme](): listNode(schemeTable),
		reflect.TypeFor[exact64]():        exactNode,
		reflect.TypeFor[CardFault]():      {"type": "integer", "minimum": 1, "maximum": FaultHoard},
		reflect.TypeFor[EventID]():        {"type": "string", "pattern": fmt.Sprintf("^[0-9a-f]{%d}$", 2*eventIDBytes)},
		reflect.TypeFor[EventKind]():      listNode(eventKindTable),
		reflect.TypeFor[EventPhase]():     listNode(eventPhaseTable),
		reflect.TypeFor[ComponentID]():    idNode,
		reflect.TypeFor[FaultCause]():     listNode(causeTable),
		reflect.TypeFor[Protocol]():       listNode(protocolTable),
		reflect.TypeFor[LineKind]():       listNode(lineKindTable),
		reflect.TypeFor[octets]():         {"type": "string", "maxLength": 2 * MaxFrameBytes, "pattern": "^([0-9a-f]{2})*$"},
		reflect.TypeFor[cut]():            {"type": "integer", "minimum": 1, "maximum": MaxFrameCut},
		reflect.TypeFor[*Quantity]():      {"enum": allQuantities()},
		reflect.TypeFor[[]CardEntry]():    {"type": "array", "minItems": 1, "maxItems": MaxCardEntries, "items": node{"$ref": "card.schema.json"}},
		reflect.TypeFor[Loss]():           listNode(lossTable),
		reflect.TypeFor[[]Reading]():      {"type": "array", "maxItems": MaxReadings, "items": node{"$ref": "reading.schema.json"}},
	}
}

// objectNode makes the schema of a JSON form from its struct: names and what
// may be absent from the tags, the rest from the types.
func objectNode(t *testing.T, form reflect.Type, own node) node {
	t.Helper()
	properties, required := node{}, []string{}
	types := typeNodes()
	for i := range form.NumField() {
		f := form.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		n, ok := own[name]
		if !ok {
			if n, ok = types[f.Type]; !ok {
				t.Fatalf("%s.%s: no schema for %s", form, f.Name, f.Type)
			}
		}
		properties[name] = n
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	return node{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}

func lineNode(limit int) node {
	return node{"type": "string", "minLength": 1, "maxLength": limit}
}

// readingRules says what properties cannot say one by one: quality, reason
// and value go together, and the unit follows from the quantity.
func readingRules() []any {
	byUnit := make(map[Unit][]Quantity)
	for _, q := range Quantities() {
		byUnit[q.Unit] = append(byUnit[q.Unit], q.Quantity)
	}
	var units []any
	for _, u := range allUnits() {
		units = append(units, node{"properties": node{"unit": node{"const": u}, "quantity": node{"enum": byUnit[Unit(u)]}}})
	}
	return []any{
		node{"anyOf": []any{
			node{"properties": node{"quality": node{"const": "good"}, "reason": false}, "required": []string{"value"}},
			node{"properties": node{"quality": node{"const": "suspect"}, "reason": node{"enum": reasonsOf(Suspect)}}, "required": []string{"value", "reason"}},
			node{"properties": node{"quality": node{"const": "missing"}, "reason": node{"enum": reasonsOf(Missing)}, "value": false}, "required": []string{"reason"}},
		}},
		node{"anyOf": units},
	}
}

func schemaDocs(t *testing.T) map[string]node {
	card := objectNode(t, reflect.TypeFor[cardJSON](), cardNodes(t))
	card["allOf"] = cardRules()
	event := objectNode(t, reflect.TypeFor[eventJSON](), eventNodes())
	event["allOf"] = eventRules()
	reading := objectNode(t, reflect.TypeFor[readingJSON](), nil)
	reading["allOf"] = readingRules()
	exchange := objectNode(t, reflect.TypeFor[exchangeJSON](), nil)
	fault := objectNode(t, reflect.TypeFor[faultJSON](), node{"error": lineNode(MaxFaultText), "exchange": exchange})
	line := objectNode(t, reflect.TypeFor[lineJSON](), node{"name": lineNode(MaxLineText), "address": lineNode(MaxLineText),
		"used": node{"type": "integer", "minimum": 0, "maximum": MaxUsed}})
	health := objectNode(t, reflect.TypeFor[healthJSON](), node{"error": lineNode(MaxFaultText)})
	seqRange := objectNode(t, reflect.TypeFor[rangeJSON](), nil)
	docs := map[string]node{
		"reading": reading,
		"batch":   batchNode(t),
		"card":    card,
		"cards":   objectNode(t, reflect.TypeFor[cardsJSON](), nil),
		"event":   event,
		"events":  objectNode(t, reflect.TypeFor[eventsJSON](), eventsNodes()),
		"status": objectNode(t, reflect.TypeFor[statusJSON](), node{"version": lineNode(MaxVersion),
			"failing": node{"type": "array", "maxItems": MaxFailing, "items": fault},
			"health":  node{"type": "array", "minItems": 1, "maxItems": MaxHealth, "items": health},
			"lines":   node{"type": "array", "minItems": 1, "maxItems": MaxLines, "items": line},

			"key_generation": node{"type": "integer", "minimum": 1, "maximum": math.MaxUint16},
			"spool_dropped":  node{"type": "integer", "minimum": 1, "maximum": MaxCount}}),
		"receipt": objectNode(t, reflect.TypeFor[receiptJSON](), node{
			"stored": node{"type": "array", "minItems": 1, "maxItems": MaxSeqRanges, "items": seqRange}}),
	}
	for name, comment := range map[string]string{
		"reading": "One value of one quantity of one meter at one moment. Exact numbers are strings. A missing reading has no value, a live one no origin.",
		"batch":   "What a collector seals at once, in the order in which it was read, and what it says of hours of its schedule. The code also refuses a value that does not fit a 64-bit mantissa, an hour of an account that is no whole one, an offset that is not below the interval, slots beyond the hour, and runs that do not ascend, overlap, or go on with the loss of the one before.",
		"card":    "One thing that a prepaid card, its meter or its terminal recorded; cards.md explains the fields. Exact numbers are strings; what says nothing is left out. The code also refuses a value beyond 64 bits, a terminal that does not print, and one longer than the limit in bytes of UTF-8.",
		"cards":   "What a collector seals at once on the cards stream, in the order in which it was taken.",
		"event":   "One fact about a component from the field; events.md explains the fields. Exact numbers are strings; what says nothing is left out. The code also refuses since after taken_at, a number beyond 64 bits, texts that do not print, and texts longer than the limit in bytes of UTF-8.",
		"events":  "What a collector seals at once on the events stream, in the order in which it was decided.",
		"status":  "A collector's account of itself. The code also refuses a meter or a line listed twice, a failing_total below the list, more read than planned, more than 16 exchanges, one of no bytes, a cut behind fewer than 256 bytes, texts that do not print, and texts longer than the limit in bytes of UTF-8.",
		"receipt": "The envelopes that the hub has stored. The code also refuses ranges that do not ascend, overlap or touch.",
	} {
		docs[name]["$schema"] = draft
		docs[name]["$id"] = "https://citygrid.invalid/schemas/v1/" + name + ".schema.json"
		docs[name]["title"] = name
		docs[name]["$comment"] = comment
	}
	return docs
}

// batchNode is the schema of a batch: readings, accounts, or both.
func batchNode(t *testing.T) node {
	span := objectNode(t, reflect.TypeFor[spanJSON](), node{"from": numberNode(0, MaxSlots-1), "slots": numberNode(1, MaxSlots)})
	account := objectNode(t, reflect.TypeFor[accountJSON](), node{
		"interval_ms": numberNode(uint32(MinInterval.Milliseconds()), uint32(MaxInterval.Milliseconds())),
		"offset_ms":   numberNode(1, uint32(MaxInterval.Milliseconds())), "first": numberNode(1, MaxSlots-1), "planned": numberNode(1, MaxSlots),
		"missing": node{"type": "array", "minItems": 1, "maxItems": MaxSpans, "items": span}})
	batch := objectNode(t, reflect.TypeFor[batchJSON](), node{
		"accounts": node{"type": "array", "minItems": 1, "maxItems": MaxAccounts, "items": account}})
	batch["anyOf"] = []any{node{"required": []string{"accounts"}}, node{"properties": node{"readings": node{"minItems": 1}}}}
	return batch
}

func numberNode(least, most uint32) node {
	return node{"type": "integer", "minimum": least, "maximum": most}
}

func TestSchemaDocuments(t *testing.T) {
	for name, doc := range schemaDocs(t) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".schema.json", b.Bytes())
	}
}

// compiled reads the committed schemas, not the generated ones.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, n := range []string{"reading", "batch", "card", "cards", "event", "events", "status", "receipt"} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(readDoc(t, n+".schema.json")))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("https://citygrid.invalid/schemas/v1/"+n+".schema.json", doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("https://citygrid.invalid/schemas/v1/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schemaVerdict(t *testing.T, s *jsonschema.Schema, doc string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

const (
	goodJSON    = `{"meter":"m1","quantity":"water.flow","value":"9.99","unit":"m3/h","taken_at":"2026-03-01T08:00:01.250Z","quality":"good"}`
	suspectJSON = `{"meter":"m1","quantity":"water.flow","value":"-9","unit":"m3/h","taken_at":"2026-03-01T08:00:01.250Z","quality":"suspect","reason":"range"}`
	missingJSON = `{"meter":"m1","quantity":"water.flow","unit":"m3/h","taken_at":"2026-03-01T08:00:01.250Z","quality":"missing","reason":"nan"}`
	receiptText = `{"collector":"c-1","boot":7,"random":"0001020304fdfeff","stored":[{"from":1,"to":2}]}`
	loadJSON    = `{"event":"load","source":"dlt645","utility":"power","meter":"m1","meter_number":"112233445566","installed_at":"2026-01-01T00:00:00.000Z",` +
		`"issuer":"11010001","card":"00112233AABBCCDD","customer":"H_42","purchase":{"scheme":"seq","number":3},"amount":{"value":"5000","unit":"fen"},` +
		`"residual":{"value":"-17","unit":"fen"},"overdraft":{"value":"17","unit":"fen"},"used":{"value":"12","unit":"Wh"},"counters":{"illegal_cards":0,"pulses":7},` +
		`"terminal":"t 1","taken_at":"2026-03-01T08:00:01.250Z","recorded_at":"2026-03-01T08:00:00.000Z"}`
	issueJSON   = `{"event":"issue","source":"reader","utility":"water","meter_number":"112233445566","card":"00112233AABBCCDD","replaces":"00112233AABBCCDE","taken_at":"2026-03-01T08:00:01.250Z"}`
	refusalJSON = `{"event":"refusal","source":"modbus","utility":"gas","meter":"m1","fault":21,"taken_at":"2026-03-01T08:00:01.250Z"}`
	wrapJSON    = `{"event":"load","source":"cjt188","utility":"water","meter":"m1","purchase":{"scheme":"seq","number":100},"amount":{"value":"17","unit":"L"},` +
		`"taken_at":"2026-03-01T08:00:01.250Z","purchase_modulus":100}`
	stateJSON  = `{"event":"state","source":"cjt188","utility":"water","meter":"m1","residual":{"value":"17","unit":"L"},"taken_at":"2026-03-01T08:00:01.250Z"}`
	freezeJSON = `{"meter":"m1","quantity":"power.energy.import","value":"9.99","unit":"kW.h","taken_at":"2026-03-01T00:00:00.000Z","quality":"good","origin":"daily_freeze"}`
	statusText = `{"collector":"c-1","area":"110101","at":"2026-03-01T08:00:01.250Z","started_at":"2026-03-01T08:00:00.000Z","version":"v1",` +
		`"reads_planned":1,"reads_done":1,"reads_failed":0,"reads_missed":0,"values_read":9,"envelopes_sealed":3,"envelopes_published":4,"envelopes_freed":3,"spool_records":0,"spool_bytes":0,"spool_quota":5,` +
		`"spool_full":false,"failing_total":1,"failing":[{"meter":"m1","since":"2026-03-01T08:00:01.250Z","error":"no answer","cause":"cut_short",` +
		`"exchange":{"at":"2026-03-01T08:00:01.250Z","protocol":"dlt645","sent":"6801","received":"fe"}}],` +
		`"health":[{"meter":"m1","planned":96,"read":90,"drift_ms":-1500,"error":"no answer in 1 s"},{"meter":"m2","planned":1,"read":0}],` +
		`"key_generation":258,"certificate_ends":"2027-03-01T08:00:00.000Z",` +
		`"lines":[{"name":"l1","kind":"serial","address":"/dev/ttyS0","meters":8,"planned":96,"read":91,"used":340}],"spool_dropped":7}`
)

// jsonRefusal changes one place of a sound document. codeOnly marks what JSON
// Schema cannot say or a parser has already hidden from it.
type jsonRefusal struct {
	kind, base, old, new, field string
	codeOnly                    bool
}

var jsonRefusals = []jsonRefusal{
	{"reading", goodJSON, `"meter":"m1",`, ``, "meter", false},
	{"reading", goodJSON, `"meter":"m1"`, `"meter":null`, "meter", false},
	{"reading", goodJSON, `"meter":"m1"`, `"meter":1`, "meter", false},
	{"reading", goodJSON, `"meter"`, `"Meter"`, "meter", false},
	{"reading", goodJSON, `"meter":"m1"`, `"meter":"m/1"`, "meter", false},
	{"reading", goodJSON, `"meter":"m1"`, `"meter":"m1","meter":"m1"`, "meter", true},
	{"reading", goodJSON, `"meter":"m1"`, `"meter":"m1","x":1`, "x", false},
	{"reading", goodJSON, `water.flow`, `water.colour`, "quantity", false},
	{"reading", goodJSON, `m3/h`, `m3`, "unit", false},
	{"reading", goodJSON, `"9.99"`, `9.99`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"+9.99"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"09.99"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"-0"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"-0.00"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"1e3"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `".5"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"0.0000000000000000001"`, "value", false},
	{"reading", goodJSON, `"9.99"`, `"9223372036854775808"`, "value", true},
	{"reading", goodJSON, `"9.99"`, `""`, "value", false},
	{"reading", goodJSON, `"value":"9.99",`, ``, "value", false},
	{"reading", goodJSON, `08:00:01.250Z`, `08:00:01Z`, "taken_at", false},
	{"reading", goodJSON, `08:00:01.250Z`, `08:00:01.250+00:00`, "taken_at", false},
	{"reading", goodJSON, `08:00:01.250Z`, `08:00:61.250Z`, "taken_at", false},
	{"reading", goodJSON, `08:00:01.250Z`, `08:00:01.2501Z`, "taken_at", false},
	{"reading", goodJSON, `2026-03`, `1999-03`, "taken_at", false},
	{"reading", goodJSON, `2026-03-01`, `2026-02-30`, "taken_at", false},
	{"reading", goodJSON, `"good"`, `"Good"`, "quality", false},
	{"reading", goodJSON, `"good"`, `0`, "quality", false},
	{"reading", goodJSON, `"good"`, `"good","reason":"range"`, "reason", false},
	{"reading", suspectJSON, `,"reason":"range"`, ``, "reason", false},
	{"reading", suspectJSON, `"range"`, `"nan"`, "reason", false},
	{"reading", missingJSON, `"nan"`, `"clock"`, "reason", false},
	{"reading", missingJSON, `"unit"`, `"value":"0","unit"`, "value", false},
	{"reading", freezeJSON, `daily_freeze`, `weekly_freeze`, "origin", false},
	{"reading", freezeJSON, `"daily_freeze"`, `""`, "origin", false},
	{"reading", freezeJSON, `"daily_freeze"`, `null`, "origin", false},
	{"reading", freezeJSON, `"daily_freeze"`, `1`, "origin", false},
	{"reading", goodJSON, goodJSON, `[]`, "", false},
	{"reading", goodJSON, goodJSON, `null`, "", false},
	{"receipt", receiptText, `"boot":7`, `"boot":4294967296`, "boot", false},
	{"receipt", receiptText, `"boot":7`, `"boot":7.5`, "boot", false},
	{"receipt", receiptText, `fdfeff`, `FDFEFF`, "random", false},
	{"receipt", receiptText, `fdfeff`, `fdfe`, "random", false},
	{"receipt", receiptText, `[{"from":1,"to":2}]`, `[]`, "stored", false},
	{"receipt", receiptText, `[{"from":1,"to":2}]`, `[null]`, "stored[0]", false},
	{"receipt", receiptText, `"to":2`, `"to":2,"by":1`, "stored[0].by", false},
	{"receipt", receiptText, `"to":2`, `"to":0`, "stored[0]", true},
	{"receipt", receiptText, `"to":2}`, `"to":2},{"from":3,"to":4}`, "stored[1]", true},
	{"card", loadJSON, `"load"`, `"lost"`, "event", false},
	{"card", loadJSON, `"event":"load",`, ``, "event", false},
	{"card", loadJSON, `"dlt645"`, `"rumour"`, "source", false},
	{"card", loadJSON, `"power"`, `"device"`, "utility", false},
	{"card", stateJSON, `"meter":"m1",`, ``, "meter", false},
	{"card", stateJSON, `"m1"`, `""`, "meter", false},
	{"card", stateJSON, `"m1"`, `null`, "meter", false},
	{"card", loadJSON, `"112233445566"`, `"11223344556"`, "meter_number", false},
	{"card", loadJSON, `"112233445566"`, `112233445566`, "meter_number", false},
	{"card", loadJSON, `"meter":"m1",`, ``, "installed_at", false},
	{"card", loadJSON, `"2026-01-01T00:00:00.000Z"`, `"0001-01-01T00:00:00.000Z"`, "installed_at", false},
	{"card", loadJSON, `"11010001"`, `"1101000"`, "issuer", false},
	{"card", loadJSON, `AABBCCDD`, `aabbccdd`, "card", false},
	{"card", loadJSON, `"customer"`, `"replaces":"00112233AABBCCDD","customer"`, "replaces", false},
	{"card", issueJSON, `00112233AABBCCDE`, `00112233AABBCCD`, "replaces", false},
	{"card", loadJSON, `H_42`, `H 42`, "customer", false},
	{"card", loadJSON, `"seq"`, `"date"`, "purchase.scheme", false},
	{"card", loadJSON, `"scheme":"seq",`, ``, "purchase.scheme", false},
	{"card", wrapJSON, `modulus":100`, `modulus":0`, "purchase_modulus", false},
	{"card", wrapJSON, `modulus":100`, `modulus":1`, "purchase_modulus", false},
	{"card", wrapJSON, `modulus":100`, `modulus":4294967296`, "purchase_modulus", false},
	{"card", wrapJSON, `modulus":100`, `modulus":"100"`, "purchase_modulus", false},
	{"card", wrapJSON, `modulus":100`, `modulus":99`, "purchase_modulus", true},
	{"card", wrapJSON, `"seq"`, `"tid"`, "purchase_modulus", false},
	{"card", wrapJSON, `"purchase":{"scheme":"seq","number":100},`, ``, "purchase_modulus", false},
	{"card", loadJSON, `"number":3`, `"number":0`, "purchase.number", false},
	{"card", loadJSON, `"number":3`, `"number":4294967296`, "purchase.number", false},
	{"card", loadJSON, `"seq","number":3`, `"tid","number":16777216`, "purchase.number", false},
	{"card", loadJSON, `"amount":{"value":"5000","unit":"fen"},`, ``, "amount", false},
	{"card", loadJSON, `"value":"5000"`, `"value":5000`, "amount.value", false},
	{"card", loadJSON, `"value":"5000"`, `"value":"50.00"`, "amount.value", false},
	{"card", loadJSON, `"value":"5000"`, `"value":"05000"`, "amount.value", false},
	{"card", loadJSON, `"value":"5000"`, `"value":"-0"`, "amount.value", false},
	{"card", loadJSON, `"value":"5000"`, `"value":"-5000"`, "amount", false},
	{"card", loadJSON, `"value":"5000"`, `"value":"9223372036854775808"`, "amount.value", true},
	{"card", loadJSON, `"5000","unit":"fen"`, `"5000","unit":"CNY"`, "amount.unit", false},
	{"card", loadJSON, `"5000","unit":"fen"`, `"0","unit":""`, "amount.unit", false},
	{"card", loadJSON, `"5000","unit":"fen"`, `"5000","unit":"fen","of":1`, "amount.of", false},
	{"card", loadJSON, `"Wh"`, `"L"`, "used.unit", false},
	{"card", stateJSON, `"L"`, `"Wh"`, "residual.unit", false},
	{"card", stateJSON, `"taken_at"`, `"amount":{"value":"1","unit":"L"},"taken_at"`, "amount", false},
	{"card", loadJSON, `"overdraft":{"value":"17"`, `"overdraft":{"value":"-17"`, "overdraft", false},
	{"card", loadJSON, `{"illegal_cards":0,"pulses":7}`, `{}`, "counters", false},
	{"card", loadJSON, `{"illegal_cards":0,"pulses":7}`, `[]`, "counters", false},
	{"card", loadJSON, `{"illegal_cards":0,"pulses":7}`, `{"mood":7}`, "counters.mood", false},
	{"card", loadJSON, `"pulses":7`, `"pulses":-7`, "counters.pulses", false},
	{"card", loadJSON, `"terminal"`, `"fault":1,"terminal"`, "fault", false},
	{"card", refusalJSON, `"fault":21,`, ``, "fault", false},
	{"card", refusalJSON, `21`, `0`, "fault", false},
	{"card", refusalJSON, `21`, `22`, "fault", false},
	{"card", loadJSON, `"t 1"`, `""`, "terminal", false},
	{"card", loadJSON, `"t 1"`, `"t\n1"`, "terminal", true},
	{"card", loadJSON, `,"recorded_at":"2026-03-01T08:00:00.000Z"`, `,"recorded_at":"0001-01-01T00:00:00.000Z"`, "recorded_at", false},
	{"card", loadJSON, `"t 1"`, `"t 1","note":"x"`, "note", false},
	{"status", statusText, `"spool_full":false`, `"spool_full":"no"`, "spool_full", false},
	{"status", statusText, `"values_read":9`, `"values_read":9007199254740992`, "values_read", false},
	{"status", statusText, `"reads_done":1,`, ``, "reads_done", false},
	{"status", statusText, `"v1"`, `""`, "version", false},
	{"status", statusText, `"no answer"`, `"no\nanswer"`, "failing[0].error", true},
	{"status", statusText, `"failing_total":1`, `"failing_total":0`, "failing_total", true},
	{"status", statusText, `"read":90`, `"read":97`, "health[0].read", true},
	{"status", statusText, `"planned":96,`, ``, "health[0].planned", false},
	{"status", statusText, `-1500`, `-1500.5`, "health[0].drift_ms", false},
	{"status", statusText, `-1500`, `3155760000001`, "health[0].drift_ms", false},
	{"status", statusText, `-1500`, `-9223372036854775808`, "health[0].drift_ms", false},
	{"status", statusText, `-1500`, `null`, "health[0].drift_ms", false},
	{"status", statusText, `"no answer in 1 s"`, `""`, "health[0].error", false},
	{"status", statusText, `"no answer in 1 s"`, `"no\u0000"`, "health[0].error", true},
	{"status", statusText, `{"meter":"m2"`, `{"meter":"m1"`, "health[1].meter", true},
	{"status", statusText, `{"meter":"m2","planned":1,"read":0}`, `null`, "health[1]", false},
	{"status", statusText, `"cut_short"`, `"mood"`, "failing[0].cause", false},
	{"status", statusText, `"dlt645"`, `"dlms"`, "failing[0].exchange.protocol", false},
	{"status", statusText, `"6801"`, `"680"`, "failing[0].exchange.sent", false},
	{"status", statusText, `"6801"`, `"68A1"`, "failing[0].exchange.sent", false},
	{"status", statusText, `"fe"`, `"` + strings.Repeat("fe", 257) + `"`, "failing[0].exchange.received", false},
	{"status", statusText, `"sent":"6801","received":"fe"`, `"sent":"","received":""`, "failing[0].exchange.received", true},
	{"status", statusText, `"received":"fe"`, `"received":"fe","received_cut":0`, "failing[0].exchange.received_cut", false},
	{"status", statusText, `"received":"fe"`, `"received":"fe","received_cut":1`, "failing[0].exchange.received_cut", true},
	{"status", statusText, `"received":"fe"`, `"received":"fe","dropped":1`, "failing[0].exchange.dropped", false},
	{"status", statusText, `"key_generation":258`, `"key_generation":0`, "key_generation", false},
	{"status", statusText, `"key_generation":258`, `"key_generation":65536`, "key_generation", false},
	{"status", statusText, `"spool_dropped":7`, `"spool_dropped":0`, "spool_dropped", false},
	{"status", statusText, `"spool_dropped":7`, `"spool_dropped":9007199254740992`, "spool_dropped", false},
	{"status", statusText, `"2027-03-01T08:00:00.000Z"`, `"1970-03-01T08:00:00.000Z"`, "certificate_ends", false},
	{"status", statusText, `"kind":"serial"`, `"kind":"radio"`, "lines[0].kind", false},
	{"status", statusText, `"l1"`, `""`, "lines[0].name", false},
	{"status", statusText, `"read":91`, `"read":97`, "lines[0].read", true},
	{"status", statusText, `"used":340`, `"used":10001`, "lines[0].used", false},
}

func TestSchemasAgree(t *testing.T) {
	decode := map[string]func(string) error{
		"reading": func(s string) error { return json.Unmarshal([]byte(s), new(Reading)) },
		"receipt": func(s string) error { return json.Unmarshal([]byte(s), new(Receipt)) },
		"status":  func(s string) error { return json.Unmarshal([]byte(s), new(Status)) },
		"card":    func(s string) error { return json.Unmarshal([]byte(s), new(CardEntry)) },
		"event":   func(s string) error { return json.Unmarshal([]byte(s), new(ComponentEvent)) },
		"events":  func(s string) error { return json.Unmarshal([]byte(s), new(EventBatch)) },
	}
	for _, c := range append(eventJSONRefusals(), jsonRefusals...) {
		s := compiled(t, c.kind)
		if err := decode[c.kind](c.base); err != nil {
			t.Fatalf("the sound %s: %v", c.kind, err)
		}
		if err := schemaVerdict(t, s, c.base); err != nil {
			t.Fatalf("the sound %s: %v", c.kind, err)
		}
		doc := strings.Replace(c.base, c.old, c.new, 1)
		err := decode[c.kind](doc)
		if err == nil {
			t.Errorf("accepted %s", doc)
			continue
		}
		wantField(t, err, c.field)
		if verdict := schemaVerdict(t, s, doc); (verdict == nil) != c.codeOnly {
			t.Errorf("schema says %v for %s", verdict, doc)
		}
	}
}

func TestVectorsObeySchemas(t *testing.T) {
	for _, kind := range []string{"batch", "cards", "events", "status", "receipt"} {
		var vs []vector
		readVectors(t, kind, &vs)
		s := compiled(t, kind)
		for _, v := range vs {
			if err := schemaVerdict(t, s, string(v.JSON)); err != nil {
				t.Errorf("%s %q: %v", kind, v.Name, err)
			}
		}
	}
}

func TestReadingJSONForms(t *testing.T) {
	for _, doc := range []string{goodJSON, suspectJSON, missingJSON, freezeJSON} {
		var r Reading
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(r)
		if err != nil || string(out) != doc {
			t.Errorf("got %s, %v, want %s", out, err, doc)
		}
	}
	if _, err := json.Marshal(Reading{Meter: "m1"}); err == nil {
		t.Error("wrote an unsound reading")
	}
}

// TestUnmarshalersReadOneObject calls the methods without encoding/json, which
// would check the bytes before them.
func TestUnmarshalersReadOneObject(t *testing.T) {
	for _, text := range []string{
		`{"from":1,"to":2`, `{"from":1,"to":2} x`, `{"from":1,"to":2}{}`, `{"from":1,"to":2]`, `{"from":1,"from":1,"to":2}`, ``,
	} {
		s := SeqRange{7, 8}
		err := s.UnmarshalJSON([]byte(text))
		if _, ok := errors.AsType[*FieldError](err); !ok || s != (SeqRange{7, 8}) {
			t.Errorf("%s: %v, error %v, want a FieldError", text, s, err)
		}
	}
	var s SeqRange
	if err := s.UnmarshalJSON([]byte(` {"to":2,"from":1}` + "\n")); err != nil || s != (SeqRange{1, 2}) {
		t.Errorf("%v, %v", s, err)
	}
}

func FuzzReadingJSON(f *testing.F) {
	for _, doc := range []string{goodJSON, suspectJSON, missingJSON, freezeJSON} {
		f.Add([]byte(doc))
	}
	for _, c := range jsonRefusals {
		f.Add([]byte(strings.Replace(c.base, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, again Reading
		if json.Unmarshal(data, &r) != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatalf("accepted what Validate refuses: %v", err)
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || again != r {
			t.Fatalf("%s came back as %+v, %v, want %+v", out, again, err, r)
		}
	})
}

func TestMomentsOutsideUTC(t *testing.T) {
	r := good("m1", "water.flow", 1, 0, 1)
	r.TakenAt = r.TakenAt.In(time.FixedZone("CST", 8*3600))
	out, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(out), `"2026-03-01T08:00:01.250Z"`) {
		t.Errorf("got %s, %v", out, err)
	}
}
