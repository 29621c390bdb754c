package modbus

import (
	"cmp"
	"fmt"
	"slices"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// maxRegisters bounds the registers of one read [Modbus 6.3].
const maxRegisters = 125

// Request is one read of a run of registers.
type Request struct {
	// Function is 3 (holding) or 4 (input registers).
	Function uint8
	// At is the wire address of the first register, Count how many there are.
	At, Count uint16
	// Fields are the indices of the profile's fields that the answer holds,
	// by their first register.
	Fields []int
}

// last returns the wire address of the last register.
func (r Request) last() int { return int(r.At) + int(r.Count) - 1 }

// Plan returns the requests that read every field of p, in the order of
// function and address; the same profile always gives the same plan.
//
// Fields are joined while the registers between them are at most p.MaxGap, none
// of those read is in a hole, and the request stays within p.MaxRegisters. All
// registers of one field are in one request, whatever lies between them: a
// counter may roll over between two requests. A field for which that cannot be,
// or which cannot be decoded, is an error that names it.
func Plan(p *profiles.Profile) ([]Request, error) {
	if p.MaxRegisters < 1 || p.MaxRegisters > maxRegisters {
		return nil, fmt.Errorf("profile %s: MaxRegisters is %d, want 1 to %d", p.ID, p.MaxRegisters, maxRegisters)
	}
	if len(p.Fields) == 0 {
		return nil, fmt.Errorf("profile %s: has no fields", p.ID)
	}
	spans := make([]Request, 0, len(p.Fields))
	for i := range p.Fields {
		span, err := fieldSpan(p, i)
		if err == nil {
			err = sharesWhole(p, i)
		}
		if err != nil {
			return nil, fmt.Errorf("profile %s: field %s: %w", p.ID, p.Fields[i].Quantity, err)
		}
		spans = append(spans, span)
	}
	slices.SortStableFunc(spans, func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.At, b.At), cmp.Compare(a.Count, b.Count))
	})
	return join(p, spans), nil
}

// join merges neighbours in sorted spans.
func join(p *profiles.Profile, spans []Request) []Request {
	var plan []Request
	for _, s := range spans {
		if n := len(plan); n > 0 {
			if merged, ok := merge(p, plan[n-1], s); ok {
				plan[n-1] = merged
				continue
			}
		}
		plan = append(plan, s)
	}
	return plan
}

// merge returns the request that reads a and b, which does not begin before a.
func merge(p *profiles.Profile, a, b Request) (Request, bool) {
	last := max(a.last(), b.last())
	count := last - int(a.At) + 1
	if a.Function != b.Function || int(b.At)-a.last()-1 > p.MaxGap || count > p.MaxRegisters ||
		inHole(p, a.Function, int(a.At), last) {
		return Request{}, false
	}
	a.Count = uint16(count)
	a.Fields = slices.Concat(a.Fields, b.Fields)
	return a, true
}

func inHole(p *profiles.Profile, function uint8, first, last int) bool {
	return slices.ContainsFunc(p.Holes, func(h profiles.Span) bool {
		return h.Function == function && first <= int(h.To) && int(h.From) <= last
	})
}

// fieldSpan returns the request that reads field i alone.
func fieldSpan(p *profiles.Profile, i int) (Request, error) {
	f := &p.Fields[i]
	if err := checkField(f); err != nil {
		return Request{}, err
	}
	function, first, last := f.Parts[0].Function, 1<<16, -1
	for _, part := range f.Parts {
		if part.Function != function {
			return Request{}, fmt.Errorf("its parts need functions %d and %d; they must come in one request", function, part.Function)
		}
		first, last = min(first, int(part.At)), max(last, lastOf(part))
	}
	if n := last - first + 1; n > p.MaxRegisters {
		return Request{}, fmt.Errorf("spans %d registers, one request may read %d", n, p.MaxRegisters)
	}
	if inHole(p, function, first, last) {
		return Request{}, fmt.Errorf("registers 0x%04X-0x%04X reach into a hole; they must come in one request", first, last)
	}
	return Request{Function: function, At: uint16(first), Count: uint16(last - first + 1), Fields: []int{i}}, nil
}

// lastOf is Part.Last without its wrap at the end of the address space.
func lastOf(p profiles.Part) int { return int(p.At) + p.Words - 1 }

// checkField reports a field that Decode could not decode.
func checkField(f *profiles.Field) error {
	info, ok := f.Quantity.Info()
	if !ok {
		return fmt.Errorf("unknown quantity")
	}
	if len(f.Parts) == 0 {
		return fmt.Errorf("has no registers")
	}
	if err := checkStates(f, info); err != nil {
		return err
	}
	for _, part := range f.Parts {
		if err := checkPart(part); err != nil {
			return fmt.Errorf("register 0x%04X: %w", part.At, err)
		}
	}
	return nil
}

// checkStates reports a state without codes, codes without a state, and codes
// that the quantity does not have.
func checkStates(f *profiles.Field, info schemas.QuantityInfo) error {
	if info.Kind != schemas.State {
		if f.States != nil {
			return fmt.Errorf("has states and is none")
		}
		return nil
	}
	if len(f.Parts) != 1 || f.Parts[0].Type != profiles.U16 || len(f.States) == 0 {
		return fmt.Errorf("a state is one u16 register with its codes named")
	}
	for raw, code := range f.States {
		if int(code) >= len(info.States) {
			return fmt.Errorf("register value 0x%04X gives code %d, the quantity has %d", raw, code, len(info.States))
		}
	}
	return nil
}

func checkPart(p profiles.Part) error {
	if p.Function != 3 && p.Function != 4 {
		return fmt.Errorf("function %d, want 3 or 4", p.Function)
	}
	want := p.Words
	switch p.Type {
	case profiles.U16, profiles.I16:
		want = 1
	case profiles.U32, profiles.I32, profiles.F32:
		want = 2
	case profiles.U64, profiles.I64, profiles.F64:
		want = 4
	case profiles.BCD:
	default:
		return fmt.Errorf("unknown type %q", p.Type)
	}
	if p.Words < 1 || p.Words != want {
		return fmt.Errorf("%s of %d registers", p.Type, p.Words)
	}
	if lastOf(p) > 0xFFFF {
		return fmt.Errorf("runs past register 0xFFFF")
	}
	switch p.Order {
	case profiles.ABCD, profiles.CDAB, profiles.BADC, profiles.DCBA:
	default:
		return fmt.Errorf("unknown order %q", p.Order)
	}
	if p.Times == 0 {
		return fmt.Errorf("times 0 would make every value zero")
	}
	return nil
}

// sharesWhole reports registers that field i and an earlier one both claim
// without claiming the same run: one of the two addresses is wrong. The same
// run twice is what two states in one status register look like; within one
// field it would be counted twice.
func sharesWhole(p *profiles.Profile, i int) error {
	for n, a := range p.Fields[i].Parts {
		for _, b := range p.Fields[i].Parts[:n] {
			if overlap(a, b) {
				return fmt.Errorf("two of its parts overlap at 0x%04X", max(a.At, b.At))
			}
		}
		for _, other := range p.Fields[:i] {
			for _, b := range other.Parts {
				if overlap(a, b) && (a.At != b.At || a.Words != b.Words) {
					return fmt.Errorf("register 0x%04X overlaps %s at 0x%04X", a.At, other.Quantity, b.At)
				}
			}
		}
	}
	return nil
}

func overlap(a, b profiles.Part) bool {
	return a.Function == b.Function && int(a.At) <= lastOf(b) && int(b.At) <= lastOf(a)
}
