package census

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"citygrid/hub/registry"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// form is what a kind of record has for geometry.
type form int

const (
	noGeometry form = iota
	aPoint
	maybeShape
	aShape
)

// field is one field of a kind: its name in Plain, which a Shapefile can hold too
// (10 bytes), and how it goes into a record and out.
type field[T any] struct {
	name  string
	need  bool
	code  bool // a code or id: never a number
	limit int  // characters
	set   func(e *env, r *T, s string) error
	get   func(r *T) string
}

// env is what setters need beside the text.
type env struct{ standard string }

// kind is a kind of record.
type kind[T any] struct {
	kind   Kind
	form   form
	fields []field[T]
	key    func(r *T) string
	// point and shape are where the geometry goes; nil for other forms.
	point func(r *T) *schemas.Position
	shape func(r *T) *registry.Shape
	// more are the city's own attributes; nil where a kind has none.
	more func(r *T) *map[string]string
	// finish looks at a record whose fields are all set: it derives and compares.
	finish func(e *env, r *T) *finding
	// implied are fields that finish derives where the mapping has no column.
	implied []string
}

// finding is what finish has to say.
type finding struct {
	field   string
	value   string
	fault   *fault
	warning bool
}

func (k *kind[T]) find(name string) *field[T] {
	if i := slices.IndexFunc(k.fields, func(f field[T]) bool { return f.name == name }); i >= 0 {
		return &k.fields[i]
	}
	return nil
}

// kindOf finds the kind of T.
func kindOf[T Thing]() *kind[T] {
	var k any
	switch any(*new(T)).(type) {
	case registry.Area:
		k = areaKind()
	case registry.Cell:
		k = cellKind()
	case registry.DutyGrid:
		k = dutyKind()
	case registry.Component:
		k = componentKind()
	case registry.Department:
		k = departmentKind()
	case registry.Person:
		k = personKind()
	case registry.MeterLink:
		k = linkKind()
	}
	return k.(*kind[T])
}

// fieldNames are the fields of each kind, for mappings.
func fieldNames(k Kind) []string {
	switch k {
	case Areas:
		return names(areaKind())
	case Cells:
		return names(cellKind())
	case Duties:
		return names(dutyKind())
	case Components:
		return names(componentKind())
	case Departments:
		return names(departmentKind())
	case People:
		return names(personKind())
	case MeterLinks:
		return names(linkKind())
	}
	return nil
}

// The columns of geometry in a CSV file, and of the reference system.
const (
	columnX, columnY, columnWKT, columnCRS = "x", "y", "wkt", "crs"
)

func names[T any](k *kind[T]) []string {
	var list []string
	for _, f := range k.fields {
		list = append(list, f.name)
	}
	switch k.form {
	case aPoint:
		list = append(list, columnX, columnY, columnWKT, columnCRS)
	case aShape, maybeShape:
		list = append(list, columnWKT, columnCRS)
	}
	return list
}

// text is a field that takes any text up to a limit.
func text[T any](name string, limit int, at func(*T) *string) field[T] {
	return field[T]{name: name, limit: limit,
		set: func(_ *env, r *T, s string) error { *at(r) = s; return nil },
		get: func(r *T) string { return *at(r) }}
}

// code is a field with a code that check may refuse.
func code[T any, C ~string](name string, at func(*T) *C, check func(C) error) field[T] {
	return field[T]{name: name, code: true, limit: 64,
		set: func(_ *env, r *T, s string) error {
			if s != "" {
				if err := check(C(s)); err != nil {
					return err
				}
			}
			*at(r) = C(s)
			return nil
		},
		get: func(r *T) string { return string(*at(r)) }}
}

func needed[T any](f field[T]) field[T] { f.need = true; return f }

// span are the two fields of a Span.
func span[T any](at func(*T) *registry.Span) []field[T] {
	return []field[T]{
		{name: "from", limit: 40,
			set: func(_ *env, r *T, s string) error { return asError(parseInto(&at(r).From, s, parseTime)) },
			get: func(r *T) string { return formatTime(at(r).From) }},
		{name: "to", limit: 40,
			set: func(_ *env, r *T, s string) error { return asError(parseInto(&at(r).To, s, parseTime)) },
			get: func(r *T) string { return formatTime(at(r).To) }},
	}
}

func parseInto[V any](to *V, s string, parse func(string) (V, *fault)) *fault {
	v, f := parse(s)
	if f == nil {
		*to = v
	}
	return f
}

// asError keeps a nil *fault from being a non-nil error.
func asError(f *fault) error {
	if f == nil {
		return nil
	}
	return f
}

func checkSpan(s registry.Span) *finding {
	if !s.To.IsZero() && !s.To.After(s.From) {
		return &finding{field: "to", value: formatTime(s.To), fault: faultf("give the day after the last one, or leave it empty", "not after from (%s)", formatTime(s.From))}
	}
	return nil
}

func validArea(c codes.AreaCode) error { return c.Validate() }

func areaKind() *kind[registry.Area] {
	type T = registry.Area
	return &kind[T]{kind: Areas, form: maybeShape,
		fields: append([]field[T]{
			needed(code("code", func(r *T) *codes.AreaCode { return &r.Code }, validArea)),
			text("name", 100, func(r *T) *string { return &r.Name }),
			text("kind", 32, func(r *T) *string { return &r.Kind }),
		}, span(func(r *T) *registry.Span { return &r.Span })...),
		key:    func(r *T) string { return string(r.Code) },
		shape:  func(r *T) *registry.Shape { return &r.Shape },
		finish: func(_ *env, r *T) *finding { return checkSpan(r.Span) },
	}
}

func cellKind() *kind[registry.Cell] {
	type T = registry.Cell
	return &kind[T]{kind: Cells, form: aShape,
		fields: append([]field[T]{
			needed(code("code", func(r *T) *codes.CellCode { return &r.Code }, codes.CellCode.Validate)),
			text("name", 100, func(r *T) *string { return &r.Name }),
			code("duty", func(r *T) *codes.DutyCode { return &r.Duty }, codes.DutyCode.Validate),
			{name: "area", limit: 20, set: setCellArea, get: func(r *T) string { return strconv.FormatInt(r.Area, 10) }},
		}, span(func(r *T) *registry.Span { return &r.Span })...),
		key:    func(r *T) string { return string(r.Code) },
		shape:  func(r *T) *registry.Shape { return &r.Shape },
		finish: finishCell,
	}
}

func setCellArea(_ *env, r *registry.Cell, s string) error {
	if s == "" {
		return nil
	}
	v, f := parseNumber(s)
	if f == nil && !(v > 0 && v < 1e12) {
		f = faultf("give square metres, or leave it empty: it is measured anyway", "no area of a cell")
	}
	if f != nil {
		return f
	}
	r.Area = int64(math.Round(v))
	return nil
}

func dutyKind() *kind[registry.DutyGrid] {
	type T = registry.DutyGrid
	return &kind[T]{kind: Duties,
		fields: []field[T]{
			needed(code("code", func(r *T) *codes.DutyCode { return &r.Code }, codes.DutyCode.Validate)),
			text("name", 100, func(r *T) *string { return &r.Name }),
			list("inspectors", func(r *T) *[]registry.PersonID { return &r.Inspectors }, checked(registry.PersonID.Validate), asString[registry.PersonID]),
		},
		key: func(r *T) string { return string(r.Code) },
	}
}

// list is a field with several values.
func list[T, V any](name string, at func(*T) *[]V, parse func(string) (V, error), format func(V) string) field[T] {
	return field[T]{name: name, code: true, limit: 10_000,
		set: func(_ *env, r *T, s string) error {
			return asError(parseInto(at(r), s, func(s string) ([]V, *fault) { return parseList(s, parse) }))
		},
		get: func(r *T) string { return formatList(*at(r), format) }}
}

func checked[C ~string](check func(C) error) func(string) (C, error) {
	return func(s string) (C, error) { return C(s), check(C(s)) }
}

func asString[C ~string](c C) string { return string(c) }

func departmentKind() *kind[registry.Department] {
	type T = registry.Department
	return &kind[T]{kind: Departments,
		fields: []field[T]{
			needed(code("id", func(r *T) *registry.DepartmentID { return &r.ID }, registry.DepartmentID.Validate)),
			needed(text("name", 100, func(r *T) *string { return &r.Name })),
			list("classes", func(r *T) *[]codes.Ref { return &r.Classes }, codes.Parse, codes.Ref.String),
			text("phone", 40, func(r *T) *string { return &r.Phone }),
		},
		key: func(r *T) string { return string(r.ID) },
	}
}

func personKind() *kind[registry.Person] {
	type T = registry.Person
	word := func(s string) (string, error) {
		if strings.ContainsAny(s, " \t\n") {
			return "", faultf("write one word", "a space in %q", s)
		}
		return s, nil
	}
	return &kind[T]{kind: People,
		fields: []field[T]{
			needed(code("id", func(r *T) *registry.PersonID { return &r.ID }, registry.PersonID.Validate)),
			text("name", 100, func(r *T) *string { return &r.Name }),
			list("roles", func(r *T) *[]string { return &r.Roles }, word, func(s string) string { return s }),
			code("department", func(r *T) *registry.DepartmentID { return &r.Department }, registry.DepartmentID.Validate),
			list("duty", func(r *T) *[]codes.DutyCode { return &r.Duty }, checked(codes.DutyCode.Validate), asString[codes.DutyCode]),
			{name: "disabled", limit: 5,
				set: func(_ *env, r *T, s string) error { return asError(parseInto(&r.Disabled, s, parseBool)) },
				get: func(r *T) string {
					if r.Disabled {
						return "true"
					}
					return ""
				}},
		},
		key: func(r *T) string { return string(r.ID) },
	}
}

func linkKind() *kind[registry.MeterLink] {
	type T = registry.MeterLink
	return &kind[T]{kind: MeterLinks,
		fields: append([]field[T]{
			needed(code("meter", func(r *T) *schemas.MeterID { return &r.Meter }, schemas.MeterID.Validate)),
			needed(code("component", func(r *T) *schemas.ComponentID { return &r.Component }, validComponent)),
			code("collector", func(r *T) *schemas.CollectorID { return &r.Collector }, schemas.CollectorID.Validate),
			text("line", 100, func(r *T) *string { return &r.Line }),
		}, span(func(r *T) *registry.Span { return &r.Span })...),
		// A meter may have been at several places, one after the other.
		key:    func(r *T) string { return string(r.Meter) + " from " + formatTime(r.From) },
		finish: func(_ *env, r *T) *finding { return checkSpan(r.Span) },
	}
}
