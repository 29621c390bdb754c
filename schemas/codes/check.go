package codes

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds of a list.
const (
	maxClasses    = 10_000 // forty times the longest list of a standard
	maxName       = 200    // bytes of a name
	maxHead       = 2000
	minCodeLength = 3
	maxCodeLength = 8
	majorDigits   = 2
)

// Validate reports everything that is wrong with l by itself, as Problems.
func (l *List) Validate() error {
	var p Problems
	l.checkHead(&p)
	if n := len(l.Classes); n == 0 || n > maxClasses {
		p.add(0, "classes", "%d; want 1 to %d", n, maxClasses)
		return p
	}
	majors := l.checkMajors(&p)
	seen := make(map[string]int, len(l.Classes))
	for i := range l.Classes {
		l.checkClass(&p, i, majors, seen)
	}
	for _, code := range l.Missing {
		if problem := l.badCode(code); problem != "" {
			p.add(0, "missing", "%s", problem)
		} else if _, ok := seen[code]; ok {
			p.add(0, "missing", "%s is one of the classes; take it out of one of the two", code)
		}
	}
	return p.err()
}

func (l *List) checkHead(p *Problems) {
	if err := validStandard(l.Standard); err != nil {
		p.add(0, "standard_ref", "%v", err)
	}
	if err := l.Kind.Validate(); err != nil {
		p.add(0, "kind", "%v", err)
	}
	checkText(p, 0, "version", l.Version, maxCode)
	checkText(p, 0, "source", l.Source, maxHead)
	checkText(p, 0, "sure", l.Sure, maxHead)
	if l.Note != "" {
		checkText(p, 0, "note", l.Note, maxHead)
	}
	checkSpan(p, l.From, l.Until)
	if n := l.CodeLength; n != 0 && (n < minCodeLength || n > maxCodeLength) {
		p.add(0, "code_length", "%d; want %d to %d digits, or 0 for codes that are words", n, minCodeLength, maxCodeLength)
	}
	l.checkIDs(p)
}

// checkIDs holds the code length against the ids that are to be built from it.
func (l *List) checkIDs(p *Problems) {
	s, err := schemeOf(l.IDs)
	switch {
	case l.IDs == "":
		if s, err = schemeOf(l.Standard); err != nil {
			return // a list of a city that builds no ids
		}
	case err != nil:
		p.add(0, "ids", "%v", err)
		return
	}
	if want := majorDigits + s.minor; l.CodeLength != want {
		p.add(0, "code_length", "%d; the ids of %s hold classes of %d digits", l.CodeLength, s.standard, want)
	}
}

func checkSpan(p *Problems, from, until string) {
	ok := true
	for _, d := range []struct{ field, day string }{{"from", from}, {"until", until}} {
		if d.day != "" && !validDay(d.day) {
			p.add(0, d.field, "%s is no day; want YYYY, YYYY-MM or YYYY-MM-DD", shown(d.day))
			ok = false
		}
	}
	// A shorter day is earlier than those inside it, so only whole ones compare.
	if n := min(len(from), len(until)); ok && n > 0 && until[:n] < from[:n] {
		p.add(0, "until", "%s is before from, %s", until, from)
	}
}

func validDay(s string) bool {
	for _, layout := range []string{"2006", "2006-01", time.DateOnly} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func (l *List) checkMajors(p *Problems) map[string]bool {
	majors := make(map[string]bool, len(l.Majors))
	for _, m := range l.Majors {
		switch {
		case l.CodeLength > 0 && (len(m.Code) != majorDigits || !digits(m.Code)):
			p.add(0, "majors", "%s; want a code of %d digits", shown(m.Code), majorDigits)
		case !word(m.Code) || len(m.Code) > maxCode:
			p.add(0, "majors", "%s; want 1 to %d of 0-9 A-Z a-z _ -", shown(m.Code), maxCode)
		case majors[m.Code]:
			p.add(0, "majors", "%s is given twice", m.Code)
		}
		majors[m.Code] = true
		checkNames(p, 0, "majors "+m.Code+" ", m.ZH, m.EN)
	}
	return majors
}

// checkClass checks class i; seen has the line of every code before it.
func (l *List) checkClass(p *Problems, i int, majors map[string]bool, seen map[string]int) {
	c, line := &l.Classes[i], l.line(i)
	code := c.Ref.Code
	if problem := l.badCode(code); problem != "" {
		p.add(line, "code", "%s", problem)
	} else {
		if first, again := seen[code]; again {
			p.add(line, "code", "%s is given twice%s; codes are unique in a list", code, onLine(first))
		} else {
			seen[code] = line
		}
		l.checkMajor(p, line, c, majors)
	}
	checkNames(p, line, "", c.ZH, c.EN)
	checkUtility(p, line, c.Utility)
	if c.Of != "" && (l.Kind != Event || l.badCode(c.Of) != "") {
		p.add(line, "of", "%s; only an event is of a component, whose code has the form of this list", shown(c.Of))
	}
	if c.For != "" && (!word(c.For) || len(c.For) > maxCode) {
		p.add(line, "for", "%s; want the name of a class of %s", shown(c.For), Extension)
	}
	if c.Formerly != "" {
		checkText(p, line, "formerly", c.Formerly, maxName)
	}
}

func (l *List) checkMajor(p *Problems, line int, c *Class, majors map[string]bool) {
	m := c.Major.Code
	if l.CodeLength > 0 && c.Ref.Code[:majorDigits] != m {
		p.add(line, "major", "%s; code %s begins with %s", shown(m), c.Ref.Code, c.Ref.Code[:majorDigits])
		return
	}
	if !majors[m] {
		p.add(line, "major", "%s is none of the list's major classes; add it there, or correct the code %s", shown(m), c.Ref.Code)
	}
}

// badCode says what is wrong with the form of a class code; empty for nothing.
func (l *List) badCode(code string) string {
	switch {
	case l.CodeLength == 0 && (!word(code) || len(code) > maxCode):
		return fmt.Sprintf("%s; want 1 to %d of 0-9 A-Z a-z _ -", shown(code), maxCode)
	case l.CodeLength == 0:
	case len(code) != l.CodeLength:
		return fmt.Sprintf("%s has %d characters; this list has %d digits%s", shown(code), utf8.RuneCountInString(code), l.CodeLength, lostZero(code, l.CodeLength))
	case !digits(code):
		return fmt.Sprintf("%s; want %d digits", shown(code), l.CodeLength)
	}
	return ""
}

// lostZero recognises what a spreadsheet does to 0101.
func lostZero(code string, length int) string {
	if len(code) == length-1 && digits(code) {
		return "; if a spreadsheet dropped a zero in front, format the column as text"
	}
	return ""
}

func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" (first on line %d)", line)
}

func checkNames(p *Problems, line int, prefix, zh, en string) {
	checkText(p, line, prefix+"zh", zh, maxName)
	checkText(p, line, prefix+"en", en, maxName)
	if strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		p.add(line, prefix+"en", "%s is Chinese; are the two names in each other's place?", shown(en))
	}
}

func checkText(p *Problems, line int, field, text string, limit int) {
	switch {
	case text == "":
		p.add(line, field, "missing")
	case len(text) > limit:
		p.add(line, field, "%d bytes; want at most %d", len(text), limit)
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		p.add(line, field, "%q is no UTF-8; save the file as UTF-8", text)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		p.add(line, field, "%s has a line break or another character that cannot be printed", shown(text))
	case strings.TrimSpace(text) != text:
		p.add(line, field, "%s has blanks around it", shown(text))
	}
}

func checkUtility(p *Problems, line int, utility string) {
	if utility == "" {
		return
	}
	for w := range strings.SplitSeq(utility, "/") {
		if !slices.Contains(Utilities(), w) {
			p.add(line, "utility", "%s; want words of %s, joined by /", shown(utility), strings.Join(Utilities(), ", "))
			return
		}
	}
}
