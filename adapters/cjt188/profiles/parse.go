package profiles

import (
	"cmp"
	"fmt"

	"citygrid/adapters/catalog"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// profileForm is a profile as its file writes it. README.md beside the files
// explains the keys to the people who write them.
type profileForm struct {
	Maker    string         `yaml:"maker"`
	Model    string         `yaml:"model"`
	Medium   string         `yaml:"medium"`
	Document string         `yaml:"document"`
	Type     uint8          `yaml:"type"`
	Edition  int            `yaml:"edition"`
	Lengths  map[uint16]int `yaml:"lengths"`
	Clock    *clockForm     `yaml:"clock"`
	Monthly  *freezeForm    `yaml:"monthly"`
	Fields   []fieldForm    `yaml:"fields"`
}

type clockForm struct {
	DI uint16 `yaml:"di"`
	At int    `yaml:"at"`
}

type freezeForm struct {
	Kept   int         `yaml:"kept"`
	Day    uint16      `yaml:"day"`
	Fields []fieldForm `yaml:"fields"`
}

type fieldForm struct {
	catalog.HeadForm `yaml:",inline"`
	DI               *uint16  `yaml:"di"`
	At               int      `yaml:"at"`
	Bytes            int      `yaml:"bytes"`
	Format           string   `yaml:"format"`
	Shift            int      `yaml:"shift"`
	Absent           []uint64 `yaml:"absent"`
}

// The names of the lists of fields in a file.
const (
	liveList    = "fields"
	monthlyList = "monthly.fields"
)

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
		Type: form.Type, Edition: form.Edition, Lengths: form.Lengths,
		Fields: c.formed(liveList, form.Fields),
	}
	if form.Clock != nil {
		p.Clock = &Clock{DI: form.Clock.DI, At: form.Clock.At}
	}
	if form.Monthly != nil {
		p.Monthly = &Freeze{Kept: form.Monthly.Kept, DayDI: form.Monthly.Day, Fields: c.formed(monthlyList, form.Monthly.Fields)}
	}
	c.profile(p)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// formed turns the forms of a list into Fields with all defaults filled in.
// What cannot be is left to checker.profile.
func (c *checker) formed(list string, forms []fieldForm) []Field {
	fields := make([]Field, 0, len(forms))
	for i, f := range forms {
		fields = append(fields, c.field(list, i, f))
	}
	return fields
}

func (c *checker) field(list string, i int, form fieldForm) Field {
	if form.DI == nil {
		c.Add(list, i, form.Quantity, "di: missing; give the data identifier")
		form.DI = new(uint16)
	}
	h := form.Head(&c.Problems, list, i)
	return Field{
		Quantity: h.Quantity, WrapsAt: h.WrapsAt, Mask: h.Mask, States: h.States,
		DI: *form.DI, At: form.At, Bytes: form.Bytes,
		Format: cmp.Or(Format(form.Format), BCD), Shift: form.Shift, Absent: form.Absent,
	}
}
