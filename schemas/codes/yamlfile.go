package codes

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/strictyaml"
)

// maxFile bounds a list file, in bytes: maxClasses of long names fit.
const maxFile = 4 << 20

// text is a scalar of a list file and the line that it stands on.
type text struct {
	value string
	line  int
}

// UnmarshalYAML takes any scalar as it is written.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return lineError(n, "want a plain value here")
	}
	t.value, t.line = n.Value, n.Line
	return nil
}

// quoted is a text that must not be a number: YAML reads 0101 without quotes as 65.
type quoted struct{ text }

// UnmarshalYAML refuses numbers.
func (q *quoted) UnmarshalYAML(n *yaml.Node) error {
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" {
		return lineError(n, fmt.Sprintf("%s is a number; put codes in quotes: %q", n.Value, n.Value))
	}
	return q.text.UnmarshalYAML(n)
}

// lineError is collected by the decoder, so that one run shows all mistakes.
func lineError(n *yaml.Node, problem string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, problem)}}
}

// listFile is the form of a list as YAML.
type listFile struct {
	Standard   text     `yaml:"standard_ref"`
	Kind       text     `yaml:"kind"`
	Version    text     `yaml:"version"`
	From       text     `yaml:"from"`
	Until      text     `yaml:"until"`
	Source     text     `yaml:"source"`
	Sure       text     `yaml:"sure"`
	Note       text     `yaml:"note"`
	CodeLength text     `yaml:"code_length"`
	IDs        text     `yaml:"ids"`
	Missing    []quoted `yaml:"missing"`
	Majors     []struct {
		Code quoted `yaml:"code"`
		ZH   text   `yaml:"zh"`
		EN   text   `yaml:"en"`
	} `yaml:"majors"`
	Classes []classRow `yaml:"classes"`
}

type classRow struct {
	Code     quoted `yaml:"code"`
	Major    quoted `yaml:"major"` // left out: the first two digits of the code
	ZH       text   `yaml:"zh"`
	EN       text   `yaml:"en"`
	Utility  text   `yaml:"utility"`
	Of       quoted `yaml:"of"`
	For      text   `yaml:"for"`
	Formerly text   `yaml:"formerly"`
}

// ParseYAML reads a list file. Unknown keys, keys given twice, codes without quotes
// and everything that List.Validate finds are errors: Problems with the line of each.
func ParseYAML(data []byte) (List, error) {
	if err := checkBytes(data); err != nil {
		return List{}, err
	}
	var f listFile
	if err := strictyaml.Decode(data, &f); err != nil {
		return List{}, yamlProblems(err)
	}
	var p Problems
	l := f.list(&p)
	if err := p.err(); err != nil {
		return List{}, err
	}
	if err := l.Validate(); err != nil {
		return List{}, f.withLines(err)
	}
	return l, nil
}

func checkBytes(data []byte) error {
	if len(data) > maxFile {
		return Problems{{Problem: fmt.Sprintf("the file has %d bytes; a list has at most %d", len(data), maxFile)}}
	}
	if utf8.Valid(data) {
		return nil
	}
	at := 0
	for rest := data; ; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		at, rest = at+n, rest[n:]
	}
	line := 1 + strings.Count(string(data[:at]), "\n")
	return Problems{{Line: line, Problem: "not UTF-8; save the file as UTF-8 (spreadsheets: \"CSV UTF-8\"), it may be GB 18030 now"}}
}

// yamlProblems gives the decoder's errors their lines as numbers.
func yamlProblems(err error) error {
	lines := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if te := new(yaml.TypeError); errors.As(err, &te) {
		lines = te.Errors
	}
	at := regexp.MustCompile(`^line (\d+): `)
	p := make(Problems, len(lines))
	for i, text := range lines {
		if m := at.FindStringSubmatch(text); m != nil {
			p[i].Line, _ = strconv.Atoi(m[1])
			text = text[len(m[0]):]
		}
		p[i].Problem = readable(text)
	}
	return p
}

// readable says in the operator's words what the decoder says in Go's.
func readable(text string) string {
	if m := regexp.MustCompile(`^field (.+) not found in type`).FindStringSubmatch(text); m != nil {
		return "unknown key " + m[1]
	}
	return text
}

func (f *listFile) list(p *Problems) List {
	l := List{Head: Head{
		Standard: f.Standard.value, Kind: Kind(f.Kind.value), Version: f.Version.value,
		From: f.From.value, Until: f.Until.value, Source: f.Source.value, Sure: f.Sure.value,
		Note: f.Note.value, IDs: f.IDs.value,
	}}
	n, err := strconv.ParseUint(f.CodeLength.value, 10, 8)
	if err != nil {
		p.add(f.CodeLength.line, "code_length", "%s; want the number of digits of a class code, 0 for codes that are words", shown(f.CodeLength.value))
	}
	l.CodeLength = int(n)
	for _, m := range f.Majors {
		l.Majors = append(l.Majors, Major{m.Code.value, m.ZH.value, m.EN.value})
	}
	for _, m := range f.Missing {
		l.Missing = append(l.Missing, m.value)
	}
	for _, r := range f.Classes {
		l.lines = append(l.lines, max(r.Code.line, r.ZH.line))
		l.Classes = append(l.Classes, r.class(&l))
	}
	return l
}

func (r *classRow) class(l *List) Class {
	c := Class{
		Ref:   Ref{l.Standard, l.Kind, r.Code.value},
		Major: Major{Code: r.Major.value},
		ZH:    r.ZH.value, EN: r.EN.value, Utility: r.Utility.value,
		Of: r.Of.value, For: r.For.value, Formerly: r.Formerly.value,
	}
	if c.Major.Code == "" && len(c.Ref.Code) >= majorDigits && l.CodeLength > 0 {
		c.Major.Code = c.Ref.Code[:majorDigits]
	}
	return c
}

// withLines adds the lines of the head's keys to problems that have none.
func (f *listFile) withLines(err error) error {
	var p Problems
	if !errors.As(err, &p) {
		return err
	}
	lines := map[string]int{
		"standard_ref": f.Standard.line, "kind": f.Kind.line, "version": f.Version.line, "from": f.From.line,
		"until": f.Until.line, "source": f.Source.line, "sure": f.Sure.line, "note": f.Note.line,
		"code_length": f.CodeLength.line, "ids": f.IDs.line,
	}
	for _, m := range f.Majors {
		lines["majors "+m.Code.value+" zh"], lines["majors "+m.Code.value+" en"] = m.Code.line, m.Code.line
	}
	for i := range p {
		if p[i].Line == 0 {
			p[i].Line = lines[p[i].Field]
		}
	}
	return p
}

// Encode writes l as a list file, which ParseYAML reads back to the same list.
func (l *List) Encode() []byte {
	var b strings.Builder
	put := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, quote(value))
		}
	}
	put("standard_ref", l.Standard)
	put("kind", string(l.Kind))
	put("version", l.Version)
	put("from", l.From)
	put("until", l.Until)
	put("source", l.Source)
	put("sure", l.Sure)
	put("note", l.Note)
	fmt.Fprintf(&b, "code_length: %d\n", l.CodeLength)
	put("ids", l.IDs)
	if len(l.Missing) > 0 {
		b.WriteString("missing:\n")
		for _, m := range l.Missing {
			fmt.Fprintf(&b, "  - %s\n", quote(m))
		}
	}
	b.WriteString("majors:\n")
	for _, m := range l.Majors {
		fmt.Fprintf(&b, "  - %s\n", flow("code", m.Code, "zh", m.ZH, "en", m.EN))
	}
	b.WriteString("classes:\n")
	for _, c := range l.Classes {
		major := c.Major.Code
		if l.CodeLength > 0 {
			major = ""
		}
		fmt.Fprintf(&b, "  - %s\n", flow("code", c.Ref.Code, "major", major, "zh", c.ZH, "en", c.EN, "utility", c.Utility, "of", c.Of, "for", c.For, "formerly", c.Formerly))
	}
	return []byte(b.String())
}

// flow writes pairs of keys and values, without the empty ones, on one line.
func flow(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			parts = append(parts, pairs[i]+": "+quote(pairs[i+1]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// quote writes text that can be printed, which Validate has made sure of, as YAML.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
