package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"citygrid/adapters/catalog"
	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// saving is the flags that make a field of a profile.
type saving struct {
	file, quantity         string
	pick                   int
	maker, model, document string
}

func (s *saving) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.file, "save", "", "add the way chosen to this profile, a `FILE` such as my-meter.yaml, and the registers to its vectors")
	f.StringVar(&s.quantity, "quantity", "", "what the number is, such as power.energy.import")
	f.IntVar(&s.pick, "pick", 0, "which of the ways listed")
	f.StringVar(&s.maker, "maker", "", "of a new profile: who makes the meter")
	f.StringVar(&s.model, "model", "", "of a new profile: the meter's model")
	f.StringVar(&s.document, "document", "", "of a new profile: the maker's document, or where the map was taken from")
}

// prepare returns by how many powers of ten the display's unit is to be scaled
// to the quantity's, and says what is wrong with the flags.
func (s *saving) prepare(unitOf string, ranked bool) (shift int, err error) {
	if s.file == "" {
		if s.quantity != "" || s.pick != 0 {
			return 0, errors.New("--quantity and --pick go with --save")
		}
		return 0, nil
	}
	info, ok := schemas.Quantity(s.quantity).Info()
	switch {
	case !ranked:
		return 0, errors.New("--save: give the number on the display (--display): the profile's golden vector is made of it")
	case s.pick < 1:
		return 0, errors.New("--save: say which of the ways listed (--pick N); without --save they are listed")
	case !ok:
		return 0, fmt.Errorf("--quantity %q: no such quantity; the list is in schemas/quantities.md", s.quantity)
	case info.Kind == schemas.State:
		return 0, fmt.Errorf("--quantity %s: a state needs its list of raw values; write that into the profile by hand", s.quantity)
	case !strings.HasSuffix(s.file, catalog.ProfileSuffix) || strings.HasSuffix(s.file, catalog.VectorSuffix):
		return 0, fmt.Errorf("--save %s: want a name that ends in %s", s.file, catalog.ProfileSuffix)
	}
	return unitShift(unitOf, info.Unit)
}

// unitShift returns n such that a number in the unit shown times 10^n is one in
// the quantity's unit.
func unitShift(shown string, unit schemas.Unit) (int, error) {
	if shown == "" || schemas.Unit(shown) == unit {
		return 0, nil
	}
	families := [...]map[schemas.Unit]int{
		{"W.h": 0, "kW.h": 3, "MW.h": 6}, {"var.h": 0, "kvar.h": 3}, {"W": 0, "kW": 3, "MW": 6},
		{"var": 0, "kvar": 3}, {"V.A": 0, "kV.A": 3}, {"L": 0, "m3": 3}, {"L/h": 0, "m3/h": 3},
		{"mV": 0, "V": 3, "kV": 6}, {"mA": 0, "A": 3}, {"Pa": 0, "kPa": 3, "MPa": 6},
	}
	for _, f := range families {
		from, ok := f[schemas.Unit(shown)]
		to, fits := f[unit]
		if ok && fits {
			return from - to, nil
		}
	}
	return 0, fmt.Errorf("--unit-of %s: is no power of ten of the quantity's unit %s", shown, unit)
}

// write adds the pick to the profile, once the whole has been proved.
func (s *saving) write(progress io.Writer, b *block, r BlockReport, moments []moment) error {
	if s.pick > len(r.Picks) {
		return fmt.Errorf("--pick %d: %d ways are listed", s.pick, len(r.Picks))
	}
	pick := r.Picks[s.pick-1]
	if pick.Hits < len(moments) {
		return cli.Failed(fmt.Errorf("--pick %d gives the display's number at %d of %d moments only: not saved", s.pick, pick.Hits, len(moments)))
	}
	shift, err := s.prepare(b.unitOf, true)
	if err != nil {
		return err
	}
	part := pick.part(uint8(r.Function))
	part.Shift += shift
	d := draft{saving: *s, part: part, at: r.At, moments: moments}
	for _, shown := range b.displays {
		d.sources = append(d.sources, fmt.Sprintf("%s, %s; the display showed %s", origin(r),
			time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(shown+" "+b.unitOf)))
	}
	profile, vectors, err := d.make()
	if err != nil {
		return cli.Failed(fmt.Errorf("--save: %w", err))
	}
	if err := durable.WriteFile(s.file, profile, 0o644); err != nil {
		return cli.Failed(err)
	}
	if err := durable.WriteFile(vectorsOf(s.file), vectors, 0o644); err != nil {
		return cli.Failed(err)
	}
	fmt.Fprintf(progress, "%s: %s added; %s passes\n", s.file, s.quantity, vectorsOf(s.file))
	return nil
}

// origin says where the registers come from.
func origin(r BlockReport) string {
	if r.Line == "" {
		return "registers given by hand"
	}
	return fmt.Sprintf("read from unit %d at %s", r.Unit, r.Line)
}

func vectorsOf(profile string) string {
	return strings.TrimSuffix(profile, catalog.ProfileSuffix) + catalog.VectorSuffix
}

// draft is a field on its way into a profile.
type draft struct {
	saving
	part    profiles.Part
	at      uint16
	moments []moment
	sources []string // of the moments
}

// make returns the files as they will be, proved: the profile loads, and all of
// its vectors pass with the collector's decoder.
func (d *draft) make() (profile, vectors []byte, err error) {
	if profile, err = d.profile(); err != nil {
		return nil, nil, err
	}
	p, err := profiles.Parse(filepath.Base(d.file), profile)
	if err != nil {
		return nil, nil, err
	}
	if vectors, err = d.vectors(); err != nil {
		return nil, nil, err
	}
	all, err := profiles.ParseVectors(vectorsOf(d.file), vectors, p)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range all {
		if err := pass(p, v); err != nil {
			return nil, nil, fmt.Errorf("vector %q: %w", v.Name, err)
		}
	}
	return profile, vectors, nil
}

// profile returns the text of the profile with the field.
func (d *draft) profile() ([]byte, error) {
	old, err := os.ReadFile(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = d.head()
	}
	if err != nil {
		return nil, err
	}
	return appended(old, "fields", d.field())
}

// head is a new profile without fields.
func (d *draft) head() ([]byte, error) {
	for flag, text := range map[string]string{"--maker": d.maker, "--model": d.model, "--document": d.document} {
		if strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("%s is new: give %s too (and --maker, --model, --document)", d.file, flag)
		}
	}
	info, _ := schemas.Quantity(d.quantity).Info() // prepare refuses unknown ones
	return yaml.Marshal(struct {
		Maker    string
		Model    string
		Medium   schemas.Medium
		Document string
		Function uint8
		Fields   []yaml.Node
	}{d.maker, d.model, info.Medium, d.document, d.part.Function, nil})
}

// field returns the line of the profile.
func (d *draft) field() string {
	p := d.part
	out := fmt.Sprintf("quantity: %s, function: %d, at: 0x%04X, type: %s, order: %s", d.quantity, p.Function, p.At, p.Type, p.Order)
	if p.Type == profiles.BCD {
		out += fmt.Sprintf(", words: %d", p.Words)
	}
	if p.Shift != 0 {
		out += fmt.Sprintf(", shift: %d", p.Shift)
	}
	return "{" + out + "}"
}

// vectors returns the text of the vectors with one for each moment.
func (d *draft) vectors() ([]byte, error) {
	text, err := os.ReadFile(vectorsOf(d.file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i, m := range d.moments {
		v, ok := value(d.part, d.at, m.raw)
		if !ok {
			return nil, errors.New("the registers hold no such number")
		}
		from := 2 * int(d.part.At-d.at)
		name := fmt.Sprintf("%s, display %s", d.quantity, m.shown.value)
		text, err = appended(text, "", fmt.Sprintf("{name: %q, source: %q, registers: [{function: %d, at: 0x%04X, words: %q}], expect: {%s: %q}}",
			name, d.sources[i], d.part.Function, d.part.At, words(m.raw[from:from+2*d.part.Words]), d.quantity, v))
		if err != nil {
			return nil, fmt.Errorf("moment %d: %w", i+1, err)
		}
	}
	return text, nil
}

// pass checks that the decoder gives what a vector expects.
func pass(p *profiles.Profile, v profiles.Vector) error {
	for _, want := range v.Want {
		for i := range p.Fields {
			f := &p.Fields[i]
			if f.Quantity != want.Quantity {
				continue
			}
			at, raw, err := registersOf(f, v)
			if err != nil {
				return err
			}
			got, reason, err := modbus.Decode(f, at, raw)
			if err != nil {
				return err
			}
			if reason != want.Missing || reason == "" && got.Cmp(want.Value) != 0 {
				return fmt.Errorf("%s is %s %s, expected %s %s", f.Quantity, got, reason, want.Value, want.Missing)
			}
		}
	}
	return nil
}

// registersOf lays out the registers of a field as one block.
func registersOf(f *profiles.Field, v profiles.Vector) (at uint16, raw []byte, err error) {
	first, last := f.Parts[0].At, f.Parts[0].Last()
	for _, p := range f.Parts {
		first, last = min(first, p.At), max(last, p.Last())
	}
	raw = make([]byte, 2*(int(last)-int(first)+1))
	for _, p := range f.Parts {
		got, ok := v.Words(p)
		if !ok {
			return 0, nil, fmt.Errorf("%s: register 0x%04X is not given", f.Quantity, p.At)
		}
		for i, w := range got {
			n := 2 * (int(p.At-first) + i)
			raw[n], raw[n+1] = byte(w>>8), byte(w)
		}
	}
	return first, raw, nil
}

// appended returns the YAML text with an item, itself YAML, added to the list
// under a key, or to the list that it is when key is empty. Comments stay.
func appended(text []byte, key, item string) ([]byte, error) {
	var doc, node yaml.Node
	if err := yaml.Unmarshal([]byte(item), &node); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Kind == 0 {
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.SequenceNode}}}
	}
	list := doc.Content[0]
	if key != "" {
		if list = under(list, key); list == nil {
			return nil, fmt.Errorf("no list of %s in the file", key)
		}
	}
	if list.Kind != yaml.SequenceNode {
		*list = yaml.Node{Kind: yaml.SequenceNode}
	}
	list.Style = 0 // an empty list may be written []
	list.Content = append(list.Content, node.Content[0])
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

func under(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
