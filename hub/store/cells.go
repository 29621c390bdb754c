package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/schemas"
)

// The measurements of the roll-up: by unit cell, and by area.
const (
	cellMeasurement = "cell_hour"
	areaMeasurement = "area_hour"
)

// CellHour is what is known of the meters of one medium in a cell, or in an area, over
// an hour.
type CellHour struct {
	// Place is the code of a cell, "none" for meters that are in no cell; in a list of
	// areas that of a county, street or community, "city" for all.
	Place  string
	Medium schemas.Medium
	Hour   time.Time // its first moment
	// Value is the consumption; Known is false where nothing is proven. Broken says that
	// the sum does not fit a Decimal.
	Value         schemas.Decimal
	Known, Broken bool
	// Flow is for charts.
	Flow      float64
	FlowKnown bool
	// Meters, and how many of them have a value, have one for a part of the hour or for a
	// longer time.
	Meters, Counted, Partial, Carried int64
	// Readings that were due, that came, and all that the hour was counted from.
	Expected, Got, Rows int64
}

// cellExponent is the resolution at which values are stored where they fit, so that
// their mantissas can be added up by the server: a thousandth of a cubic millimetre.
const cellExponent = -9

// StoreCellHours writes the hours of cells, or with areas set those of areas, as
// points:
//
//	measurement cell_hour, area_hour
//	tags        cell (area in area_hour), medium
//	fields      mantissa, exponent (integer)  the exact value, as of a reading; the
//	                                          exponent is -9 wherever that fits
//	            value (float)                 the same for charts
//	            flow_min (float)              sum of the meters' least mean flows
//	            meters, counted, partial, carried, expected, got, rows (integer)
//	            known, broken (integer, 0 or 1)
//	time        the hour's first moment, milliseconds
//
// Without a proven value mantissa and known are 0 and value is left out, as is flow_min
// where no flow is known. An hour that is written again is one point; a field that it
// had before and has not any more stays, which known says. Errors are those of Write.
func (s *Store) StoreCellHours(ctx context.Context, areas bool, list []CellHour) error {
	name, placeTag := cellNames(areas)
	for part := range slices.Chunk(list, s.batch) {
		var lines []byte
		for n := range part {
			lines = appendCellHour(lines, name, placeTag, &part[n])
		}
		if err := s.sendPoints(ctx, lines); err != nil {
			return err
		}
	}
	return nil
}

func appendCellHour(dst []byte, name, placeTag string, h *CellHour) []byte {
	value := fixed(schemas.Decimal{})
	if h.Known {
		value = fixed(h.Value)
	}
	var floats []byte
	if h.Known {
		floats = strconv.AppendFloat(append(floats, ",value="...), value.Float64(), 'g', -1, 64)
	}
	if h.FlowKnown {
		floats = strconv.AppendFloat(append(floats, ",flow_min="...), h.Flow, 'g', -1, 64)
	}
	return appendPointAnd(dst, name, []tag{{placeTag, h.Place}, {"medium", string(h.Medium)}}, []field{
		{"broken", flag(h.Broken)}, {"carried", h.Carried}, {"counted", h.Counted}, {"expected", h.Expected}, {"exponent", int64(value.Exponent)},
		{"got", h.Got}, {"known", flag(h.Known)}, {"mantissa", value.Mantissa}, {"meters", h.Meters}, {"partial", h.Partial}, {"rows", h.Rows},
	}, floats, h.Hour)
}

// appendPointAnd is appendPoint with more fields, which are ",name=value,...".
func appendPointAnd(dst []byte, name string, tags []tag, fields []field, more []byte, at time.Time) []byte {
	dst = appendPoint(dst, name, tags, fields, at)
	if len(more) == 0 {
		return dst
	}
	cut := len(dst) - 1
	for dst[cut] != ' ' {
		cut--
	}
	return slices.Insert(dst, cut, more...)
}

// addable bounds a mantissa that is stored with cellExponent: the sum of as many as
// there are hours in two months fits an integer of the server.
const addable = 1 << 52

// fixed brings d to cellExponent where that is exact and addable.
func fixed(d schemas.Decimal) schemas.Decimal {
	same := d
	for d.Exponent > cellExponent && max(d.Mantissa, -d.Mantissa) <= addable/10 {
		d.Mantissa, d.Exponent = d.Mantissa*10, d.Exponent-1
	}
	for d.Exponent < cellExponent && d.Mantissa%10 == 0 {
		d.Mantissa, d.Exponent = d.Mantissa/10, d.Exponent+1
	}
	if d.Exponent != cellExponent {
		return same
	}
	return d
}

func cellColumns() []string {
	return []string{"time", "mantissa", "exponent", "known", "broken", "flow_min", "meters", "counted", "partial", "carried", "expected", "got", "rows"}
}

const selectCell = `"mantissa"::integer, "exponent"::integer, "known"::integer, "broken"::integer, "flow_min"::float, ` +
	`"meters"::integer, "counted"::integer, "partial"::integer, "carried"::integer, "expected"::integer, "got"::integer, "rows"::integer`

// CellHours calls fn with the stored hours of from <= Hour < to, of one cell (with
// areas set, of one area), of all of them where place is empty, and of one medium or
// where it is empty of all; those of one place and medium in a row, ascending in time.
// It streams. An error of fn ends it and is returned as it is.
func (s *Store) CellHours(ctx context.Context, areas bool, place string, medium schemas.Medium, from, to time.Time, fn func(CellHour) error) error {
	_, placeTag := cellNames(areas)
	return s.query(ctx, cellQuery(areas, place, medium, from, to), func(piece *series) error {
		h := CellHour{Place: piece.Tags[placeTag], Medium: schemas.Medium(piece.Tags["medium"])}
		rows, err := newRows(piece, cellColumns()...)
		if err != nil {
			return fmt.Errorf("read the hours of %s: %w", h.Place, err)
		}
		return rows.each(func() error {
			there, err := true, rows.cellHour(&h)
			if errors.Is(err, errHalf) {
				h, there, err = s.wholeHour(ctx, areas, h)
			}
			if err != nil {
				return fmt.Errorf("read the hours of %s: row %s: %w", h.Place, rows.cells, err)
			}
			if !there {
				return nil
			}
			return fn(h)
		})
	})
}

// cellNames are the measurement and the tag of the hours of cells or of areas.
func cellNames(areas bool) (name, placeTag string) {
	if areas {
		return areaMeasurement, "area"
	}
	return cellMeasurement, "cell"
}

// cellQuery asks for what CellHours returns.
func cellQuery(areas bool, place string, medium schemas.Medium, from, to time.Time) string {
	name, placeTag := cellNames(areas)
	where := []string{between(bounded(from), bounded(to))}
	if place != "" {
		where = append(where, `"`+placeTag+`" = `+quoteString(place))
	}
	if medium != "" {
		where = append(where, `"medium" = `+quoteString(string(medium)))
	}
	return `SELECT ` + selectCell + ` FROM "` + name + `" WHERE ` + strings.Join(where, " AND ") + ` GROUP BY "` + placeTag + `", "medium"`
}

// cellHour fills in what the row holds. Only a flow may be missing; a row without
// another field is errHalf, with its hour filled in.
func (r *rows) cellHour(h *CellHour) (err error) {
	if h.Hour, err = r.time(0); err != nil {
		return err
	}
	if r.anyNull(1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12) {
		return errHalf
	}
	exponent, err := r.small(2, -18, 18)
	if err != nil {
		return err
	}
	var whole [10]int64
	for n, at := range []int{1, 3, 4, 6, 7, 8, 9, 10, 11, 12} {
		if whole[n], _, err = r.integer(at); err != nil {
			return err
		}
	}
	h.Flow, h.FlowKnown, err = r.float(5)
	h.Value, h.Known, h.Broken = schemas.Decimal{}, whole[1] == 1, whole[2] == 1
	if h.Known {
		h.Value = schemas.Decimal{Mantissa: whole[0], Exponent: int8(exponent)}
	}
	h.Meters, h.Counted, h.Partial, h.Carried = whole[3], whole[4], whole[5], whole[6]
	h.Expected, h.Got, h.Rows = whole[7], whole[8], whole[9]
	return err
}

// CellSums calls fn with the sums over the stored hours of from <= Hour < to of every
// cell, of one medium; Flow is the least, and of the meters those of the worst hour.
// Where the hours of a cell have different exponents, or one of them is being written,
// they are added up one by one.
func (s *Store) CellSums(ctx context.Context, medium schemas.Medium, from, to time.Time, fn func(CellHour) error) error {
	q := `SELECT sum("mantissa"::integer), min("exponent"::integer), max("exponent"::integer), sum("known"::integer) AS "known", sum("broken"::integer) AS "broken", ` +
		`min("flow_min"::float) AS "flow", max("meters"::integer) AS "meters", min("counted"::integer) AS "counted", max("partial"::integer) AS "partial", ` +
		`max("carried"::integer) AS "carried", sum("expected"::integer) AS "expected", sum("got"::integer) AS "got", ` +
		`count("mantissa") AS "mantissas", count("exponent") AS "exponents", count("known") AS "knowns" FROM "` + cellMeasurement +
		`" WHERE "medium" = ` + quoteString(string(medium)) + ` AND ` + between(bounded(from), bounded(to)) + ` GROUP BY "cell"`
	columns := []string{"time", "sum", "min", "max", "known", "broken", "flow", "meters", "counted", "partial", "carried", "expected", "got", "mantissas", "exponents", "knowns"}
	return s.query(ctx, q, func(piece *series) error {
		rows, err := newRows(piece, columns...)
		if err != nil {
			return fmt.Errorf("add up the hours of cell %s: %w", piece.Tags["cell"], err)
		}
		return rows.each(func() error {
			h, same, err := rows.cellSum(medium)
			h.Place = piece.Tags["cell"]
			if err == nil && !same {
				h.Value, h.Known, h.Broken, err = s.addHours(ctx, h.Place, medium, from, to)
			}
			if err != nil {
				return fmt.Errorf("add up the hours of cell %s: %w", h.Place, err)
			}
			h.Hour = from
			return fn(h)
		})
	})
}

// cellSum reads a row of CellSums; same is false where the mantissas cannot be added up
// as they are.
func (r *rows) cellSum(medium schemas.Medium) (h CellHour, same bool, err error) {
	var whole [14]int64
	for n, at := range []int{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15} {
		if whole[n], _, err = r.integer(at); err != nil {
			return h, false, err
		}
	}
	h = CellHour{Medium: medium, Known: whole[3] > 0, Broken: whole[4] > 0, Meters: whole[5], Counted: whole[6], Partial: whole[7], Carried: whole[8],
		Expected: whole[9], Got: whole[10]}
	h.Flow, h.FlowKnown, err = r.float(6)
	same = whole[1] == whole[2] && whole[1] == cellExponent && whole[11] == whole[12] && whole[11] == whole[13]
	if h.Known && !h.Broken && same {
		h.Value = schemas.Decimal{Mantissa: whole[0], Exponent: cellExponent}
	}
	return h, same, err
}

// addHours adds the hours of a cell up one by one.
func (s *Store) addHours(ctx context.Context, cell string, medium schemas.Medium, from, to time.Time) (sum schemas.Decimal, known, broken bool, err error) {
	err = s.CellHours(ctx, false, cell, medium, from, to, func(h CellHour) error {
		next, ok := sum.Add(h.Value)
		if h.Known {
			sum, known = next, true
		}
		broken = broken || h.Broken || h.Known && !ok
		return nil
	})
	if broken {
		return schemas.Decimal{}, false, true, err
	}
	return sum, known, false, err
}
