package assets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"citygrid/hub/registry/census"
	"citygrid/internal/sqldb"
)

// Create opens where the records of a kind go. What it returns is closed.
type Create func(kind census.Kind) (io.WriteCloser, error)

// Export writes all records of kinds, each kind to its own file, as they were at one
// moment: what has ended too. Importing the files with the same options into an
// empty register gives the same records.
func (r *Register) Export(ctx context.Context, kinds []census.Kind, o census.Options, create Create) error {
	err := r.db.Snapshot(ctx, func(tx bun.Tx) error {
		for _, k := range kinds {
			if err := r.exportKind(ctx, tx, k, o, create); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	})
	return sqldb.Explain("export", err)
}

func (r *Register) exportKind(ctx context.Context, tx bun.Tx, k census.Kind, o census.Options, create Create) (err error) {
	if k == census.Components && o.Format != census.GeoJSON && o.More == nil {
		if o.More, err = attributes(ctx, tx); err != nil {
			return err
		}
	}
	w, err := create(k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	switch k {
	case census.Areas:
		return write(ctx, tx, w, areaTable(), o)
	case census.Cells:
		return write(ctx, tx, w, cellTable(), o)
	case census.Duties:
		return write(ctx, tx, w, dutyTable(), o)
	case census.Departments:
		return write(ctx, tx, w, departmentTable(), o)
	case census.People:
		return write(ctx, tx, w, personTable(), o)
	case census.Components:
		return write(ctx, tx, w, componentTable(), o)
	case census.MeterLinks:
		return write(ctx, tx, w, linkTable(), o)
	}
	return fmt.Errorf("no such kind; want one of %s", kindWords())
}

func write[T census.Thing](ctx context.Context, tx bun.Tx, w io.Writer, t *table[T], o census.Options) error {
	return census.Write(ctx, w, everything(ctx, tx, t), o)
}

// errEnough ends a reading whose reader wants no more.
var errEnough = errors.New("enough")

// everything gives the records of a table in the order of their keys.
func everything[T census.Thing](ctx context.Context, tx bun.Tx, t *table[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		order := "ORDER BY " + t.key[0]
		if len(t.key) > 1 {
			order += ", " + t.key[1]
		}
		err := t.each(ctx, tx, order, nil, func(v T) error {
			if !yield(v, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, err)
		}
	}
}

// attributes lists the names of the city's own attributes.
func attributes(ctx context.Context, tx bun.Tx) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT more FROM registry_components WHERE more <> ''")
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	err = eachRow(rows, func(row scanner) error {
		var text string
		if err := row.Scan(&text); err != nil {
			return err
		}
		var more map[string]string
		if err := json.Unmarshal([]byte(text), &more); err != nil {
			return err
		}
		for name := range more {
			names[name] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names)), err
}

// CountComponents returns how many components there are, and how many of them without
// a position.
func (r *Register) CountComponents(ctx context.Context) (all, unlocated int64, err error) {
	err = r.db.Read.NewRaw("SELECT COUNT(*), COUNT(CASE WHEN tile = -1 THEN 1 END) FROM registry_components").Scan(ctx, &all, &unlocated)
	return all, unlocated, sqldb.Explain("count components", err)
}
