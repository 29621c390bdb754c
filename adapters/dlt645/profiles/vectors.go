package profiles

import (
	"fmt"
	"slices"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// Vector is one example of a profile. Its answers are frames from the first 68H
// (or the FEH before it) to 16H.
type Vector = catalog.FrameVector

// Expectation is what a quantity must be.
type Expectation = catalog.Expectation

// Vectors returns the examples of a profile that comes with the program.
func Vectors(id string) ([]Vector, error) {
	return catalog.Vectors(embedded, id, Load, ParseVectors)
}

// ParseVectors reads the vector file of profile p. A vector that expects a
// quantity the profile does not have is an error.
func ParseVectors(name string, data []byte, p *Profile) ([]Vector, error) {
	return catalog.ParseFrameVectors(name, data, p.ID, func(o schemas.Origin, q schemas.Quantity) (bool, error) {
		fields, err := p.FieldsOf(o)
		return slices.ContainsFunc(fields, func(f Field) bool { return f.Quantity == q }), err
	})
}

// FieldsOf returns the fields of an origin: those of a read of the meter for
// schemas.Live, those of record 1 for the freezes.
func (p *Profile) FieldsOf(o schemas.Origin) ([]Field, error) {
	switch {
	case o == schemas.Live:
		return p.Fields, nil
	case o == schemas.DailyFreeze && p.Daily != nil:
		return p.Daily.Fields, nil
	case o == schemas.MonthlyFreeze && p.Monthly != nil:
		return p.Monthly.Fields, nil
	}
	return nil, fmt.Errorf("profile %s has no records of origin %q", p.ID, o)
}
