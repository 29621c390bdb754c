package intake

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// parser reads one file, line by line, so that every mistake has a line.
type parser struct {
	raw      []byte
	m        *Mapping
	o        Options
	gb       *encoding.Decoder // nil for UTF-8
	file     ledger.File
	problems []Problem

	line     int
	at       int // offset of the line
	length   int // of the line
	header   map[string]string
	begun    bool           // the header is over
	position map[string]int // of their columns, by name
	names    []string
	width    int // fields of the first row
	trailed  bool
	fields   []string
	debit    schemas.Fen
	credit   schemas.Fen
	tokens   []strike
}

func newParser(raw []byte, m *Mapping, o Options) *parser {
	p := &parser{raw: raw, m: m, o: o, header: make(map[string]string)}
	if m.encoding == "gb18030" || m.encoding == "auto" && !utf8.Valid(raw) {
		p.gb = simplifiedchinese.GB18030.NewDecoder()
	}
	return p
}

// problem notes a mistake at a column (from 0; -1 for the line as a whole).
func (p *parser) problem(column int, text, what string) {
	if len(p.problems) == MaxProblems {
		return
	}
	if p.m.tokens {
		text = maskTokens(text)
	}
	q := Problem{Line: p.line, Column: column + 1, Text: shorten(text), What: what}
	if column >= 0 && column < len(p.names) {
		q.Name = p.names[column]
	}
	p.problems = append(p.problems, q)
}

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// progressBytes is how much lies between two calls of Progress.
const progressBytes = 1 << 20

// parse reads all lines. Its error is that of ctx; mistakes are in problems.
func (p *parser) parse(ctx context.Context) error {
	rest, told := p.raw, 0
	if bom := []byte("\xef\xbb\xbf"); p.gb == nil && bytes.HasPrefix(rest, bom) {
		rest, p.at = rest[len(bom):], len(bom)
	}
	for len(rest) > 0 && len(p.problems) < MaxProblems {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		p.line++
		p.length = len(line)
		p.take(line)
		p.at += len(rest) - len(after)
		if len(after) == 0 {
			p.at = len(p.raw)
		}
		rest = after
		if p.at-told >= progressBytes || len(rest) == 0 {
			told = p.at
			if err := ctx.Err(); err != nil {
				return err
			}
			if p.o.Progress != nil {
				p.o.Progress(int64(told))
			}
		}
	}
	p.end()
	return nil
}

// take reads one line.
func (p *parser) take(raw []byte) {
	if len(raw) > maxLine {
		p.problem(-1, "", fmt.Sprintf("longer than %d bytes; is this a CSV file with lines?", maxLine))
		return
	}
	text, ok := p.decode(bytes.TrimSuffix(raw, []byte("\r")))
	switch {
	case !ok:
		p.problem(-1, text, "not in the encoding of the mapping; export the file as UTF-8 or GB18030 and check the mapping's encoding")
	case strings.TrimSpace(text) == "":
	case p.trailed:
		if p.match("after", text) == nil && p.match("skip", text) == nil {
			p.problem(-1, text, "stands after the trailer; the file may be two files in one, split it")
		}
	case p.trailer(text), p.heading(text), p.match("skip", text) != nil:
	default:
		p.row(text)
	}
}

// decode returns the line as UTF-8 and whether it is valid.
func (p *parser) decode(raw []byte) (string, bool) {
	if p.gb == nil {
		return string(raw), utf8.Valid(raw) && bytes.IndexByte(raw, 0) < 0
	}
	text, err := p.gb.Bytes(raw)
	return string(text), err == nil && !bytes.ContainsRune(text, utf8.RuneError) && bytes.IndexByte(text, 0) < 0
}

// match returns the named groups of the first expression of a class that matches.
func (p *parser) match(class, text string) map[string]string {
	for _, re := range p.m.lines[class] {
		if m := re.FindStringSubmatch(text); m != nil {
			return groups(re, m)
		}
	}
	return nil
}

func groups(re *regexp.Regexp, m []string) map[string]string {
	out := make(map[string]string)
	for n, name := range re.SubexpNames() {
		if name != "" && m[n] != "" {
			out[name] = m[n]
		}
	}
	return out
}

// heading takes a line of the header. All come before the first row.
func (p *parser) heading(text string) bool {
	if p.begun {
		return false
	}
	found := p.match("header", text)
	for name, value := range found {
		if old, ok := p.header[name]; ok && old != value {
			p.problem(-1, value, fmt.Sprintf("the header says %s twice, before as %q", name, old))
		}
		p.header[name] = value
	}
	return found != nil
}

// begin settles what the file is, before its first row.
func (p *parser) begin() {
	p.begun = true
	f := &p.file
	f.Content = ledger.Content(p.settle("content", string(p.m.Content), ""))
	f.Utility = schemas.Medium(p.settle("utility", string(p.m.utility), string(p.o.Utility)))
	f.Channel = p.settle("channel", p.m.channel, p.o.Channel)
	p.settleDay()
	number := ""
	if p.o.Number != 0 {
		number = strconv.Itoa(p.o.Number)
	}
	if n, err := strconv.Atoi(p.header["number"]); err == nil {
		p.header["number"] = strconv.Itoa(n) // 0001 is 1
	}
	n, err := strconv.Atoi(p.settle("number", "", number))
	if err != nil || n < 1 || n > 1_000_000 {
		p.problem(-1, "", "no number of the file from 1 on; give it (--number)")
	}
	f.Number = n
	switch {
	case f.Content != ledger.SalesFile && f.Content != ledger.PaymentsFile:
		p.problem(-1, string(f.Content), "neither sales nor payments; the header or the mapping must say which")
	case f.Utility != schemas.Water && f.Utility != schemas.Power && f.Utility != schemas.Gas:
		p.problem(-1, string(f.Utility), "no utility; give water, power or gas (--utility)")
	case !ledger.Printable(f.Channel) || f.Channel == "":
		p.problem(-1, f.Channel, "no channel; give its name (--channel)")
	}
}

// settle joins what the header, the mapping and the operator say.
func (p *parser) settle(what, mapped, given string) string {
	said := ""
	for _, s := range []string{p.header[what], mapped, given} {
		if said != "" && s != "" && s != said {
			p.problem(-1, s, fmt.Sprintf("two answers for the %s of the file, the other is %q; is this the right file?", what, said))
		}
		if said == "" {
			said = s
		}
	}
	return said
}

func (p *parser) settleDay() {
	text := p.header["day"]
	if text == "" {
		if p.o.Day == nil {
			p.problem(-1, "", "the file does not say its accounting day; give it (--day)")
			return
		}
		p.file.Day = *p.o.Day
		return
	}
	day, ok := parseDay(text, p.m.dayFormat)
	switch {
	case !ok:
		p.problem(-1, text, "no accounting day in the form "+p.m.dayFormat)
	case p.o.Day != nil && *p.o.Day != day:
		p.problem(-1, text, fmt.Sprintf("the file is of another day than %s; is this the right file?", *p.o.Day))
	}
	p.file.Day = day
}

func parseDay(text, format string) (ledger.Day, bool) {
	t, err := time.Parse(format, text)
	if err != nil || t.Year() < 1990 || t.Year() > 2200 {
		return 0, false
	}
	return ledger.Day(t.Unix() / 86400), true
}

// row takes a line of names or of data.
func (p *parser) row(text string) {
	if !p.begun {
		p.begin()
	}
	if !p.split(text) {
		return
	}
	if p.m.names && p.position == nil {
		p.title()
		return
	}
	if p.file.Rows() >= MaxRows {
		p.problem(-1, "", fmt.Sprintf("more than %d rows; ask the channel for several files", MaxRows))
		return
	}
	if !p.fits(text) {
		return
	}
	if p.file.Content == ledger.PaymentsFile {
		p.payment()
	} else {
		p.sale()
	}
}

// fits reports whether the line has as many fields as columns are named, or, where
// they have no names, as the first row has.
func (p *parser) fits(text string) bool {
	if p.width == 0 {
		p.width = len(p.fields)
	}
	if p.names != nil && len(p.fields) != len(p.names) {
		p.problem(-1, text, fmt.Sprintf("%d fields, but %d columns are named; look for a delimiter inside a field without quotes", len(p.fields), len(p.names)))
		return false
	}
	if len(p.fields) != p.width {
		p.problem(-1, text, fmt.Sprintf("%d fields, but the first row has %d; look for a delimiter inside a field without quotes", len(p.fields), p.width))
		return false
	}
	return true
}

// split cuts a line into fields. A field in quotes may hold the delimiter and
// doubled quotes [RFC 4180 2], but no line break.
func (p *parser) split(text string) bool {
	p.fields = p.fields[:0]
	for {
		field, rest, more, ok := cutField(text, p.m.delimiter)
		if !ok {
			p.problem(len(p.fields), text, "a quote that does not close in this line, or text behind it; a field cannot hold a line break")
			return false
		}
		if p.m.trim != "" {
			field = strings.Trim(field, p.m.trim+" \t")
		}
		p.fields = append(p.fields, field)
		if len(p.fields) > maxColumns {
			p.problem(-1, "", fmt.Sprintf("more than %d fields", maxColumns))
			return false
		}
		if !more {
			return true
		}
		text = rest
	}
}

func cutField(text string, delimiter rune) (field, rest string, more, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		field, rest, more = strings.Cut(text, string(delimiter))
		return field, rest, more, true
	}
	var s strings.Builder
	text = text[1:]
	for {
		part, after, closed := strings.Cut(text, `"`)
		s.WriteString(part)
		if !closed {
			return "", "", false, false
		}
		if !strings.HasPrefix(after, `"`) {
			text = after
			break
		}
		s.WriteByte('"')
		text = after[1:]
	}
	if text == "" {
		return s.String(), "", false, true
	}
	rest, more = strings.CutPrefix(text, string(delimiter))
	return s.String(), rest, more, more
}

// title takes the names of the columns.
func (p *parser) title() {
	p.position = make(map[string]int, len(p.fields))
	for n, name := range p.fields {
		if _, twice := p.position[name]; twice && name != "" {
			p.problem(n, name, "this name stands twice; which is meant cannot be known")
		}
		if p.m.complete && !p.m.mentions(name) {
			p.problem(n, name, "no column of this format has this name; look for a typing error, or leave the column out")
		}
		p.position[name] = n
	}
	p.names = append([]string(nil), p.fields...)
	for _, columns := range append([]map[string]source{p.m.columns}, values(p.m.kinds)...) {
		for ours, s := range columns {
			if _, ok := p.position[s.from]; !s.fixed && !ok && p.needs(ours) {
				p.problem(-1, s.from, fmt.Sprintf("no column has this name, from which %s is taken; check the mapping", ours))
			}
		}
	}
}

func values(m map[string]map[string]source) (out []map[string]source) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// needs reports whether rows cannot do without a column.
func (p *parser) needs(ours string) bool {
	switch ours {
	case "order", "kind", "amount", "at":
		return true
	case "purchase":
		return p.file.Content == ledger.SalesFile && !p.m.tokens
	}
	return false
}

// trailer takes the line that ends the rows, and checks what it says.
func (p *parser) trailer(text string) bool {
	said := p.match("trailer", text)
	if said == nil {
		return false
	}
	p.trailed = true
	if !p.begun {
		p.begin()
	}
	if rows, ok := said["rows"]; ok && rows != strconv.Itoa(p.file.Rows()) {
		p.problem(-1, rows, fmt.Sprintf("the trailer counts so many rows, the file has %d; rows are missing or twice, fetch the file again", p.file.Rows()))
	}
	p.checkSum("taken", said["debit"], p.debit)
	p.checkSum("given back", said["credit"], p.credit)
	if digest, ok := said["digest"]; ok {
		if want := ledger.DigestOf(p.raw[:p.at]).String(); !strings.EqualFold(digest, want) {
			p.problem(-1, digest, "not the SM3 digest of the bytes before this line, which is "+want+"; the file was changed on its way, fetch it again")
		}
	}
	return true
}

func (p *parser) checkSum(what, said string, sum schemas.Fen) {
	if said == "" || len(p.problems) > 0 { // a row that could not be read is missing in the sum
		return
	}
	want, err := p.sum(said)
	if err != nil {
		p.problem(-1, said, err.Error())
	} else if want != sum {
		p.problem(-1, said, fmt.Sprintf("the trailer says so much money %s, the rows come to %s yuan; fetch the file again", what, sum))
	}
}

func (p *parser) sum(text string) (schemas.Fen, error) {
	if p.m.sumsInFen {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("no sum in fen")
		}
		return schemas.Fen(n), nil
	}
	return schemas.ParseFen(text)
}

// end checks what only the whole file shows.
func (p *parser) end() {
	if len(p.problems) == MaxProblems {
		return
	}
	if len(p.raw) == 0 {
		p.line = 1
		p.problem(-1, "", "the file is empty")
		return
	}
	if !p.begun {
		p.begin()
	}
	if p.m.names && p.position == nil {
		p.problem(-1, "", "no line with the names of columns; is this the right mapping?")
	}
	if len(p.m.lines["trailer"]) > 0 && !p.trailed {
		p.problem(-1, "", "the file ends without its trailer; it was cut off on its way, fetch it again")
	}
}
