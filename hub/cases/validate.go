package cases

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// The bounds of an entry; texts in characters, ids in bytes.
const (
	MaxDescription = 2000
	MaxText        = 2000
	MaxReason      = 1000
	MaxLocation    = 256 // 事发位置 [GB/T 47678.5-2026 table 3]
	MaxName        = 100 // class names
	MaxCondition   = 64
	MaxAreaClass   = 16
	MaxMedia       = 20
	MaxDepartments = 32
	MaxAmount      = 10_000 // of limits and extensions

	maxCaseID = 40
	maxID     = 32
	maxDevice = 64
)

// problems gathers what is wrong, so that one answer names all of it.
type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, &schemas.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// under adds the problems of a part, with the place of the part before their fields.
func (p *problems) under(place string, err error) {
	var fe *schemas.FieldError
	if err == nil {
		return
	}
	if errors.As(err, &fe) {
		*p = append(*p, &schemas.FieldError{Field: place + "." + fe.Field, Problem: fe.Problem})
		return
	}
	*p = append(*p, fmt.Errorf("%s: %w", place, err))
}

func (p problems) join() error { return errors.Join(p...) }

func missing(field, remedy string) error {
	return &schemas.FieldError{Field: field, Problem: "missing; " + remedy}
}

// Validate reports everything that is wrong in e by itself, as *schemas.FieldError,
// joined: fields out of their form, fields that the act needs and fields that it
// does not take. What depends on the case is asked by Apply.
func (e *Entry) Validate() error {
	var p problems
	if !in(e.Act, Acts()) {
		p.add("act", "%q is none of the acts of docs/cases.md", string(e.Act))
		return p.join()
	}
	e.validHead(&p)
	e.validActor(&p)
	e.validTimes(&p)
	p.text("reason", e.Reason, MaxReason)
	p.text("text", e.Text, MaxText)
	p.media(e.Media)
	e.validParts(&p)
	e.validNeeds(&p)
	return p.join()
}

func (e *Entry) validHead(p *problems) {
	p.id("case", string(e.Case), maxCaseID, isIDByte)
	if e.Number == 0 {
		p.add("number", "0, want 1 for the first entry")
	}
	if (e.Previous == "") != (e.Number <= 1) || e.Previous != "" && !isDigest(e.Previous) {
		p.add("previous", "%q, want the SM3 digest of the entry before, and nothing in the first", e.Previous)
	}
	if e.ClientID != "" && !isUUID(e.ClientID) {
		p.add("client_id", "%q is no UUID in lower case", e.ClientID)
	}
	if e.Device != "" {
		p.id("device", e.Device, maxDevice, isPersonByte)
	}
	p.under("position", e.Position.Validate())
}

func (e *Entry) validActor(p *problems) {
	p.id("person", string(e.Person), maxID, isPersonByte)
	if !in(e.Role, Roles()) {
		p.add("role", "%q is none of the roles of docs/cases.md", string(e.Role))
	}
	if e.Role == Department {
		p.id("department", string(e.Department), maxID, isIDByte)
	} else if e.Department != "" {
		p.add("department", "given, but only the role department acts for one")
	}
	system := e.Role == Sensor || e.Role == Dispatcher && e.Act == ActDispatch
	if e.Person == System && !system || e.Role == Sensor && e.Person != System {
		p.add("person", "%q as %s; the person %s is the hub itself, which acts as sensor and as nobody else but the dispatcher of its own cases", e.Person, e.Role, System)
	}
}

// timeLayout is RFC 3339 with milliseconds, always in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func (e *Entry) validTimes(p *problems) {
	p.time("at", e.At)
	p.time("received_at", e.ReceivedAt)
	p.time("counts_at", e.CountsAt)
}

func (p *problems) time(field string, t time.Time) {
	switch {
	case t.Year() < 2000 || t.Year() > 2199:
		p.add(field, "%s is not between the years 2000 and 2199", t.Format(timeLayout))
	case t.Location() != time.UTC || t.Nanosecond()%int(time.Millisecond) != 0:
		p.add(field, "%s, want UTC and whole milliseconds", t.Format(time.RFC3339Nano))
	}
}

// text allows what prints, tabs and line ends.
func (p *problems) text(field, s string, most int) {
	if !utf8.ValidString(s) {
		p.add(field, "is no valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(s); n > most {
		p.add(field, "%d characters, want at most %d", n, most)
	}
	if s != strings.TrimSpace(s) {
		p.add(field, "begins or ends with a blank; cut it off")
	}
	if n := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); n >= 0 {
		p.add(field, "has a control character at byte %d", n)
	}
}

// line is a text on one line.
func (p *problems) line(field, s string, most int) {
	p.text(field, s, most)
	if strings.ContainsAny(s, "\n\t") {
		p.add(field, "has a tab or line end; write it on one line")
	}
}

func (p *problems) id(field, s string, most int, allowed func(byte) bool) {
	if s == "" || len(s) > most || !only(s, allowed) {
		p.add(field, "%q, want 1 to %d of 0-9 A-Z a-z _ -", s, most)
	}
}

func (p *problems) media(list []Media) {
	if len(list) > MaxMedia {
		p.add("media", "%d, want at most %d in one entry", len(list), MaxMedia)
		return
	}
	for n, m := range list {
		place := fmt.Sprintf("media[%d]", n)
		if !isDigest(m.SM3) {
			p.add(place+".sm3", "%q, want 64 lower-case hexadecimal digits", m.SM3)
		}
		oneOf(p, place+".kind", m.Kind, MediaKinds())
		oneOf(p, place+".stage", m.Stage, Stages())
		for _, before := range list[:n] {
			if before == m {
				p.add(place, "stands twice")
			}
		}
	}
}

// oneOf checks a closed list.
func oneOf[T ~string](p *problems, field string, v T, list []T) {
	if !in(v, list) {
		p.add(field, "%q, want one of %v", string(v), list)
	}
}

func (p *problems) class(field string, r codes.Ref, name string) {
	if err := r.Validate(); err != nil {
		p.add(field, "%v", err)
	}
	p.line("class_name", name, MaxName)
	if name == "" {
		p.add("class_name", "missing; copy the name that the list gives the class")
	}
}

func (p *problems) cell(field string, c codes.CellCode) {
	if c == "" {
		return
	}
	if err := c.Validate(); err != nil {
		p.add(field, "%v", err)
	}
}

func (p *problems) event(field string, id schemas.EventID) {
	if id != "" && (len(id) != 32 || !only(string(id), isHexByte)) {
		p.add(field, "%q, want 32 lower-case hexadecimal digits", string(id))
	}
}

func only(s string, allowed func(byte) bool) bool {
	for n := range len(s) {
		if !allowed(s[n]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isHexByte(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' }
func isIDByte(c byte) bool {
	return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_' || c == '-'
}
func isPersonByte(c byte) bool { return isIDByte(c) || c == '.' || c == '@' }

func isDigest(s string) bool { return len(s) == 64 && only(s, isHexByte) }

// isUUID reports the form 8-4-4-4-12 [RFC 9562 4] in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for n := range len(s) {
		dash := n == 8 || n == 13 || n == 18 || n == 23
		if dash && s[n] != '-' || !dash && !isHexByte(s[n]) {
			return false
		}
	}
	return true
}
