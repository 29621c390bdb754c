package catalog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// VectorForm is the part of an example that the vector files of all protocols
// have; the form of a protocol embeds it.
type VectorForm struct {
	Name   string            `yaml:"name"`
	Source string            `yaml:"source"`
	Expect map[string]string `yaml:"expect"`
}

// Title is the name under which errors speak of the example.
func (f VectorForm) Title() string { return f.Name }

// Vectors returns the examples of the profile of that id which lies, with its
// vector file, in the root of fsys.
func Vectors[P, V any](fsys fs.FS, id string, load func(fs.FS) (*Set[P], error), parse func(name string, data []byte, p *P) ([]V, error)) ([]V, error) {
	set, err := load(fsys)
	if err != nil {
		return nil, err
	}
	p, err := set.Get(id)
	if err != nil {
		return nil, err
	}
	name := id + VectorSuffix
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	return parse(name, data, p)
}

// ParseVectors reads a vector file, strictly. parse turns the form F of one
// example into a vector; its error comes with the file, the place and the title.
func ParseVectors[F interface{ Title() string }, V any](name string, data []byte, parse func(F) (V, error)) ([]V, error) {
	var forms []F
	if err := strictyaml.Decode(data, &forms); err != nil {
		return nil, fmt.Errorf("vectors %s: %w", name, err)
	}
	vectors := make([]V, 0, len(forms))
	for i, form := range forms {
		v, err := parse(form)
		if err != nil {
			return nil, fmt.Errorf("vectors %s: [%d] %s: %w", name, i, form.Title(), err)
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// FrameVector is one published or computed example of a profile: answers of a
// meter as they came over the wire and the values that they must give.
type FrameVector struct {
	Name string
	// Source says where the frames come from: a document, a capture, or
	// "computed by us".
	Source string
	// Answers are whole frames, with or without the bytes that wake the meter.
	Answers [][]byte
	// Origin says which fields of the profile the vector is of: Live, or those
	// of record 1 of that origin.
	Origin schemas.Origin
	// Want is sorted by quantity.
	Want []Expectation
}

// frameForm is a FrameVector as its file writes it.
type frameForm struct {
	VectorForm `yaml:",inline"`
	Origin     string   `yaml:"origin"`
	Answers    []string `yaml:"answers"`
}

// ParseFrameVectors reads the vector file of the profile of that id. has reports
// whether the profile has a quantity among its fields of an origin; it is an
// error to expect another, or to name an origin that the profile has no records
// of.
func ParseFrameVectors(name string, data []byte, id string, has func(schemas.Origin, schemas.Quantity) (bool, error)) ([]FrameVector, error) {
	return ParseVectors(name, data, func(form frameForm) (FrameVector, error) {
		v, err := form.vector()
		for i := 0; i < len(v.Want) && err == nil; i++ {
			var ok bool
			if ok, err = has(v.Origin, v.Want[i].Quantity); err == nil && !ok {
				err = fmt.Errorf("%s: profile %s has no such quantity", v.Want[i].Quantity, id)
			}
		}
		return v, err
	})
}

func (f frameForm) vector() (v FrameVector, err error) {
	v = FrameVector{Name: f.Name, Source: f.Source, Origin: schemas.Origin(f.Origin)}
	if v.Name == "" || v.Source == "" || len(f.Answers) == 0 || len(f.Expect) == 0 {
		return v, errors.New("want name, source, answers and expect")
	}
	for _, a := range f.Answers {
		frame, err := hex.DecodeString(strings.ReplaceAll(a, " ", ""))
		if err != nil {
			return v, fmt.Errorf("answer %q: %w", a, err)
		}
		v.Answers = append(v.Answers, frame)
	}
	v.Want, err = ParseExpectations(f.Expect)
	return v, err
}
