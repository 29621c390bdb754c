package schemas

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

// cardRules says which fields of a card entry go together.
func cardRules() []any {
	events := func(list ...CardEvent) node { return node{"properties": node{"event": node{"enum": list}}} }
	when := func(condition, then, otherwise node) node {
		return node{"if": condition, "then": then, "else": otherwise}
	}
	never := func(field string) node { return node{"properties": node{field: false}} }
	units := func(list ...CreditUnit) node {
		unit, all := node{"properties": node{"unit": node{"enum": list}}}, node{}
		for _, c := range new(CardEntry).credits() {
			all[entryFields[c.key]] = unit
		}
		return node{"properties": all}
	}
	notBelowZero := node{"properties": node{"value": node{"pattern": "^[0-9]"}}}
	return []any{
		node{"anyOf": []any{node{"required": []string{"meter"}}, node{"required": []string{"meter_number"}}}},
		node{"dependentRequired": node{"installed_at": []string{"meter"}, "purchase_modulus": []string{"purchase"}}},
		when(node{"required": []string{"purchase_modulus"}},
			node{"properties": node{"purchase": node{"properties": node{"scheme": node{"const": BySequence}}}}}, node{}),
		when(events(CardIssue), node{}, never("replaces")),
		when(events(CardSale, CardClear, CardLoad), node{"required": []string{"amount"},
			"properties": node{"purchase": node{"properties": node{"number": node{"minimum": 1}}}}}, node{}),
		when(events(CardReturn, CardState), never("amount"), node{}),
		when(events(CardRefusal), node{"required": []string{"fault"}}, never("fault")),
		when(node{"properties": node{"utility": node{"const": Power}}}, units(CreditFen, CreditWh), units(CreditFen, CreditLitre)),
		node{"properties": node{"amount": notBelowZero, "overdraft": notBelowZero}},
	}
}

// cardNodes are those of the parts of a card entry.
func cardNodes(t *testing.T) node {
	counters := node{}
	for _, name := range CardCounters() {
		counters[string(name)] = typeNodes()[reflect.TypeFor[uint32]()]
	}
	purchase := objectNode(t, reflect.TypeFor[purchaseJSON](), nil)
	purchase["if"] = node{"properties": node{"scheme": node{"const": ByTID}}}
	purchase["then"] = node{"properties": node{"number": node{"maximum": MaxTID}}}
	nodes := node{
		"meter_number": digitsNode(meterDigits), "terminal": lineNode(MaxTerminal), "purchase": purchase,
		"purchase_modulus": node{"type": "integer", "minimum": minModulus, "maximum": uint32(math.MaxUint32)},
		"counters":         node{"type": "object", "additionalProperties": false, "minProperties": 1, "properties": counters},
	}
	for _, c := range new(CardEntry).credits() {
		nodes[entryFields[c.key]] = objectNode(t, reflect.TypeFor[creditJSON](), nil)
	}
	return nodes
}

func TestCardJSONForms(t *testing.T) {
	for _, doc := range []string{loadJSON, issueJSON, refusalJSON, stateJSON, wrapJSON} {
		var e CardEntry
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			t.Fatal(err)
		}
		if out, err := json.Marshal(e); err != nil || string(out) != doc {
			t.Errorf("got %s, %v, want %s", out, err, doc)
		}
	}
}
