package profiles

import (
	"cmp"
	"fmt"
	"strings"

	"citygrid/adapters/catalog"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// profileForm is a profile as its file writes it. README.md beside the files
// explains the keys to the people who write them.
type profileForm struct {
	Maker        string      `yaml:"maker"`
	Model        string      `yaml:"model"`
	Medium       string      `yaml:"medium"`
	Document     string      `yaml:"document"`
	Function     uint8       `yaml:"function"`
	Order        string      `yaml:"order"`
	MaxRegisters int         `yaml:"max_registers"`
	MaxGap       int         `yaml:"max_gap"`
	Holes        []holeForm  `yaml:"holes"`
	Fields       []fieldForm `yaml:"fields"`
}

type holeForm struct {
	Function uint8  `yaml:"function"`
	From     uint16 `yaml:"from"`
	To       uint16 `yaml:"to"`
}

// fieldForm is one quantity: its single part inline, or its parts as a list.
type fieldForm struct {
	catalog.HeadForm `yaml:",inline"`
	Inline           partForm   `yaml:",inline"`
	Parts            []partForm `yaml:"parts"`
	Together         *string    `yaml:"together"`
}

type partForm struct {
	Function uint8    `yaml:"function"`
	At       *uint16  `yaml:"at"`
	Type     string   `yaml:"type"`
	Words    int      `yaml:"words"`
	Order    string   `yaml:"order"`
	Times    *int64   `yaml:"times"`
	Shift    int      `yaml:"shift"`
	Places   *int     `yaml:"places"`
	Absent   []uint64 `yaml:"absent"`
}

// empty reports whether nothing of the part was written.
func (f partForm) empty() bool {
	return f.At == nil && f.Type == "" && f.Function == 0 && f.Words == 0 &&
		f.Order == "" && f.Times == nil && f.Shift == 0 && f.Places == nil && f.Absent == nil
}

// defaultOrder and MaxRegisters hold where a file says nothing.
const defaultOrder = ABCD

// Parse reads one profile from a YAML file, checks it, and names it after the
// file. What Validate refuses, Parse refuses. Errors name the file, the line and
// the field, all problems at once.
func Parse(name string, data []byte) (*Profile, error) {
	var form profileForm
	if err := strictyaml.Decode(data, &form); err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	c := &checker{catalog.Problems{Name: name, Lines: catalog.Lines(data)}}
	p := &Profile{
		ID: catalog.IDOf(name), Maker: form.Maker, Model: form.Model,
		Medium: schemas.Medium(form.Medium), Document: form.Document,
		MaxRegisters: form.MaxRegisters, MaxGap: form.MaxGap,
	}
	if p.MaxRegisters == 0 {
		p.MaxRegisters = MaxRegisters
	}
	for _, h := range form.Holes {
		p.Holes = append(p.Holes, Span{Function: cmp.Or(h.Function, form.Function), From: h.From, To: h.To})
	}
	for i, f := range form.Fields {
		p.Fields = append(p.Fields, c.formed(i, f, &form))
	}
	c.profile(p)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// formed turns the form of field i into a Field with all defaults filled in.
func (c *checker) formed(i int, f fieldForm, defaults *profileForm) Field {
	field := Field{Quantity: schemas.Quantity(f.Quantity), Mask: f.Mask}
	parts := f.Parts
	switch {
	case len(parts) == 0:
		parts = []partForm{f.Inline}
	case !f.Inline.empty():
		c.add(i, field.Quantity, "has both parts and a register of its own; write one or the other")
	}
	for _, pf := range parts {
		field.Parts = append(field.Parts, c.part(i, field.Quantity, pf, defaults))
	}
	if f.Together != nil {
		if field.Together = *f.Together; strings.TrimSpace(field.Together) == "" {
			c.add(i, field.Quantity, "together: empty; name the group, or leave the key out")
		}
	}
	h := f.Head(&c.Problems, "fields", i)
	field.WrapsAt, field.States = h.WrapsAt, h.States
	return field
}

// part fills in the defaults of a part. What cannot be is left to checker.profile.
func (c *checker) part(i int, q schemas.Quantity, f partForm, defaults *profileForm) Part {
	p := Part{
		Function: cmp.Or(f.Function, defaults.Function),
		Type:     Type(f.Type),
		Words:    cmp.Or(f.Words, wordsOf(Type(f.Type))),
		Order:    Order(cmp.Or(f.Order, defaults.Order, string(defaultOrder))),
		Times:    1,
		Shift:    f.Shift,
		Absent:   f.Absent,
	}
	if f.At == nil {
		c.add(i, q, "at: missing; give the wire address (0-based)")
	} else {
		p.At = *f.At
	}
	if f.Times != nil {
		p.Times = *f.Times
	}
	if f.Places != nil {
		if p.Places = *f.Places; p.Places == 0 {
			c.add(i, q, "places: 0; want 1 to %d, or leave it out", maxShift)
		}
	}
	return p
}
