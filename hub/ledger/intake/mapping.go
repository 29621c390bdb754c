package intake

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/sts"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

//go:embed mappings/*.yaml
var embedded embed.FS

// Mapping says how a channel's file becomes rows of the books. Load and Named make
// it; docs/settlement-files.md describes its file.
type Mapping struct {
	Name, Version string
	Content       ledger.Content // empty: the header says it
	encoding      string
	delimiter     rune
	trim          string
	channel       string
	utility       schemas.Medium
	lines         map[string][]*regexp.Regexp
	dayFormat     string
	sumsInFen     bool
	names         bool
	complete      bool // columns are all that a file may name
	columns       map[string]source
	kinds         map[string]map[string]source // other columns by our kind
	tokens        bool                         // rows may be known by tokens
	tokenBase     sts.Base                     // of the identifiers of tokens; 0 where none is counted from a moment
}

// source says where a field comes from.
type source struct {
	from   string
	at     int // position from 0 where columns have no names; -1 otherwise
	fixed  bool
	value  string
	format string
	unit   string
	values map[string]string
}

type mappingYAML struct {
	Name      string                           `yaml:"name"`
	Version   string                           `yaml:"version"`
	Content   string                           `yaml:"content"`
	Encoding  string                           `yaml:"encoding"`
	Delimiter string                           `yaml:"delimiter"`
	Trim      string                           `yaml:"trim"`
	Channel   string                           `yaml:"channel"`
	Utility   string                           `yaml:"utility"`
	Lines     map[string][]string              `yaml:"lines"`
	DayFormat string                           `yaml:"day_format"`
	Sums      string                           `yaml:"sums"`
	Names     bool                             `yaml:"names"`
	Complete  bool                             `yaml:"complete"`
	Columns   map[string]sourceYAML            `yaml:"columns"`
	For       map[string]map[string]sourceYAML `yaml:"for"`
	TokenBase int                              `yaml:"token_base"`
}

type sourceYAML struct {
	From   string            `yaml:"from"`
	Value  *string           `yaml:"value"`
	Format string            `yaml:"format"`
	Unit   string            `yaml:"unit"`
	Values map[string]string `yaml:"values"`
}

// Names lists the mappings that come with the program.
func Names() []string {
	files, err := fs.Glob(embedded, "mappings/*.yaml")
	if err != nil { // the pattern is well formed
		return nil
	}
	for n, f := range files {
		files[n] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return files
}

// Named returns a mapping that comes with the program.
func Named(name string) (*Mapping, error) {
	data, err := embedded.ReadFile("mappings/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no mapping %q; there are %s, or give a file", name, strings.Join(Names(), ", "))
	}
	return Load(data)
}

// Load reads and checks a mapping file.
func Load(data []byte) (*Mapping, error) {
	var y mappingYAML
	if err := strictyaml.Decode(data, &y); err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	m, err := y.mapping()
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", y.Name, err)
	}
	return m, nil
}

func (y *mappingYAML) mapping() (*Mapping, error) {
	m := &Mapping{Name: y.Name, Version: y.Version, Content: ledger.Content(y.Content), encoding: y.Encoding, trim: y.Trim, channel: y.Channel,
		utility: schemas.Medium(y.Utility), dayFormat: y.DayFormat, sumsInFen: y.Sums == "fen", names: y.Names,
		complete: y.Complete}
	if m.dayFormat == "" {
		m.dayFormat = "2006-01-02"
	}
	switch {
	case y.Name == "" || y.Version == "":
		return nil, errors.New("name or version is missing")
	case m.Content != "" && m.Content != ledger.SalesFile && m.Content != ledger.PaymentsFile:
		return nil, fmt.Errorf("content %q: want sales or payments", y.Content)
	case !slices.Contains([]string{"utf-8", "gb18030", "auto"}, y.Encoding):
		return nil, fmt.Errorf("encoding %q: want utf-8, gb18030 or auto", y.Encoding)
	case y.Complete && !y.Names:
		return nil, errors.New("complete: columns without names cannot be checked; leave it out, or set names")
	case y.Sums != "" && y.Sums != "yuan" && y.Sums != "fen":
		return nil, fmt.Errorf("sums in %q: want yuan or fen", y.Sums)
	}
	runes := []rune(y.Delimiter)
	if len(runes) != 1 || strings.ContainsRune("\"\r\n", runes[0]) {
		return nil, fmt.Errorf("delimiter %q: want one character that is no quote", y.Delimiter)
	}
	m.delimiter = runes[0]
	if err := m.compile(y.Lines); err != nil {
		return nil, err
	}
	var err error
	if m.columns, err = y.sources(y.Columns); err != nil {
		return nil, err
	}
	m.kinds = make(map[string]map[string]source)
	for kind, columns := range y.For {
		if m.kinds[kind], err = y.sources(columns); err != nil {
			return nil, fmt.Errorf("for %s: %w", kind, err)
		}
	}
	return m, m.base(y.TokenBase)
}

// base settles the base date of tokens, which goes with the moment of issue.
func (m *Mapping) base(year int) error {
	issued := m.fills("issued")
	switch {
	case issued && !slices.Contains(sts.Bases(), sts.Base(year)):
		return fmt.Errorf("token_base %d: column issued needs the base date of the meters' keys, one of %d", year, sts.Bases())
	case !issued && year != 0:
		return errors.New("token_base: only column issued needs it; leave it out")
	}
	m.tokenBase = sts.Base(year)
	m.tokens = issued || m.fills("token") || m.fills("tid")
	return nil
}

// fills reports whether one of our columns is filled for rows of any kind.
func (m *Mapping) fills(ours string) bool {
	for _, columns := range append([]map[string]source{m.columns}, values(m.kinds)...) {
		if _, ok := columns[ours]; ok {
			return true
		}
	}
	return false
}

// compile reads the expressions on whole lines.
func (m *Mapping) compile(lines map[string][]string) error {
	m.lines = make(map[string][]*regexp.Regexp)
	for class, list := range lines {
		if !slices.Contains([]string{"skip", "header", "trailer", "after"}, class) {
			return fmt.Errorf("lines: unknown class %q: want skip, header, trailer or after", class)
		}
		for _, text := range list {
			re, err := regexp.Compile(text)
			if err != nil {
				return fmt.Errorf("lines: %s: %w", class, err)
			}
			m.lines[class] = append(m.lines[class], re)
		}
	}
	return nil
}

// mentions reports whether a column of a name is taken from.
func (m *Mapping) mentions(name string) bool {
	for _, columns := range append([]map[string]source{m.columns}, values(m.kinds)...) {
		for _, s := range columns {
			if !s.fixed && s.from == name {
				return true
			}
		}
	}
	return false
}

// ours are the columns that a mapping may fill.
func ours() []string {
	return []string{"order", "kind", "meter", "meter_number", "customer", "card", "purchase", "amount", "volume", "undoes", "day", "due", "at",
		"operator", "terminal", "reference", "token", "tid", "issued"}
}

func (y *mappingYAML) sources(columns map[string]sourceYAML) (map[string]source, error) {
	out := make(map[string]source, len(columns))
	for name, c := range columns {
		s := source{from: c.From, at: -1, format: c.Format, unit: c.Unit, values: c.Values}
		switch {
		case !slices.Contains(ours(), name):
			return nil, fmt.Errorf("column %q: not one of ours: %s", name, strings.Join(ours(), ", "))
		case (c.From == "") == (c.Value == nil):
			return nil, fmt.Errorf("column %s: give either from or value", name)
		case c.Value != nil:
			s.fixed, s.value = true, *c.Value
		case !y.Names:
			n, err := strconv.Atoi(c.From)
			if err != nil || n < 1 || n > maxColumns {
				return nil, fmt.Errorf("column %s: from %q: want a position from 1 to %d, since the file has no names", name, c.From, maxColumns)
			}
			s.at = n - 1
		}
		if !slices.Contains(units(name), c.Unit) {
			return nil, fmt.Errorf("column %s: unit %q: want one of %q", name, c.Unit, units(name))
		}
		out[name] = s
	}
	return out, nil
}

// units are those that a column may be in; the first is the default.
func units(column string) []string {
	switch column {
	case "amount":
		return []string{"", "yuan", "fen"}
	case "volume":
		return []string{"", "L", "m3", "Wh", "kWh"}
	default:
		return []string{""}
	}
}
