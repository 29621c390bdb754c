package profiles

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"citygrid/adapters/catalog"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// Vector is one published or computed example of a profile: answers of a meter
// as they came over the wire and the values that they must give.
type Vector struct {
	Name string
	// Source says where the frames come from: a document, a capture, or
	// "computed by us".
	Source string
	// Answers are whole frames, from the first 68H (or the FEH before it) to
	// 16H.
	Answers [][]byte
	// Origin says which fields of the profile the vector is of: Live, or those
	// of record 1 of that origin.
	Origin schemas.Origin
	// Want is sorted by quantity.
	Want []Expectation
}

// Expectation is what a quantity must be.
type Expectation = catalog.Expectation

// Vectors returns the examples of a profile that comes with the program.
func Vectors(id string) ([]Vector, error) {
	set, err := Embedded()
	if err != nil {
		return nil, err
	}
	p, err := set.Get(id)
	if err != nil {
		return nil, err
	}
	name := id + catalog.VectorSuffix
	data, err := fs.ReadFile(embedded, name)
	if err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	return ParseVectors(name, data, p)
}

// vectorForm is a vector as its file writes it.
type vectorForm struct {
	Name    string            `yaml:"name"`
	Source  string            `yaml:"source"`
	Origin  string            `yaml:"origin"`
	Answers []string          `yaml:"answers"`
	Expect  map[string]string `yaml:"expect"`
}

// ParseVectors reads the vector file of profile p. A vector that expects a
// quantity the profile does not have is an error.
func ParseVectors(name string, data []byte, p *Profile) ([]Vector, error) {
	var forms []vectorForm
	if err := strictyaml.Decode(data, &forms); err != nil {
		return nil, fmt.Errorf("vectors %s: %w", name, err)
	}
	vectors := make([]Vector, 0, len(forms))
	for i, form := range forms {
		v, err := parseVector(form, p)
		if err != nil {
			return nil, fmt.Errorf("vectors %s: [%d] %s: %w", name, i, form.Name, err)
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

func parseVector(form vectorForm, p *Profile) (Vector, error) {
	v := Vector{Name: form.Name, Source: form.Source, Origin: schemas.Origin(form.Origin)}
	if v.Name == "" || v.Source == "" || len(form.Answers) == 0 || len(form.Expect) == 0 {
		return v, errors.New("want name, source, answers and expect")
	}
	for _, a := range form.Answers {
		frame, err := hex.DecodeString(strings.ReplaceAll(a, " ", ""))
		if err != nil {
			return v, fmt.Errorf("answer %q: %w", a, err)
		}
		v.Answers = append(v.Answers, frame)
	}
	fields, err := p.FieldsOf(v.Origin)
	if err != nil {
		return v, err
	}
	if v.Want, err = catalog.ParseExpectations(form.Expect); err != nil {
		return v, err
	}
	for _, e := range v.Want {
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Quantity == e.Quantity }) {
			return v, fmt.Errorf("%s: profile %s has no such quantity", e.Quantity, p.ID)
		}
	}
	return v, nil
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
