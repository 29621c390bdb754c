package schemas

import (
	"encoding/hex"
	"strings"
	"testing"
)

// wireCards builds a sound batch of two entries as plain maps, without the
// encoder under test, and lets a case spoil the second, a refusal with every
// field that a refusal may have.
func wireCards(spoil func(batch, entry body)) body {
	first := body{1: "state", 2: "modbus", 3: "gas", 5: "000000000001", 20: int64(1772352002703)}
	entry := body{1: "refusal", 2: "dlt645", 3: "power", 4: "m1", 5: "112233445566", 6: int64(1772352000000), 7: "11010001",
		8: "00112233AABBCCDD", 10: "H_42", 11: []any{"seq", 3}, 12: []any{"fen", 5000}, 13: []any{"fen", -17},
		14: []any{"fen", 17}, 15: []any{"fen", 1}, 16: []any{"Wh", 1}, 17: body{1: 1, 2: 2, 3: 3}, 18: 21, 19: "t",
		20: int64(1772352002703), 21: int64(1772352002702)}
	batch := body{0: 1, 1: "c-1", 2: "110101", 3: int64(1772352002704), 4: []any{first, entry}}
	spoil(batch, entry)
	return batch
}

var spoiltCards = []struct {
	name, field string
	spoil       func(b, e body)
}{
	{"no format", "format", func(b, e body) { delete(b, 0) }},
	{"no collector", "collector", func(b, e body) { delete(b, 1) }},
	{"no area", "area", func(b, e body) { delete(b, 2) }},
	{"no sealed_at", "sealed_at", func(b, e body) { delete(b, 3) }},
	{"no entries", "entries", func(b, e body) { delete(b, 4) }},
	{"entries empty", "entries", func(b, e body) { b[4] = []any{} }},
	{"65 entries", "entries", func(b, e body) { b[4] = make([]int, 65) }},
	{"entry is no map", "entries[0]", func(b, e body) { b[4] = []any{7} }},
	{"unknown field", "key 5", func(b, e body) { b[5] = 1 }},
	{"entry with an unknown field", "entries[1].key 23", func(b, e body) { e[23] = 1 }},
	{"no event", "entries[1].event", func(b, e body) { delete(e, 1) }},
	{"unknown event", "entries[1].event", func(b, e body) { e[1] = "lost" }},
	{"event in capitals", "entries[1].event", func(b, e body) { e[1] = "Refusal" }},
	{"event as number", "entries[1].event", func(b, e body) { e[1] = 1 }},
	{"no source", "entries[1].source", func(b, e body) { delete(e, 2) }},
	{"unknown source", "entries[1].source", func(b, e body) { e[2] = "rumour" }},
	{"no utility", "entries[1].utility", func(b, e body) { delete(e, 3) }},
	{"utility device", "entries[1].utility", func(b, e body) { e[3] = "device" }},
	{"neither meter nor number", "entries[1].meter", func(b, e body) { delete(e, 4); delete(e, 5); delete(e, 6) }},
	{"meter empty", "entries[1].meter", func(b, e body) { e[4] = "" }},
	{"meter with a dot", "entries[1].meter", func(b, e body) { e[4] = "m.1" }},
	{"meter_number of 11 digits", "entries[1].meter_number", func(b, e body) { e[5] = "11223344556" }},
	{"meter_number of 13 digits", "entries[1].meter_number", func(b, e body) { e[5] = "1122334455667" }},
	{"meter_number as number", "entries[1].meter_number", func(b, e body) { e[5] = 112233445566 }},
	{"installed_at without a meter", "entries[1].installed_at", func(b, e body) { delete(e, 4) }},
	{"installed_at in 1970", "entries[1].installed_at", func(b, e body) { e[6] = 0 }},
	{"installed_at in the year 1, which means not known", "entries[1].installed_at", func(b, e body) { e[6] = int64(-62135596800000) }},
	{"issuer of 7 digits", "entries[1].issuer", func(b, e body) { e[7] = "1101000" }},
	{"issuer empty", "entries[1].issuer", func(b, e body) { e[7] = "" }},
	{"card in lower case", "entries[1].card", func(b, e body) { e[8] = "00112233aabbccdd" }},
	{"card as bytes", "entries[1].card", func(b, e body) { e[8] = make([]byte, 8) }},
	{"replaces for a refusal", "entries[1].replaces", func(b, e body) { e[9] = "00112233AABBCCDD" }},
	{"customer with a blank", "entries[1].customer", func(b, e body) { e[10] = "H 42" }},
	{"customer too long", "entries[1].customer", func(b, e body) { e[10] = strings.Repeat("h", 33) }},
	{"purchase as number", "entries[1].purchase", func(b, e body) { e[11] = 3 }},
	{"purchase of one part", "entries[1].purchase", func(b, e body) { e[11] = []any{"seq"} }},
	{"purchase of an unknown scheme", "entries[1].purchase", func(b, e body) { e[11] = []any{"date", 3} }},
	{"purchase without a scheme", "entries[1].purchase", func(b, e body) { e[11] = []any{"", 0} }},
	{"purchase below zero", "entries[1].purchase", func(b, e body) { e[11] = []any{"seq", -1} }},
	{"purchase of 33 bits", "entries[1].purchase", func(b, e body) { e[11] = []any{"seq", uint64(1 << 32)} }},
	{"token of 25 bits", "entries[1].purchase.number", func(b, e body) { e[11] = []any{"tid", 1 << 24} }},
	{"modulus 0", "entries[1].purchase_modulus", func(b, e body) { e[22] = 0 }},
	{"modulus 1", "entries[1].purchase_modulus", func(b, e body) { e[22] = 1 }},
	{"modulus below the number", "entries[1].purchase_modulus", func(b, e body) { e[22] = 2 }},
	{"modulus of 33 bits", "entries[1].purchase_modulus", func(b, e body) { e[22] = uint64(1 << 32) }},
	{"modulus as text", "entries[1].purchase_modulus", func(b, e body) { e[22] = "100" }},
	{"modulus of a token", "entries[1].purchase_modulus", func(b, e body) { e[11], e[22] = []any{"tid", 3}, 100 }},
	{"modulus without a purchase", "entries[1].purchase_modulus", func(b, e body) { delete(e, 11); e[22] = 100 }},
	{"amount as number", "entries[1].amount", func(b, e body) { e[12] = 5000 }},
	{"amount as float", "entries[1].amount", func(b, e body) { e[12] = []any{"fen", 50.5} }},
	{"amount in yuan", "entries[1].amount", func(b, e body) { e[12] = []any{"CNY", 50} }},
	{"amount without a unit", "entries[1].amount", func(b, e body) { e[12] = []any{"", 0} }},
	{"amount below zero", "entries[1].amount", func(b, e body) { e[12] = []any{"fen", -1} }},
	{"amount beyond int64", "entries[1].amount", func(b, e body) { e[12] = []any{"fen", uint64(1 << 63)} }},
	{"residual of three parts", "entries[1].residual", func(b, e body) { e[13] = []any{"fen", 1, 0} }},
	{"overdraft below zero", "entries[1].overdraft", func(b, e body) { e[14] = []any{"fen", -1} }},
	{"bought null", "entries[1].bought", func(b, e body) { e[15] = nil }},
	{"used in litres of power", "entries[1].used.unit", func(b, e body) { e[16] = []any{"L", 1} }},
	{"counters empty", "entries[1].counters", func(b, e body) { e[17] = body{} }},
	{"counters as a list", "entries[1].counters", func(b, e body) { e[17] = []any{} }},
	{"unknown counter", "entries[1].counters.key 4", func(b, e body) { e[17] = body{4: 1} }},
	{"counter of 33 bits", "entries[1].counters.pulses", func(b, e body) { e[17] = body{2: uint64(1 << 32)} }},
	{"counter below zero", "entries[1].counters.status_word", func(b, e body) { e[17] = body{3: -1} }},
	{"refusal without a fault", "entries[1].fault", func(b, e body) { delete(e, 18) }},
	{"fault 0", "entries[1].fault", func(b, e body) { e[18] = 0 }},
	{"fault 22", "entries[1].fault", func(b, e body) { e[18] = 22 }},
	{"fault 256, which is 0 in eight bits", "entries[1].fault", func(b, e body) { e[18] = 256 }},
	{"load with a fault", "entries[1].fault", func(b, e body) { e[1] = "load" }},
	{"load of nothing", "entries[1].amount", func(b, e body) { e[1] = "load"; delete(e, 12); delete(e, 18) }},
	{"state with an amount", "entries[1].amount", func(b, e body) { e[1] = "state"; delete(e, 18) }},
	{"sale of purchase 0", "entries[1].purchase.number", func(b, e body) { e[1], e[11] = "sale", []any{"seq", 0}; delete(e, 18) }},
	{"terminal empty", "entries[1].terminal", func(b, e body) { e[19] = "" }},
	{"terminal too long", "entries[1].terminal", func(b, e body) { e[19] = strings.Repeat("t", 129) }},
	{"terminal with an escape", "entries[1].terminal", func(b, e body) { e[19] = "\x1b[2J" }},
	{"no taken_at", "entries[1].taken_at", func(b, e body) { delete(e, 20) }},
	{"taken_at in 2200", "entries[1].taken_at", func(b, e body) { e[20] = int64(7258118400000) }},
	{"recorded_at in 1970", "entries[1].recorded_at", func(b, e body) { e[21] = 1 }},
	{"recorded_at in the year 1, which means not known", "entries[1].recorded_at", func(b, e body) { e[21] = int64(-62135596800000) }},
}

// spoiltCardBytes changes the bytes of cardByHand; old must occur once.
var spoiltCardBytes = []struct{ name, field, old, new string }{
	{"trailing byte", "", "0000019ca8695a8f", "0000019ca8695a8f00"},
	{"entry of indefinite length", "entries[0]", "0481a8", "0481bf"},
	{"taken_at before counters", "entries[0].counters", "11a10207" + "141b0000019ca8695a8f", "141b0000019ca8695a8f" + "11a10207"},
	{"meter twice", "entries[0].meter", "0b8263736571", "0462" + "6d31" + "0b8263736571"},
	{"purchase number in two bytes", "entries[0].purchase", "63736571" + "03", "63736571" + "1803"},
	{"amount in four bytes", "entries[0].amount", "191388", "1a00001388"},
	{"counter in two bytes", "entries[0].counters.pulses", "a10207", "a1021807"},
	{"counters out of order", "entries[0].counters.illegal_cards", "a10207", "a202070101"},
	{"counter twice", "entries[0].counters.pulses", "a10207", "a202070207"},
	{"a thousand million entries", "entries", "0481a8", "049a3b9aca00a8"},
}

func cardRefusals(t testing.TB) []refusal {
	var rs []refusal
	for _, c := range spoiltCards {
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: hex.EncodeToString(mustMarshal(t, wireCards(c.spoil)))})
	}
	for _, c := range spoiltCardBytes {
		if strings.Count(cardByHand, c.old) != 1 {
			t.Fatalf("%s: %q occurs %d times", c.name, c.old, strings.Count(cardByHand, c.old))
		}
		rs = append(rs, refusal{Name: c.name, Field: c.field, CBOR: strings.Replace(cardByHand, c.old, c.new, 1)})
	}
	return rs
}
