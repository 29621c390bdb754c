package assets

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// table is how records of a kind are kept. values are those of columns, in their
// order, all comparable, so that two records are the same when their values are; scan
// reads them back.
type table[T census.Thing] struct {
	kind    census.Kind
	name    string
	key     []string // the first columns
	columns []string // without import, which comes last
	keyOf   func(v *T) string
	values  func(v *T) ([]any, error)
	scan    func(row scanner) (T, error)
}

// scanner is a row of an answer.
type scanner interface{ Scan(to ...any) error }

// blob is bytes that can be compared.
type blob string

// Value gives the bytes to the database.
func (b blob) Value() (driver.Value, error) { return []byte(b), nil }

func (t *table[T]) list() string { return strings.Join(t.columns, ", ") }

// upsert is the end of an insert that takes a new state of a row that is there.
func (t *table[T]) upsert() string {
	var set []string
	for _, c := range append(slices.Clone(t.columns[len(t.key):]), "import") {
		set = append(set, c+" = excluded."+c)
	}
	return "ON CONFLICT (" + strings.Join(t.key, ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}

// query gives the records that a condition selects; where is all after the table's
// name.
func (t *table[T]) query(ctx context.Context, db bun.IDB, where string, args ...any) ([]T, error) {
	var out []T
	err := t.each(ctx, db, where, args, func(v T) error {
		out = append(out, v)
		return nil
	})
	return out, err
}

func (t *table[T]) each(ctx context.Context, db bun.IDB, where string, args []any, do func(T) error) error {
	rows, err := db.QueryContext(ctx, "SELECT "+t.list()+" FROM "+t.name+" "+where, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, func(row scanner) error {
		v, err := t.scan(row)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		return do(v)
	})
}

// eachRow closes rows in any case.
func eachRow(rows *sql.Rows, do func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// spanOf reads the two columns of a span.
type spanColumns struct{ from, to int64 }

func (s spanColumns) span() registry.Span {
	return registry.Span{From: moment(s.from), To: moment(s.to)}
}

// joined and split turn lists into text and back.
func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ";")
}

func split[T ~string](text string) []T {
	if text == "" {
		return nil
	}
	words := strings.Split(text, ";")
	list := make([]T, len(words))
	for i, w := range words {
		list[i] = T(w)
	}
	return list
}

func areaTable() *table[registry.Area] {
	return &table[registry.Area]{kind: census.Areas, name: "registry_areas", key: []string{"code"},
		columns: []string{"code", "name", "kind", "shape", "from_ms", "to_ms"},
		keyOf:   func(v *registry.Area) string { return string(v.Code) },
		values: func(v *registry.Area) ([]any, error) {
			return []any{string(v.Code), v.Name, v.Kind, blob(encodeShape(v.Shape)), millis(v.From), millis(v.To)}, nil
		},
		scan: func(row scanner) (v registry.Area, err error) {
			var shape []byte
			var s spanColumns
			if err = row.Scan(&v.Code, &v.Name, &v.Kind, &shape, &s.from, &s.to); err != nil {
				return v, err
			}
			v.Span = s.span()
			v.Shape, err = decodeShape(string(shape))
			return v, err
		}}
}

func cellTable() *table[registry.Cell] {
	return &table[registry.Cell]{kind: census.Cells, name: "registry_cells", key: []string{"code"},
		columns: []string{"code", "name", "shape", "area_m2", "duty", "from_ms", "to_ms"},
		keyOf:   func(v *registry.Cell) string { return string(v.Code) },
		values: func(v *registry.Cell) ([]any, error) {
			return []any{string(v.Code), v.Name, blob(encodeShape(v.Shape)), v.Area, string(v.Duty), millis(v.From), millis(v.To)}, nil
		},
		scan: func(row scanner) (v registry.Cell, err error) {
			var shape []byte
			var s spanColumns
			if err = row.Scan(&v.Code, &v.Name, &shape, &v.Area, &v.Duty, &s.from, &s.to); err != nil {
				return v, err
			}
			v.Span = s.span()
			v.Shape, err = decodeShape(string(shape))
			return v, err
		}}
}

func dutyTable() *table[registry.DutyGrid] {
	return &table[registry.DutyGrid]{kind: census.Duties, name: "registry_duties", key: []string{"code"},
		columns: []string{"code", "name", "inspectors"},
		keyOf:   func(v *registry.DutyGrid) string { return string(v.Code) },
		values: func(v *registry.DutyGrid) ([]any, error) {
			return []any{string(v.Code), v.Name, joined(v.Inspectors)}, nil
		},
		scan: func(row scanner) (v registry.DutyGrid, err error) {
			var people string
			err = row.Scan(&v.Code, &v.Name, &people)
			v.Inspectors = split[registry.PersonID](people)
			return v, err
		}}
}

func departmentTable() *table[registry.Department] {
	return &table[registry.Department]{kind: census.Departments, name: "registry_departments", key: []string{"id"},
		columns: []string{"id", "name", "classes", "phone"},
		keyOf:   func(v *registry.Department) string { return string(v.ID) },
		values: func(v *registry.Department) ([]any, error) {
			var list []string
			for _, c := range v.Classes {
				list = append(list, c.String())
			}
			return []any{string(v.ID), v.Name, joined(list), v.Phone}, nil
		},
		scan: func(row scanner) (v registry.Department, err error) {
			var classes string
			if err = row.Scan(&v.ID, &v.Name, &classes, &v.Phone); err != nil {
				return v, err
			}
			for _, text := range split[string](classes) {
				ref, err := codes.Parse(text)
				if err != nil {
					return v, err
				}
				v.Classes = append(v.Classes, ref)
			}
			return v, nil
		}}
}

func personTable() *table[registry.Person] {
	return &table[registry.Person]{kind: census.People, name: "registry_people", key: []string{"id"},
		columns: []string{"id", "name", "roles", "department", "duty", "disabled"},
		keyOf:   func(v *registry.Person) string { return string(v.ID) },
		values: func(v *registry.Person) ([]any, error) {
			disabled := 0
			if v.Disabled {
				disabled = 1
			}
			return []any{string(v.ID), v.Name, joined(v.Roles), string(v.Department), joined(v.Duty), disabled}, nil
		},
		scan: func(row scanner) (v registry.Person, err error) {
			var roles, duty string
			var disabled int
			err = row.Scan(&v.ID, &v.Name, &roles, &v.Department, &duty, &disabled)
			v.Roles, v.Duty, v.Disabled = split[string](roles), split[codes.DutyCode](duty), disabled != 0
			return v, err
		}}
}

func componentTable() *table[registry.Component] {
	return &table[registry.Component]{kind: census.Components, name: "registry_components", key: []string{"id"},
		columns: []string{"id", "class", "class_name", "name", "lon_e7", "lat_e7", "radius_mm", "tile", "accuracy", "cell", "state", "authority", "owner",
			"upkeep", "location", "source", "recorded_ms", "changed_ms", "note", "more"},
		keyOf:  func(v *registry.Component) string { return string(v.ID) },
		values: componentValues, scan: scanComponent}
}

func componentValues(v *registry.Component) ([]any, error) {
	more := ""
	if len(v.More) > 0 {
		text, err := json.Marshal(v.More) // in the order of names
		if err != nil {
			return nil, err
		}
		more = string(text)
	}
	lon, lat := int64(0), int64(0)
	if v.Position.Known() {
		lon, lat = e7(v.Position.Lon), e7(v.Position.Lat)
	}
	return []any{string(v.ID), v.Class.String(), v.ClassName, v.Name, lon, lat, int64(v.Position.Accuracy*1000 + 0.5), tileOf(lon, lat), string(v.Accuracy),
		string(v.Cell), string(v.State), string(v.Authority), string(v.Owner), string(v.Upkeep), v.Location, v.Source, millis(v.Recorded), millis(v.Changed),
		v.Note, more}, nil
}

func scanComponent(row scanner) (v registry.Component, err error) {
	var class, more string
	var lon, lat, radius, tile, recorded, changed int64
	if err = row.Scan(&v.ID, &class, &v.ClassName, &v.Name, &lon, &lat, &radius, &tile, &v.Accuracy, &v.Cell, &v.State, &v.Authority, &v.Owner, &v.Upkeep,
		&v.Location, &v.Source, &recorded, &changed, &v.Note, &more); err != nil {
		return v, err
	}
	if v.Class, err = codes.Parse(class); err != nil {
		return v, err
	}
	if lon != 0 || lat != 0 {
		v.Position = schemas.Position{Lon: degrees(lon), Lat: degrees(lat), CRS: schemas.CGCS2000, Accuracy: float64(radius) / 1000}
	}
	v.Recorded, v.Changed = moment(recorded), moment(changed)
	if more != "" {
		err = json.Unmarshal([]byte(more), &v.More)
	}
	return v, err
}

func linkTable() *table[registry.MeterLink] {
	return &table[registry.MeterLink]{kind: census.MeterLinks, name: "registry_links", key: []string{"meter", "from_ms"},
		columns: []string{"meter", "from_ms", "to_ms", "component", "collector", "line"},
		keyOf:   linkKey,
		values: func(v *registry.MeterLink) ([]any, error) {
			return []any{string(v.Meter), millis(v.From), millis(v.To), string(v.Component), string(v.Collector), v.Line}, nil
		},
		scan: func(row scanner) (v registry.MeterLink, err error) {
			var s spanColumns
			err = row.Scan(&v.Meter, &s.from, &s.to, &v.Component, &v.Collector, &v.Line)
			v.Span = s.span()
			return v, err
		}}
}

// linkKey names a link: a meter has been in several places, one after the other.
func linkKey(v *registry.MeterLink) string {
	if v.From.IsZero() {
		return string(v.Meter)
	}
	return string(v.Meter) + " from " + v.From.UTC().Format(time.RFC3339)
}
