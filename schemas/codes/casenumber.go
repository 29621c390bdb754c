package codes

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// CaseTemplate is a city's rule for case numbers, such as
// "E{class}{yyyymmdd}{serial:4}". There is no national one. Its fields:
//
//	{kind}       C for a component, E for an event
//	{county}     6 digits
//	{class}      a class code of 4 or 5 digits, told by the length of the number;
//	             {class:N} of N digits
//	{yyyymmdd}   the day, or {yymmdd} of this century
//	{serial:N}   the number within the day, N digits, from 1
//
// All else stands for itself. A number is unique only within its county, where the
// template does not name it. Gaps in the serials are allowed: a case that was begun
// and given up keeps its number.
type CaseTemplate struct {
	pattern string
	zone    *time.Location
	tokens  []token
}

// token is a literal, or a field with its width; width 0 is {class} of 4 or 5.
type token struct {
	field   string // empty for a literal
	literal string
	width   int
}

// CaseNumber is what a case number says. Fields that the template lacks are empty.
type CaseNumber struct {
	Kind   Kind
	County AreaCode
	Class  string
	Day    time.Time // in Format any moment of the county's day; from Parse its midnight
	Serial int
}

// The bounds of a template.
const (
	maxTemplate = 64
	maxSerial   = 9 // digits
)

// NewCaseTemplate reads a template. zone is where the county's day begins and ends.
func NewCaseTemplate(pattern string, zone *time.Location) (*CaseTemplate, error) {
	t := &CaseTemplate{pattern: pattern, zone: zone}
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("case number template %s: %w", shown(pattern), err)
	}
	return t, nil
}

func (t *CaseTemplate) read() error {
	if t.zone == nil {
		return errors.New("no time zone for the county's day")
	}
	if len(t.pattern) > maxTemplate {
		return fmt.Errorf("longer than %d characters", maxTemplate)
	}
	fields := regexp.MustCompile(`^\{([a-z]+)(?::([0-9]{1,2}))?\}`)
	seen := make(map[string]bool)
	for rest := t.pattern; rest != ""; {
		m := fields.FindStringSubmatch(rest)
		if m == nil {
			if !word(rest[:1]) {
				return fmt.Errorf("%q at character %d; want fields in braces, and 0-9 A-Z a-z _ - between them", rest[:1], len(t.pattern)-len(rest)+1)
			}
			t.tokens = append(t.tokens, token{literal: rest[:1], width: 1})
			rest = rest[1:]
			continue
		}
		one, err := fieldToken(m[1], m[2])
		if err != nil {
			return err
		}
		if seen[one.field] {
			return fmt.Errorf("{%s} is there twice", one.field)
		}
		seen[one.field] = true
		t.tokens = append(t.tokens, one)
		rest = rest[len(m[0]):]
	}
	if !seen["serial"] || seen["yyyymmdd"] == seen["yymmdd"] {
		return errors.New("want a {serial:N} and one of {yyyymmdd} and {yymmdd}: without them numbers come again")
	}
	return nil
}

func fieldToken(name, number string) (token, error) {
	n, _ := strconv.Atoi(number) // one or two digits, or none
	fixed := map[string]int{"kind": 1, "county": countyDigits, "yyyymmdd": 8, "yymmdd": 6}
	switch {
	case fixed[name] > 0 && number == "":
		return token{field: name, width: fixed[name]}, nil
	case fixed[name] > 0:
		return token{}, fmt.Errorf("{%s} takes no width", name)
	case name == "class" && (number == "" || n >= minCodeLength && n <= maxCodeLength):
		return token{field: name, width: n}, nil
	case name == "class":
		return token{}, fmt.Errorf("{class:%s}; want %d to %d digits", number, minCodeLength, maxCodeLength)
	case name == "serial" && n >= 1 && n <= maxSerial:
		return token{field: name, width: n}, nil
	case name == "serial":
		return token{}, fmt.Errorf("{serial} needs a width of 1 to %d digits, such as {serial:4}", maxSerial)
	}
	return token{}, fmt.Errorf("unknown field {%s}; want kind, county, class, yyyymmdd, yymmdd or serial", name)
}

// String returns the template as it was read.
func (t *CaseTemplate) String() string { return t.pattern }

// Format writes a case number. It refuses what the template has no room for, such as
// serial 10000 of {serial:4}: the day's numbers are used up.
func (t *CaseTemplate) Format(n CaseNumber) (string, error) {
	var b strings.Builder
	for _, one := range t.tokens {
		s, err := t.write(one, n)
		if err != nil {
			return "", fmt.Errorf("case number by %s: %w", t.pattern, err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (t *CaseTemplate) write(one token, n CaseNumber) (string, error) {
	day := n.Day.In(t.zone)
	switch one.field {
	case "kind":
		letter, ok := map[Kind]string{Component: "C", Event: "E"}[n.Kind]
		if !ok {
			return "", n.Kind.Validate()
		}
		return letter, nil
	case "county":
		if len(n.County) != countyDigits {
			return "", fmt.Errorf("county %s; want %d digits", shown(string(n.County)), countyDigits)
		}
		return string(n.County), n.County.Validate()
	case "class":
		fits := len(n.Class) == one.width
		if one.width == 0 {
			fits = len(n.Class) == 4 || len(n.Class) == 5
		}
		if !fits || !digits(n.Class) {
			return "", fmt.Errorf("class %s does not fit", shown(n.Class))
		}
		return n.Class, nil
	case "yyyymmdd", "yymmdd":
		if y := day.Year(); y < 2000 || y > 2099 {
			return "", fmt.Errorf("the year %d; want 2000 to 2099", y)
		}
		return day.Format("20060102")[8-one.width:], nil
	case "serial":
		s := strconv.Itoa(n.Serial)
		if n.Serial < 1 || len(s) > one.width {
			return "", fmt.Errorf("serial %d; the template has room for 1 to %s a day", n.Serial, strings.Repeat("9", one.width))
		}
		return strings.Repeat("0", one.width-len(s)) + s, nil
	}
	return one.literal, nil
}

// Parse takes a case number apart. The error is a *CodeError.
func (t *CaseTemplate) Parse(s string) (CaseNumber, error) {
	class, err := t.classWidth(s)
	if err != nil {
		return CaseNumber{}, err
	}
	var n CaseNumber
	at := 0
	for _, one := range t.tokens {
		if one.field == "class" {
			one.width = class
		}
		part := s[at : at+one.width]
		if problem := t.take(&n, one, part); problem != "" {
			name := one.field
			if name == "" {
				name = "fixed"
			}
			return CaseNumber{}, &CodeError{What: "case number", Code: s, From: at + 1, To: at + one.width, Part: name, Problem: problem}
		}
		at += one.width
	}
	return n, nil
}

// classWidth finds the width of {class} from the length of s.
func (t *CaseTemplate) classWidth(s string) (int, error) {
	sum, class, open := 0, 0, false
	for _, one := range t.tokens {
		sum += one.width
		if one.field == "class" {
			class, open = one.width, one.width == 0
		}
	}
	switch {
	case open && (len(s) == sum+4 || len(s) == sum+5):
		return len(s) - sum, nil
	case open:
		return 0, notLong("case number", s, fmt.Sprintf("%d or %d characters, as %s says", sum+4, sum+5, t.pattern))
	case len(s) != sum:
		return 0, notLong("case number", s, fmt.Sprintf("%d characters, as %s says", sum, t.pattern))
	}
	return class, nil
}

// take puts part into n, or says what is wrong with it.
func (t *CaseTemplate) take(n *CaseNumber, one token, part string) string {
	switch {
	case one.field == "" && part != one.literal:
		return fmt.Sprintf("%q; the template has %q", part, one.literal)
	case one.field == "":
		return ""
	case one.field == "kind":
		kind, ok := map[string]Kind{"C": Component, "E": Event}[part]
		if !ok {
			return fmt.Sprintf("%q; want C for a component or E for an event", part)
		}
		n.Kind = kind
		return ""
	case !digits(part):
		return fmt.Sprintf("%q; want digits", part)
	}
	return t.takeDigits(n, one, part)
}

func (t *CaseTemplate) takeDigits(n *CaseNumber, one token, part string) string {
	switch one.field {
	case "county":
		n.County = AreaCode(part)
		if err := n.County.Validate(); err != nil {
			return err.Error()
		}
	case "class":
		n.Class = part
	case "yyyymmdd", "yymmdd":
		day, err := time.ParseInLocation("20060102", ("20" + part)[len(part)-6:], t.zone)
		if err != nil || day.Year() < 2000 || day.Year() > 2099 {
			return fmt.Sprintf("%s is no day of this century", part)
		}
		n.Day = day
	case "serial":
		n.Serial, _ = strconv.Atoi(part) // up to nine digits
		if n.Serial == 0 {
			return "serials begin at 1"
		}
	}
	return ""
}
