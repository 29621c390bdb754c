package codes

import (
	"fmt"
	"strings"
)

// Part is one part of a code and what it means.
type Part struct{ Name, Digits, Means string }

// Reading is one thing that a code may be.
type Reading struct {
	What     string // "component id"
	Standard string // by whose rule
	Parts    []Part
	Against  []string // what contradicts it; empty where nothing does
}

// Explain returns everything that a code may be, with what contradicts each: area,
// cell, component id, event class code, class. Where standard is given, only it is
// tried for ids and classes. It never decides among readings.
func (l *Lists) Explain(code, standard string) []Reading {
	var out []Reading
	if strings.Contains(code, ":") {
		return []Reading{l.explainRef(code)}
	}
	switch len(code) {
	case countyDigits, streetDigits, communityDigits:
		out = append(out, l.explainArea(code))
	case cellDigits, cellCharacters:
		out = append(out, l.explainCell(code))
	}
	out = append(out, l.explainIDs(code, standard)...)
	for _, c := range l.sorted {
		if c.Ref.Code == code && (standard == "" || c.Ref.Standard == standard) {
			out = append(out, Reading{What: string(c.Ref.Kind) + " class", Standard: c.Ref.Standard, Parts: classParts(c)})
		}
	}
	if len(out) == 0 {
		out = l.explainUnknown(code, standard)
	}
	if len(out) == 0 {
		out = append(out, Reading{What: "unknown code", Standard: standard, Against: []string{
			fmt.Sprintf("%d characters; an area has 6, 9 or 12, a cell 14 or 15, a component id 16 or 17, an event class code 10 or 11, a class 4 or 5", len(code))}})
	}
	return out
}

// explainUnknown says of the lists whose classes have the length of code that they
// lack it.
func (l *Lists) explainUnknown(code, standard string) (out []Reading) {
	for i := range l.lists {
		list := &l.lists[i]
		if list.badCode(code) != "" || list.CodeLength == 0 && standard == "" || standard != "" && list.Standard != standard || list != l.newest(list.Standard, list.Kind) {
			continue
		}
		_, err := l.Lookup(Ref{list.Standard, list.Kind, code})
		if err != nil {
			out = append(out, Reading{What: string(list.Kind) + " class", Standard: list.Standard, Against: []string{err.Error()}})
		}
	}
	return out
}

func (l *Lists) explainRef(s string) Reading {
	out := Reading{What: "class"}
	r, err := Parse(s)
	if err == nil {
		var c Class
		out.What, out.Standard = string(r.Kind)+" class", r.Standard
		if c, err = l.Lookup(r); err == nil {
			out.Parts = classParts(c)
			if c.Withdrawn {
				out.Against = append(out.Against, "withdrawn: the newest list has it no more")
			}
			return out
		}
	}
	out.Against = []string{err.Error()}
	return out
}

func classParts(c Class) []Part {
	return []Part{{"major class", c.Major.Code, names(c.Major.ZH, c.Major.EN)}, {"class", c.Ref.Code, names(c.ZH, c.EN)}}
}

func names(zh, en string) string { return zh + " " + en }

func (l *Lists) explainArea(code string) Reading {
	out := Reading{What: "area code", Standard: "GB/T 2260-2007, GB/T 10114"}
	a, err := ParseArea(code)
	if err != nil {
		out.Against = []string{err.Error()}
		return out
	}
	out.What = string(a.Level) + " code"
	l.areaParts(&out, a)
	return out
}

// areaParts explains the parts of an area code, and what speaks against them.
func (l *Lists) areaParts(out *Reading, a AreaParts) {
	code := string(a.Code)
	province, err := l.Term("province", code[:2])
	if err != nil {
		out.Against = append(out.Against, fmt.Sprintf("characters 1 to 2 (province): GB/T 2260 has no %s", code[:2]))
	}
	out.Parts = append(out.Parts, Part{"province", code[:2], strings.TrimSpace(names(province.ZH, province.EN))},
		Part{"prefecture", code[2:4], ""}, Part{"county", code[4:6], ""})
	if a.Street != "" {
		out.Parts = append(out.Parts, Part{string(StreetLevel), code[6:9], string(a.StreetKind)})
		if a.StreetKind == Unassigned {
			out.Against = append(out.Against, "characters 7 to 9 (street): no kind of division is known for 600 to 999")
		}
	}
	if a.Community != "" {
		out.Parts = append(out.Parts, Part{string(CommunityLevel), code[9:12], ""})
	}
}

func (l *Lists) explainCell(code string) Reading {
	out := Reading{What: "cell code", Standard: CellCJT213}
	if len(code) == cellCharacters {
		out.Standard = CellGBT30428 + ", GB/T 47678.3"
	}
	c, err := ParseCell(code)
	if err != nil {
		out.Against = []string{err.Error()}
		return out
	}
	l.areaParts(&out, areaParts(c.Community))
	out.Parts = append(out.Parts, Part{"cell", c.Serial, ""})
	return out
}

// explainIDs tries the code as component id and as event class code of every standard
// whose codes have its length; of a standard that is given, whatever the length.
func (l *Lists) explainIDs(code, standard string) (out []Reading) {
	standards := []string{CJT214, GBT30428, GBT47678}
	for i := range l.lists {
		if l.lists[i].IDs != "" && l.newest(l.lists[i].Standard, l.lists[i].Kind) == &l.lists[i] {
			standards = append(standards, l.lists[i].Standard)
		}
	}
	seen := make(map[string]bool)
	for _, name := range standards {
		if seen[name] || standard != "" && name != standard {
			continue
		}
		seen[name] = true
		if s, err := l.scheme(name, Component); err == nil && (len(code) == width(s.componentFields()) || standard != "" && len(code) > cellDigits) {
			p, err := s.component(name, code)
			out = append(out, l.explainID("component id", p.Class, p.County, p.Serial, name, err))
		}
		if s, err := l.scheme(name, Event); err == nil && len(code) == width(s.classFields()) {
			p, err := s.eventClass(name, code)
			out = append(out, l.explainID("event class code", p.Class, p.County, "", name, err))
		}
	}
	return out
}

func (l *Lists) explainID(what string, class Ref, county AreaCode, serial, standard string, err error) Reading {
	out := Reading{What: what, Standard: standard}
	if err != nil {
		out.Against = []string{err.Error()}
		return out
	}
	l.areaParts(&out, areaParts(county))
	c, err := l.Lookup(class)
	if err != nil {
		out.Against = append(out.Against, err.Error())
		out.Parts = append(out.Parts, Part{"class", class.Code, ""})
	} else {
		out.Parts = append(out.Parts, classParts(c)...)
	}
	if serial != "" {
		out.Parts = append(out.Parts, Part{"serial", serial, ""})
	}
	return out
}

// Explain reads code as a case number by t.
func (t *CaseTemplate) Explain(code string) Reading {
	out := Reading{What: "case number", Standard: t.pattern}
	n, err := t.Parse(code)
	if err != nil {
		out.Against = []string{err.Error()}
		return out
	}
	at := 0
	for _, one := range t.tokens {
		if one.field == "class" {
			one.width = len(n.Class)
		}
		if one.field != "" {
			out.Parts = append(out.Parts, Part{Name: one.field, Digits: code[at : at+one.width]})
		}
		at += one.width
	}
	return out
}
