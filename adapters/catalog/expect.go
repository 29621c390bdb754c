package catalog

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/schemas"
)

// Expectation is what a quantity must be: Value when Missing is empty, else no
// value for that reason.
type Expectation struct {
	Quantity schemas.Quantity
	Value    schemas.Decimal
	Missing  schemas.Reason
}

// missingPrefix begins an expectation of no value: "missing sentinel".
const missingPrefix = "missing "

// ParseExpectations reads what a vector file expects, quantity by quantity: a
// decimal, or "missing" and the reason. The result is sorted by quantity.
func ParseExpectations(expect map[string]string) ([]Expectation, error) {
	out := make([]Expectation, 0, len(expect))
	for q, want := range expect {
		e, err := parseExpectation(schemas.Quantity(q), want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q, err)
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Expectation) int {
		return strings.Compare(string(a.Quantity), string(b.Quantity))
	})
	return out, nil
}

func parseExpectation(q schemas.Quantity, s string) (Expectation, error) {
	e := Expectation{Quantity: q}
	if reason, ok := strings.CutPrefix(s, missingPrefix); ok {
		e.Missing = schemas.Reason(reason)
		if quality, known := e.Missing.Quality(); !known || quality != schemas.Missing {
			return e, fmt.Errorf("%q is no reason for a missing value", reason)
		}
		return e, nil
	}
	d, err := schemas.ParseDecimal(s)
	e.Value = d
	return e, err
}
