package profiles

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// Vector is one published or computed example of a profile: registers as they
// came over the wire and the values that they must give.
type Vector struct {
	Name string
	// Source says where the registers come from: a document, a capture, or
	// "computed by us".
	Source string
	Blocks []Block
	// Want is sorted by quantity.
	Want []Expectation
}

// Block is a run of registers.
type Block struct {
	Function uint8
	At       uint16
	Words    []uint16
}

// Expectation is what a quantity must be.
type Expectation = catalog.Expectation

// Words returns the registers of a part; ok is false when the vector does not
// give all of them.
func (v Vector) Words(p Part) (words []uint16, ok bool) {
	for _, b := range v.Blocks {
		from := int(p.At) - int(b.At)
		if b.Function == p.Function && from >= 0 && from+p.Words <= len(b.Words) {
			return b.Words[from : from+p.Words], true
		}
	}
	return nil, false
}

// Vectors returns the examples of a profile that comes with the program.
func Vectors(id string) ([]Vector, error) {
	return catalog.Vectors(embedded, id, Load, ParseVectors)
}

// vectorForm is a vector as its file writes it.
type vectorForm struct {
	catalog.VectorForm `yaml:",inline"`
	Registers          []struct {
		Function uint8  `yaml:"function"`
		At       uint16 `yaml:"at"`
		Words    string `yaml:"words"`
	} `yaml:"registers"`
}

// ParseVectors reads the vector file of profile p. A vector that expects a
// quantity the profile does not have, or gives only some of its registers, is
// an error.
func ParseVectors(name string, data []byte, p *Profile) ([]Vector, error) {
	return catalog.ParseVectors(name, data, func(form vectorForm) (Vector, error) { return parseVector(form, p) })
}

func parseVector(form vectorForm, p *Profile) (Vector, error) {
	v := Vector{Name: form.Name, Source: form.Source}
	if v.Name == "" || v.Source == "" || len(form.Expect) == 0 {
		return v, errors.New("want name, source and expect")
	}
	for _, r := range form.Registers {
		words, err := parseWords(r.Words)
		if err != nil {
			return v, fmt.Errorf("registers 0x%04X: %w", r.At, err)
		}
		v.Blocks = append(v.Blocks, Block{Function: r.Function, At: r.At, Words: words})
	}
	want, err := catalog.ParseExpectations(form.Expect)
	if err != nil {
		return v, err
	}
	for _, e := range want {
		if err := v.covers(p, e.Quantity); err != nil {
			return v, err
		}
	}
	v.Want = want
	return v, nil
}

// covers reports a quantity that p does not have or whose registers v lacks.
func (v Vector) covers(p *Profile, q schemas.Quantity) error {
	for _, f := range p.Fields {
		if f.Quantity != q {
			continue
		}
		for _, part := range f.Parts {
			if _, ok := v.Words(part); !ok {
				return fmt.Errorf("%s: register 0x%04X of function %d is not given", q, part.At, part.Function)
			}
		}
		return nil
	}
	return fmt.Errorf("%s: profile %s has no such quantity", q, p.ID)
}

// parseWords reads registers written as hexadecimal words: "4366 3334".
func parseWords(s string) ([]uint16, error) {
	var words []uint16
	for _, w := range strings.Fields(s) {
		n, err := strconv.ParseUint(w, 16, 16)
		if err != nil || len(w) != 4 {
			return nil, fmt.Errorf("%q is no word of four hexadecimal digits", w)
		}
		words = append(words, uint16(n))
	}
	if len(words) == 0 {
		return nil, errors.New("no words")
	}
	return words, nil
}
