package modbus

import (
	"cmp"
	"slices"

	"citygrid/adapters/modbus/profiles"
)

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
// counter may roll over between two requests. So are those of all fields with
// one Together. A profile that is not valid (see profiles.Profile.Validate) is an
// error.
func Plan(p *profiles.Profile) ([]Request, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	spans := make([]Request, 0, len(p.Fields))
	for _, group := range groups(p) {
		spans = append(spans, span(p, group...))
	}
	slices.SortStableFunc(spans, func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.At, b.At), cmp.Compare(a.Count, b.Count))
	})
	return join(p, spans), nil
}

// groups returns the fields that belong together, each group in the order of
// the profile.
func groups(p *profiles.Profile) [][]int {
	var out [][]int
	at := map[string]int{}
	for i, f := range p.Fields {
		if n, ok := at[f.Together]; ok && f.Together != "" {
			out[n] = append(out[n], i)
			continue
		}
		at[f.Together] = len(out)
		out = append(out, []int{i})
	}
	return out
}

// together reports whether two fields must be read in one request.
func together(p *profiles.Profile, a, b int) bool {
	return p.Fields[a].Together != "" && p.Fields[a].Together == p.Fields[b].Together
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

// span returns the request that reads the given fields of p, which all have one
// function, and nothing else than what lies between them.
func span(p *profiles.Profile, fields ...int) Request {
	first, last := 1<<16, -1
	for _, i := range fields {
		for _, part := range p.Fields[i].Parts {
			first, last = min(first, int(part.At)), max(last, int(part.Last()))
		}
	}
	return Request{
		Function: p.Fields[fields[0]].Parts[0].Function,
		At:       uint16(first), Count: uint16(last - first + 1), Fields: fields,
	}
}
