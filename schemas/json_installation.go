package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

type installationJSON struct {
	Meter      MeterID              `json:"meter"`
	Serial     *string              `json:"serial,omitempty"`
	From       moment               `json:"from"`
	To         *moment              `json:"to,omitempty"`
	First      map[Quantity]Decimal `json:"first,omitempty"`
	Last       map[Quantity]Decimal `json:"last,omitempty"`
	WrapsAt    map[Quantity]Decimal `json:"wraps_at,omitempty"`
	Multiplier Decimal              `json:"multiplier"`
}

// MarshalJSON writes {"meter", "serial", "from", "to", "first", "last",
// "wraps_at", "multiplier"}; what is empty is left out.
func (i Installation) MarshalJSON() ([]byte, error) {
	if err := i.Validate(); err != nil {
		return nil, err
	}
	j := installationJSON{Meter: i.Meter, From: moment(i.From), First: i.First, Last: i.Last,
		WrapsAt: i.WrapsAt, Multiplier: i.Multiplier}
	if i.Serial != "" {
		j.Serial = &i.Serial
	}
	if !i.To.IsZero() {
		to := moment(i.To)
		j.To = &to
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (i *Installation) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Installation{
		Meter:      member[MeterID](o, "meter"),
		From:       time.Time(member[moment](o, "from")),
		First:      memberRegisters(o, "first"),
		Last:       memberRegisters(o, "last"),
		WrapsAt:    memberRegisters(o, "wraps_at"),
		Multiplier: member[Decimal](o, "multiplier"),
	}
	if o.has("serial") {
		v.Serial = memberText(o, "serial")
	}
	if o.has("to") {
		v.To = time.Time(member[moment](o, "to"))
	}
	return o.finish(v.Validate, func() { *i = v })
}

// memberRegisters takes a map of register values that is left out rather than
// empty.
func memberRegisters(o *object, name string) map[Quantity]Decimal {
	if !o.has(name) {
		return nil
	}
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	in := openObject(raw)
	values := make(map[Quantity]Decimal, len(in.members))
	for _, q := range Quantities() {
		if in.has(string(q.Quantity)) {
			values[q.Quantity] = member[Decimal](in, string(q.Quantity))
		}
	}
	empty := in.err == nil && len(values) == 0 && len(in.members) == 0
	err := in.finish(nil, func() {})
	if empty {
		err = &FieldError{Problem: "empty; leave the field out"}
	}
	o.err = at(name, err)
	return values
}

// fileTime is a moment as people write it into a file: RFC 3339 with a zone,
// to the millisecond at the finest. A date alone is refused: it does not say
// at which hour the meter was fitted.
type fileTime time.Time

// UnmarshalText reads RFC 3339 and returns UTC.
func (f *fileTime) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no time: write it with its zone, such as 2026-03-01T09:30:00+08:00", text)
	}
	*f = fileTime(t.UTC())
	return nil
}

// fileDecimal is a number as people write it into a file: as the display shows
// it, leading zeros too.
type fileDecimal Decimal

// UnmarshalText reads what ParseDecimal reads.
func (f *fileDecimal) UnmarshalText(text []byte) error {
	d, err := ParseDecimal(string(text))
	*f = fileDecimal(d)
	return err
}

type fileRegisters map[Quantity]fileDecimal

func (f fileRegisters) decimals() map[Quantity]Decimal {
	if len(f) == 0 {
		return nil
	}
	values := make(map[Quantity]Decimal, len(f))
	for q, v := range f {
		values[q] = Decimal(v)
	}
	return values
}

type installationFile struct {
	Meter      MeterID       `yaml:"meter"`
	Serial     string        `yaml:"serial"`
	From       fileTime      `yaml:"from"`
	To         fileTime      `yaml:"to"`
	First      fileRegisters `yaml:"first"`
	Last       fileRegisters `yaml:"last"`
	WrapsAt    fileRegisters `yaml:"wraps_at"`
	Multiplier *fileDecimal  `yaml:"multiplier"`
}

// UnmarshalYAML reads an installation of a configuration file: the fields of
// the JSON form, times as RFC 3339 with any zone, numbers with or without
// quotes and exact either way, multiplier 1 when it is left out. The meter may
// be left out where the place in the file says it. It does not validate:
// SortInstallations does, when the meter is known. An unknown key is refused
// where the decoder is told to.
//
// The signature is the one of yaml packages that needs no import of theirs.
func (i *Installation) UnmarshalYAML(unmarshal func(any) error) error {
	var f installationFile
	if err := unmarshal(&f); err != nil {
		return err
	}
	*i = Installation{Meter: f.Meter, Serial: f.Serial, From: time.Time(f.From), To: time.Time(f.To),
		First: f.First.decimals(), Last: f.Last.decimals(), WrapsAt: f.WrapsAt.decimals(), Multiplier: Decimal{Mantissa: 1}}
	if f.Multiplier != nil {
		i.Multiplier = Decimal(*f.Multiplier)
	}
	return nil
}
