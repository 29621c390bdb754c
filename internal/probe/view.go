package probe

import (
	"encoding/hex"
	"fmt"
	"strings"

	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// words returns registers as four digits each.
func words(raw []byte) string {
	var out []string
	for i := 0; i+1 < len(raw); i += 2 {
		out = append(out, strings.ToUpper(hex.EncodeToString(raw[i:i+2])))
	}
	return strings.Join(out, " ")
}

// parseWords reads what words writes, blanks or not.
func parseWords(text string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*profiles.MaxRegisters {
		return nil, fmt.Errorf("--words %q: want 1 to %d registers of four hexadecimal digits each", text, profiles.MaxRegisters)
	}
	return raw, nil
}

// shape is a way of reading registers as a number.
type shape struct {
	typ   profiles.Type
	words int
}

func (s shape) String() string {
	if s.typ == profiles.BCD {
		return fmt.Sprintf("bcd*%d", s.words)
	}
	return string(s.typ)
}

// shapes returns all of them, those that meters use most first.
func shapes() []shape {
	return []shape{
		{profiles.F32, 2}, {profiles.U32, 2}, {profiles.BCD, 2}, {profiles.U16, 1}, {profiles.F64, 4}, {profiles.U64, 4},
		{profiles.I32, 2}, {profiles.I16, 1}, {profiles.I64, 4}, {profiles.BCD, 3}, {profiles.BCD, 4}, {profiles.BCD, 1},
	}
}

// orders returns the orders that differ for so many registers.
func orders(words int) []profiles.Order {
	if words == 1 {
		return []profiles.Order{profiles.ABCD, profiles.BADC}
	}
	return []profiles.Order{profiles.ABCD, profiles.CDAB, profiles.BADC, profiles.DCBA}
}

// anything is a quantity to decode by whose value may be any number.
const anything schemas.Quantity = "power.active"

// value reads a part from the registers raw, which begin at wire address at; ok
// is false when they hold no such number. It is the collector's own decoder.
func value(part profiles.Part, at uint16, raw []byte) (d schemas.Decimal, ok bool) {
	f := profiles.Field{Quantity: anything, Parts: []profiles.Part{part}}
	d, reason, err := modbus.Decode(&f, at, raw)
	return d, err == nil && reason == ""
}

// View is one run of registers read in one way.
type View struct {
	At    uint16 `json:"at"`
	Words string `json:"words"`
	Type  string `json:"type"`
	// Values are by order; an order without a number is left out.
	Values map[profiles.Order]string `json:"values"`
}

// views reads every run of raw in every way.
func views(function uint8, at uint16, raw []byte) (all []View) {
	n := len(raw) / 2
	for i := range n {
		for _, s := range shapes() {
			if i+s.words > n {
				continue
			}
			v := View{At: at + uint16(i), Words: words(raw[2*i : 2*(i+s.words)]), Type: s.String(), Values: map[profiles.Order]string{}}
			for _, o := range orders(s.words) {
				part := profiles.Part{Function: function, At: v.At, Type: s.typ, Words: s.words, Order: o, Times: 1}
				if d, ok := value(part, at, raw); ok {
					v.Values[o] = d.String()
				}
			}
			if len(v.Values) > 0 {
				all = append(all, v)
			}
		}
	}
	return all
}
