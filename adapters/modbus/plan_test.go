package modbus

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// powerQuantities are numeric quantities for made-up profiles.
func powerQuantities() []schemas.Quantity {
	var out []schemas.Quantity
	for _, info := range schemas.Quantities() {
		if info.Medium == schemas.Power && info.Kind != schemas.State {
			out = append(out, info.Quantity)
		}
	}
	return out
}

// titled fills in what a profile must say of itself, the medium by its first
// field; it returns p.
func titled(p *profiles.Profile) *profiles.Profile {
	p.Maker, p.Model, p.Document = "A", "B", "made up for a test"
	for _, f := range p.Fields {
		if info, ok := f.Quantity.Info(); ok {
			p.Medium = info.Medium
			break
		}
	}
	return p
}

// spread is a profile of one-register fields of function 3.
func spread(maxRegisters, maxGap int, holes []profiles.Span, at ...uint16) *profiles.Profile {
	p := &profiles.Profile{ID: "spread", MaxRegisters: maxRegisters, MaxGap: maxGap, Holes: holes}
	for i, a := range at {
		p.Fields = append(p.Fields, u16Field(powerQuantities()[i], 3, a))
	}
	return p
}

func TestPlan(t *testing.T) {
	hole := func(function uint8, from, to uint16) []profiles.Span {
		return []profiles.Span{{Function: function, From: from, To: to}}
	}
	tests := []struct {
		name    string
		profile *profiles.Profile
		want    string
	}{
		{"gap of 16 joins", spread(125, 16, nil, 0, 17), "3:0+18[0 1]"},
		{"gap of 17 does not", spread(125, 16, nil, 0, 18), "3:0+1[0] 3:18+1[1]"},
		{"gap 0 joins neighbours", spread(125, 0, nil, 1, 0), "3:0+2[1 0]"},
		{"125 registers", spread(125, 124, nil, 0, 124), "3:0+125[0 1]"},
		{"126 registers", spread(125, 124, nil, 0, 125), "3:0+1[0] 3:125+1[1]"},
		{"the device's own limit", spread(10, 16, nil, 0, 9, 10), "3:0+10[0 1] 3:10+1[2]"},
		{"hole between", spread(125, 16, hole(3, 5, 5), 4, 6), "3:4+1[0] 3:6+1[1]"},
		{"hole of another function", spread(125, 16, hole(4, 5, 5), 4, 6), "3:4+3[0 1]"},
		{"top of the address space", spread(125, 16, nil, 0xFFFF, 0xFFFE), "3:65534+2[1 0]"},
		{"functions apart", &profiles.Profile{MaxRegisters: 125, MaxGap: 16, Fields: []profiles.Field{
			u16Field("power.voltage.l1", 4, 0), u16Field("power.voltage.l2", 3, 1),
		}}, "3:1+1[1] 4:0+1[0]"},
		{"parts of a field stay together across any gap", &profiles.Profile{MaxRegisters: 125, MaxGap: 2, Fields: []profiles.Field{
			field(part(0, profiles.U16, 1, abcd), part(50, profiles.U16, 1, abcd)),
		}}, "3:0+51[0]"},
		{"a field between another's parts", &profiles.Profile{MaxRegisters: 125, MaxGap: 2, Fields: []profiles.Field{
			field(part(0, profiles.U16, 1, abcd), part(50, profiles.U16, 1, abcd)), u16Field("power.voltage.l1", 3, 25),
		}}, "3:0+51[0 1]"},
		{"together across any gap", grouped(spread(125, 2, nil, 0, 50, 25, 90), 0, 3), "3:0+91[0 3 2 1]"},
		{"together, what is beside stays apart", grouped(spread(125, 2, nil, 0, 30, 60), 0, 1), "3:0+31[0 1] 3:60+1[2]"},
		{"two states in one register", &profiles.Profile{MaxRegisters: 125, Fields: []profiles.Field{
			{Quantity: "water.valve.state", Parts: []profiles.Part{part(28, profiles.U16, 1, abcd)}, States: map[uint16]uint8{1: 1}},
			{Quantity: "device.battery.state", Parts: []profiles.Part{part(28, profiles.U16, 1, abcd)}, States: map[uint16]uint8{8: 1}},
		}}, "3:28+1[0 1]"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			plan, err := Plan(titled(tc.profile))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range plan {
				got = append(got, fmt.Sprintf("%d:%d+%d%v", r.Function, r.At, r.Count, r.Fields))
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

// grouped puts fields of p in one group.
func grouped(p *profiles.Profile, fields ...int) *profiles.Profile {
	for _, i := range fields {
		p.Fields[i].Together = "group"
	}
	return p
}

// TestTogether: a group that one request cannot hold is refused, and a block is
// never cut inside one.
func TestTogether(t *testing.T) {
	apart := grouped(spread(10, 2, nil, 0, 10), 0, 1)
	holed := grouped(spread(125, 2, []profiles.Span{{Function: 3, From: 5, To: 5}}, 0, 10), 0, 1)
	mixed := grouped(spread(125, 2, nil, 0, 10), 0, 1)
	mixed.Fields[1].Parts[0].Function = 4
	for name, p := range map[string]*profiles.Profile{"too far apart": apart, "a hole between": holed, "two functions": mixed} {
		if plan, err := Plan(titled(p)); err == nil || !strings.Contains(err.Error(), "group") {
			t.Errorf("%s: %v, %v", name, plan, err)
		}
	}
	for _, tc := range []struct {
		group []int
		cut   int
	}{{nil, 2}, {[]int{1, 2}, 1}, {[]int{0, 1, 2}, 3}, {[]int{0, 1, 2, 3}, 0}} {
		p := titled(grouped(spread(125, 2, nil, 0, 1, 2, 3), tc.group...))
		b := newBlock(p, span(p, 0, 1, 2, 3))
		if got := b.middle(); got != tc.cut {
			t.Errorf("group %v: cut before %d, want %d", tc.group, got, tc.cut)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	with := func(p profiles.Part, change func(*profiles.Part)) []profiles.Field {
		change(&p)
		return []profiles.Field{field(p)}
	}
	u32 := part(10, profiles.U32, 2, abcd)
	tests := []struct {
		name   string
		fields []profiles.Field
		want   []string
	}{
		{"no fields", nil, []string{"fields: none"}},
		{"field over 125 registers", []profiles.Field{field(part(0, profiles.U16, 1, abcd), part(125, profiles.U16, 1, abcd))},
			[]string{"power.energy.import", "spans 126"}},
		{"parts of two functions", []profiles.Field{field(part(0, profiles.U16, 1, abcd), u16Field("", 4, 1).Parts[0])},
			[]string{"power.energy.import", "functions 3 and 4"}},
		{"hole between parts", []profiles.Field{field(part(999, profiles.U16, 1, abcd), part(1002, profiles.U16, 1, abcd))},
			[]string{"power.energy.import", "hole"}},
		{"part in a hole", []profiles.Field{field(part(1001, profiles.U16, 1, abcd))}, []string{"power.energy.import", "hole"}},
		{"fields overlap by one register", []profiles.Field{field(u32), u16Field("power.voltage.l1", 3, 11)},
			[]string{"power.voltage.l1", "power.energy.import", "0x000B"}},
		{"parts overlap", []profiles.Field{field(u32, u32)}, []string{"power.energy.import", "overlap"}},
		{"unknown quantity", []profiles.Field{u16Field("power.smell", 3, 1)}, []string{"power.smell"}},
		{"no registers", []profiles.Field{field()}, []string{"power.energy.import", "parts: none"}},
		{"function 1", with(u32, func(p *profiles.Part) { p.Function = 1 }), []string{"function: 1"}},
		{"words", with(u32, func(p *profiles.Part) { p.Words = 3 }), []string{"u32 takes 2 registers, not 3"}},
		{"bcd of none", with(u32, func(p *profiles.Part) { p.Type, p.Words = profiles.BCD, 0 }), []string{"1 to 4 registers, not 0"}},
		{"bcd of five", with(u32, func(p *profiles.Part) { p.Type, p.Words = profiles.BCD, 5 }), []string{"1 to 4 registers, not 5"}},
		{"shift", with(u32, func(p *profiles.Part) { p.Shift = -19 }), []string{"shift: -19"}},
		{"state with times", []profiles.Field{{Quantity: "device.battery.state", States: map[uint16]uint8{1: 1},
			Parts: []profiles.Part{scaled(part(0, profiles.U16, 1, abcd), 10, 0)}}}, []string{"without times and shift"}},
		{"type", with(u32, func(p *profiles.Part) { p.Type = "u24" }), []string{"u24"}},
		{"order", with(u32, func(p *profiles.Part) { p.Order = "" }), []string{"order"}},
		{"times 0", with(u32, func(p *profiles.Part) { p.Times = 0 }), []string{"times: 0"}},
		{"past the end", with(u32, func(p *profiles.Part) { p.At = 0xFFFF }), []string{"0xFFFF"}},
		{"state without codes", []profiles.Field{u16Field("water.valve.state", 3, 1)}, []string{"water.valve.state"}},
		{"state code outside the list", []profiles.Field{{Quantity: "water.valve.state", Parts: with(part(0, profiles.U16, 1, abcd), func(*profiles.Part) {})[0].Parts,
			States: map[uint16]uint8{1: 9}}}, []string{"water.valve.state", "code 9"}},
		{"codes without a state", []profiles.Field{{Quantity: "power.active", Parts: []profiles.Part{u32}, States: map[uint16]uint8{1: 1}}}, []string{"power.active"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Plan(titled(&profiles.Profile{
				ID: "bad", MaxRegisters: 125, MaxGap: 16, Fields: tc.fields,
				Holes: []profiles.Span{{Function: 3, From: 1000, To: 1001}},
			}))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range append(tc.want, "profile bad") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	for _, limit := range []int{-1, 0, 126} {
		if _, err := Plan(titled(spread(limit, 0, nil, 1))); err == nil {
			t.Errorf("MaxRegisters %d accepted", limit)
		}
	}
}

// TestPlanProperties holds random plans to the promises: every field once and
// whole, no hole, no limit passed, the same plan again.
func TestPlanProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	planned := 0
	for range 2000 {
		p := titled(randomProfile(rng))
		plan, err := Plan(p)
		if err != nil {
			continue // the fields happened to overlap
		}
		planned++
		if err := checkPlan(p, plan); err != nil {
			t.Fatalf("%+v\n%+v\n%v", p, plan, err)
		}
		if again, _ := Plan(p); !reflect.DeepEqual(plan, again) {
			t.Fatal("not deterministic")
		}
	}
	if planned < 200 {
		t.Errorf("only %d profiles had a plan", planned)
	}
}

func randomProfile(rng *rand.Rand) *profiles.Profile {
	p := &profiles.Profile{ID: "random", MaxRegisters: 4 + rng.IntN(122), MaxGap: rng.IntN(20)}
	for range rng.IntN(4) {
		from := uint16(rng.IntN(400))
		p.Holes = append(p.Holes, profiles.Span{Function: uint8(3 + rng.IntN(2)), From: from, To: from + uint16(rng.IntN(5))})
	}
	for _, q := range powerQuantities()[:1+rng.IntN(12)] {
		f := profiles.Field{Quantity: q}
		function, at := uint8(3+rng.IntN(2)), uint16(rng.IntN(400))
		for range 1 + rng.IntN(2) {
			pt := part(at, profiles.U32, 2, abcd)
			pt.Function = function
			f.Parts = append(f.Parts, pt)
			at += uint16(2 + rng.IntN(8))
		}
		p.Fields = append(p.Fields, f)
	}
	return p
}

func checkPlan(p *profiles.Profile, plan []Request) error {
	seen := map[int]int{}
	for _, r := range plan {
		if int(r.Count) > p.MaxRegisters || inHole(p, r.Function, int(r.At), r.last()) {
			return fmt.Errorf("request %+v passes a limit", r)
		}
		for _, i := range r.Fields {
			seen[i]++
			for _, part := range p.Fields[i].Parts {
				if part.Function != r.Function || part.At < r.At || int(part.Last()) > r.last() {
					return fmt.Errorf("field %d is not within %+v", i, r)
				}
			}
		}
	}
	for i := range p.Fields {
		if seen[i] != 1 {
			return fmt.Errorf("field %d is read %d times", i, seen[i])
		}
	}
	return nil
}
