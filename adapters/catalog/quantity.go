package catalog

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/schemas"
)

// Head is the part of a field that is the same in every protocol.
type Head struct {
	Quantity schemas.Quantity
	WrapsAt  *schemas.Decimal
	Mask     uint16
	States   map[uint16]uint8
}

// HeadForm is a Head as a file writes it; the form of a field embeds it.
type HeadForm struct {
	Quantity string            `yaml:"quantity"`
	WrapsAt  string            `yaml:"wraps_at"`
	Mask     uint16            `yaml:"mask"`
	States   map[uint16]string `yaml:"states"`
}

// Head returns the head of element i of a list of the file. What cannot be read
// is noted in p; what makes no sense is left to Head.Check.
func (f HeadForm) Head(p *Problems, list string, i int) Head {
	h := Head{Quantity: schemas.Quantity(f.Quantity), Mask: f.Mask}
	if f.WrapsAt != "" {
		d, err := schemas.ParseDecimal(f.WrapsAt)
		if err != nil {
			p.Add(list, i, f.Quantity, "wraps_at: %v", err)
		} else {
			h.WrapsAt = &d
		}
	}
	if f.States != nil {
		var problems []string
		h.States, problems = States(h.Quantity, f.States)
		for _, problem := range problems {
			p.Add(list, i, f.Quantity, "%s", problem)
		}
	}
	return h
}

// Check returns what makes h one that no reading could come of, in words that
// follow the field's name.
func (h Head) Check() (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	info, ok := h.Quantity.Info()
	if !ok {
		add("no such quantity; the list is in schemas/quantities.go")
		return problems
	}
	switch {
	case h.WrapsAt == nil:
	case info.Kind != schemas.Counter:
		add("wraps_at: only a counter rolls over")
	case h.WrapsAt.Mantissa <= 0:
		add("wraps_at: %s is not above zero", h.WrapsAt)
	}
	if info.Kind != schemas.State {
		if h.States != nil || h.Mask != 0 {
			add("states and mask go with a quantity that is a state")
		}
		return problems
	}
	if len(h.States) == 0 {
		add("states: missing; name the raw values")
	}
	for raw, code := range h.States {
		if h.Mask != 0 && raw&^h.Mask != 0 {
			add("states: 0x%04X has bits outside the mask 0x%04X", raw, h.Mask)
		}
		if int(code) >= len(info.States) {
			add("states: 0x%04X gives code %d, the quantity has %d", raw, code, len(info.States))
		}
	}
	return problems
}

// Plate notes what is missing of a meter's model and of the document that its
// profile follows, and a medium that no meter has.
func (p *Problems) Plate(maker, model, document string, medium schemas.Medium) {
	for _, k := range []struct{ key, value string }{
		{"maker", maker}, {"model", model}, {"document", document},
	} {
		if k.value == "" {
			p.AddTop(k.key, "missing")
		}
	}
	switch medium {
	case schemas.Water, schemas.Power, schemas.Gas:
	default:
		p.AddTop("medium", "%q is none of water, power, gas", medium)
	}
}

// OfMedium reports in words a quantity that does not belong into a profile of
// that medium; empty when it does.
func OfMedium(q schemas.Quantity, medium schemas.Medium) string {
	info, ok := q.Info()
	if !ok || info.Medium == medium || info.Medium == schemas.Device {
		return ""
	}
	return fmt.Sprintf("is of %s, the profile is of %s", info.Medium, medium)
}

// States turns the names that a file gives to raw values into the codes of the
// quantity's list. A name that is not in the list is a problem, in words.
func States(q schemas.Quantity, names map[uint16]string) (codes map[uint16]uint8, problems []string) {
	info, _ := q.Info()
	codes = make(map[uint16]uint8, len(names))
	for raw, name := range names {
		code := slices.Index(info.States, name)
		if code < 0 {
			problems = append(problems, fmt.Sprintf("states: 0x%04X: %q is none of %s", raw, name, strings.Join(info.States, ", ")))
			continue
		}
		codes[raw] = uint8(code)
	}
	return codes, problems
}
