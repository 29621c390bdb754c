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
	Maker    string      `yaml:"maker"`
	Model    string      `yaml:"model"`
	Medium   string      `yaml:"medium"`
	Document string      `yaml:"document"`
	Edition  int         `yaml:"edition"`
	Open     []uint32    `yaml:"open"`
	Serial   uint32      `yaml:"serial"`
	Clock    *clockForm  `yaml:"clock"`
	Daily    *freezeForm `yaml:"daily"`
	Monthly  *freezeForm `yaml:"monthly"`
	Fields   []fieldForm `yaml:"fields"`
}

type clockForm struct {
	Date uint32 `yaml:"date"`
	Time uint32 `yaml:"time"`
	Both uint32 `yaml:"both"`
}

type freezeForm struct {
	Kept   int         `yaml:"kept"`
	Time   uint32      `yaml:"time"`
	Day    uint32      `yaml:"day"`
	Days   int         `yaml:"days"`
	Fields []fieldForm `yaml:"fields"`
}

type fieldForm struct {
	catalog.HeadForm `yaml:",inline"`
	DI               *uint32  `yaml:"di"`
	At               int      `yaml:"at"`
	Bytes            int      `yaml:"bytes"`
	Format           string   `yaml:"format"`
	Shift            int      `yaml:"shift"`
	Absent           []uint64 `yaml:"absent"`
}

// The names of the lists of fields in a file.
const (
	liveList    = "fields"
	dailyList   = "daily.fields"
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
	c := &checker{Problems: catalog.Problems{Name: name, Lines: catalog.Lines(data)}}
	p := &Profile{
		ID: catalog.IDOf(name), Maker: form.Maker, Model: form.Model,
		Medium: schemas.Medium(form.Medium), Document: form.Document,
		Edition: form.Edition, Open: form.Open, Serial: form.Serial,
		Fields:  c.formed(liveList, form.Fields),
		Daily:   c.freeze(dailyList, form.Daily),
		Monthly: c.freeze(monthlyList, form.Monthly),
	}
	if form.Clock != nil {
		p.Clock = &Clock{DateDI: form.Clock.Date, TimeDI: form.Clock.Time, BothDI: form.Clock.Both}
	}
	c.profile(p)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// freeze turns the form of a series of records into a Freeze.
func (c *checker) freeze(list string, form *freezeForm) *Freeze {
	if form == nil {
		return nil
	}
	f := &Freeze{Kept: form.Kept, TimeDI: form.Time, DayDI: form.Day, Days: form.Days, Fields: c.formed(list, form.Fields)}
	if f.DayDI != 0 && f.Days == 0 {
		f.Days = 1
	}
	return f
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
		form.DI = new(uint32)
	}
	h := form.Head(&c.Problems, list, i)
	return Field{
		Quantity: h.Quantity, WrapsAt: h.WrapsAt, Mask: h.Mask, States: h.States,
		DI: *form.DI, At: form.At, Bytes: form.Bytes,
		Format: cmp.Or(Format(form.Format), BCD), Shift: form.Shift, Absent: form.Absent,
	}
}
