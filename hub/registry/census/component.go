package census

import (
	"math"
	"slices"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func componentKind() *kind[registry.Component] {
	type T = registry.Component
	department := func(name string, at func(*T) *registry.DepartmentID) field[T] {
		return code(name, at, registry.DepartmentID.Validate)
	}
	return &kind[T]{kind: Components, form: aPoint,
		fields: []field[T]{
			needed(code("id", func(r *T) *schemas.ComponentID { return &r.ID }, validComponent)),
			{name: "class", code: true, limit: 120, set: setClass, get: func(r *T) string { return r.Class.String() }},
			text("class_name", 100, func(r *T) *string { return &r.ClassName }),
			text("name", 100, func(r *T) *string { return &r.Name }),
			code("accuracy", func(r *T) *registry.AccuracyClass { return &r.Accuracy }, registry.AccuracyClass.Validate),
			{name: "radius_m", limit: 20, set: setRadius, get: getRadius},
			code("cell", func(r *T) *codes.CellCode { return &r.Cell }, codes.CellCode.Validate),
			code("state", func(r *T) *registry.ComponentState { return &r.State }, registry.ComponentState.Validate),
			department("authority", func(r *T) *registry.DepartmentID { return &r.Authority }),
			department("owner", func(r *T) *registry.DepartmentID { return &r.Owner }),
			department("upkeep", func(r *T) *registry.DepartmentID { return &r.Upkeep }),
			text("location", 256, func(r *T) *string { return &r.Location }),
			text("source", 30, func(r *T) *string { return &r.Source }),
			{name: "recorded", limit: 40,
				set: func(_ *env, r *T, s string) error { return asError(parseInto(&r.Recorded, s, parseTime)) },
				get: func(r *T) string { return formatTime(r.Recorded) }},
			{name: "changed", limit: 40,
				set: func(_ *env, r *T, s string) error { return asError(parseInto(&r.Changed, s, parseTime)) },
				get: func(r *T) string { return formatTime(r.Changed) }},
			text("note", 1000, func(r *T) *string { return &r.Note }),
		},
		key:     func(r *T) string { return string(r.ID) },
		point:   func(r *T) *schemas.Position { return &r.Position },
		more:    func(r *T) *map[string]string { return &r.More },
		finish:  finishComponent,
		implied: []string{"class"},
	}
}

func validComponent(id schemas.ComponentID) error {
	if err := id.Validate(); err != nil {
		return faultf("write 16 or 17 digits, or a local id of 0-9 A-Z a-z _ -, up to 32", "no component id")
	}
	return nil
}

// setClass takes a whole reference, or the code alone where the standard is known.
func setClass(e *env, r *registry.Component, s string) error {
	if s == "" {
		r.Class = codes.Ref{}
		return nil
	}
	if ref, err := codes.Parse(s); err == nil {
		r.Class = ref
		return checkComponentKind(ref)
	}
	if e.standard == "" {
		_, err := codes.Parse(s)
		return faultf("write the whole reference, or name the standard of the file", "%v", err)
	}
	ref := codes.Ref{Standard: e.standard, Kind: codes.Component, Code: s}
	if err := ref.Validate(); err != nil {
		return err
	}
	r.Class = ref
	return nil
}

func checkComponentKind(ref codes.Ref) error {
	if ref.Kind != codes.Component {
		return faultf("name a class of components", "a class of kind %s", ref.Kind)
	}
	return nil
}

func setRadius(_ *env, r *registry.Component, s string) error {
	if s == "" {
		return nil
	}
	v, f := parseNumber(s)
	if f == nil && !(v >= 0 && v <= 1e7) {
		f = faultf("give the radius in metres", "no accuracy of a position")
	}
	if f != nil {
		return f
	}
	r.Position.Accuracy = v
	return nil
}

func getRadius(r *registry.Component) string {
	if r.Position.Accuracy == 0 {
		return ""
	}
	return formatDegrees(r.Position.Accuracy)
}

// finishComponent derives the class from the id where the file has no column for
// it, and holds the two against each other where it has.
func finishComponent(e *env, r *registry.Component) *finding {
	if !r.Position.Known() && r.Position.Accuracy != 0 {
		return &finding{field: "radius_m", value: getRadius(r), fault: faultf("give the position too, or neither", "an accuracy without a position")}
	}
	if r.Class == (codes.Ref{}) {
		return deriveClass(e, r)
	}
	if !structured(r.Class.Standard) {
		return nil
	}
	parts, err := codes.ParseComponent(r.Class.Standard, string(r.ID))
	if err != nil {
		return &finding{field: "id", value: string(r.ID), fault: faultf("correct the id, or name the list that its class is of", "%v", err)}
	}
	if parts.Class != r.Class {
		return &finding{field: "class", value: r.Class.String(), fault: faultf("correct one of them", "the id %s says class %s", r.ID, parts.Class.Code)}
	}
	return nil
}

func deriveClass(e *env, r *registry.Component) *finding {
	if e.standard == "" {
		return &finding{field: "class", fault: faultf("give the column class, or name the standard of the ids", "no class")}
	}
	parts, err := codes.ParseComponent(e.standard, string(r.ID))
	if err != nil {
		return &finding{field: "id", value: string(r.ID), fault: faultf("correct the id, or give its class in the column class", "%v", err)}
	}
	r.Class = parts.Class
	return nil
}

// structured reports whether the ids of a list have the class in them. A city's own
// list has its own.
func structured(standard string) bool {
	return slices.Contains([]string{codes.CJT214, codes.GBT30428, codes.GBT47678}, standard)
}

// finishCell measures the cell, and compares that with what the file says.
func finishCell(_ *env, r *registry.Cell) *finding {
	said, measured := r.Area, geo.Area(r.Shape)
	r.Area = int64(math.Round(measured))
	if f := checkSpan(r.Span); f != nil {
		return f
	}
	if d := math.Abs(float64(said) - measured); said != 0 && d > 1+0.02*measured {
		return &finding{field: "area", value: formatMetres(float64(said)), warning: true,
			fault: faultf("look whether the reference system is the right one; the measured area is kept", "the polygon has %.0f m² on the ellipsoid", measured)}
	}
	return nil
}
