package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/census"
	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// registryList is the command list with its flags.
type registryList struct {
	registryFlags
	area, cell, duty, class, state, department, role, box string
	meter, component, collector, line, after              string
	limit                                                 int
	ended, noPosition, noCell, ownerless                  bool
}

// listed are the words of what can be listed.
func listed() []string {
	return []string{"areas", "cells", "components", "departments", "people", "duties", "meters", "imports"}
}

func newRegistryList() *cobra.Command {
	var c registryList
	cmd := &cobra.Command{
		Use:       "list " + strings.Join(listed(), "|"),
		Short:     "List what the register holds",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: listed(),
		Example: "  citygrid registry list components -c hub.yaml --class \"CJ/T 214-2007:component:01\" --area 320508001\n" +
			"  citygrid registry list components -c hub.yaml --no-position",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(r *assets.Register) error { return c.print(cmd.Context(), cmd.OutOrStdout(), r, args[0]) })
		},
	}
	c.registryFlags.register(cmd)
	f := cmd.Flags()
	f.StringVar(&c.area, "area", "", "only within the county, street or community with this code")
	f.StringVar(&c.cell, "cell", "", "only in this cell")
	f.StringVar(&c.duty, "duty", "", "only of this duty grid")
	f.StringVar(&c.class, "class", "", "only of this class, or major class of two digits")
	f.StringVar(&c.state, "state", "", "only in this state: intact, damaged, missing, abandoned or removed")
	f.StringVar(&c.department, "department", "", "only of this department")
	f.StringVar(&c.role, "role", "", "only people with this role")
	f.StringVar(&c.box, "box", "", "only in this box: west,south,east,north in degrees of CGCS2000")
	f.StringVar(&c.meter, "meter", "", "only the links of this meter")
	f.StringVar(&c.component, "component", "", "only the meters of this component")
	f.StringVar(&c.collector, "collector", "", "only the meters of this collector")
	f.StringVar(&c.line, "line", "", "only the meters of this line")
	f.StringVar(&c.after, "after", "", "only what comes after this code or id")
	f.IntVar(&c.limit, "limit", 50, "at most so many, up to 10000")
	f.BoolVar(&c.ended, "ended", false, "what has ended too")
	f.BoolVar(&c.noPosition, "no-position", false, "only components without a position")
	f.BoolVar(&c.noCell, "no-cell", false, "only components with a position in no cell")
	f.BoolVar(&c.ownerless, "ownerless", false, "only components that nobody is in charge of")
	return cmd
}

func (c *registryList) print(ctx context.Context, out io.Writer, r *assets.Register, what string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	n, err := c.rows(ctx, w, r, what)
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return cli.Failed(err)
	}
	if n == 0 {
		_, err = fmt.Fprintln(out, "none")
	}
	return cli.Failed(err)
}

func (c *registryList) rows(ctx context.Context, w io.Writer, r *assets.Register, what string) (int, error) {
	page := assets.Page{After: c.after, Limit: c.limit}
	switch what {
	case "areas":
		fmt.Fprintln(w, "code\tkind\tvalid\tname")
		list, err := r.Areas(ctx, assets.AreaFilter{Within: codes.AreaCode(c.area), Ended: c.ended}, page)
		return rows(w, list, err, func(a registry.Area) []string { return []string{string(a.Code), a.Kind, spanText(a.Span), a.Name} })
	case "cells":
		fmt.Fprintln(w, "code\tm2\tduty\tvalid\tname")
		list, err := r.Cells(ctx, assets.CellFilter{Area: codes.AreaCode(c.area), Duty: codes.DutyCode(c.duty), Ended: c.ended}, page)
		return rows(w, list, err, func(a registry.Cell) []string {
			return []string{string(a.Code), strconv.FormatInt(a.Area, 10), string(a.Duty), spanText(a.Span), a.Name}
		})
	case "components":
		return c.components(ctx, w, r, page)
	case "departments":
		fmt.Fprintln(w, "id\tphone\ttakes\tname")
		list, err := r.Departments(ctx, page)
		return rows(w, list, err, func(d registry.Department) []string {
			return []string{string(d.ID), d.Phone, strconv.Itoa(len(d.Classes)), d.Name}
		})
	case "people":
		fmt.Fprintln(w, "id\troles\tdepartment\tduty\tname")
		list, err := r.People(ctx, assets.PersonFilter{Department: registry.DepartmentID(c.department), Role: c.role, Duty: codes.DutyCode(c.duty)}, page)
		return rows(w, list, err, func(p registry.Person) []string {
			return []string{string(p.ID), strings.Join(p.Roles, ","), string(p.Department), fmt.Sprint(p.Duty), p.Name}
		})
	case "duties":
		fmt.Fprintln(w, "code\tinspectors\tname")
		list, err := r.Duties(ctx, page)
		return rows(w, list, err, func(d registry.DutyGrid) []string { return []string{string(d.Code), fmt.Sprint(d.Inspectors), d.Name} })
	case "meters":
		fmt.Fprintln(w, "meter\tcomponent\tcollector\tline\tvalid")
		list, err := r.Links(ctx, assets.LinkFilter{Meter: schemas.MeterID(c.meter), Component: schemas.ComponentID(c.component), Collector: schemas.CollectorID(c.collector),
			Line: c.line, Ended: c.ended}, page)
		return rows(w, list, err, func(l registry.MeterLink) []string {
			return []string{string(l.Meter), string(l.Component), string(l.Collector), l.Line, spanText(l.Span)}
		})
	}
	fmt.Fprintln(w, "number\tkind\tfile\trecords\tadded\tchanged\tby\tat\treason")
	list, err := r.Imports(ctx, 0, c.limit)
	return rows(w, list, err, func(i assets.Imported) []string {
		return []string{strconv.FormatInt(i.ID, 10), string(i.Kind), i.File, strconv.FormatInt(i.Records, 10), strconv.FormatInt(i.Added, 10), strconv.FormatInt(i.Changed, 10),
			i.By, i.At.Format(time.RFC3339), i.Reason}
	})
}

func rows[T any](w io.Writer, list []T, err error, cells func(T) []string) (int, error) {
	for _, v := range list {
		fmt.Fprintln(w, strings.Join(cells(v), "\t"))
	}
	return len(list), cli.Failed(err)
}

func (c *registryList) components(ctx context.Context, w io.Writer, r *assets.Register, page assets.Page) (int, error) {
	f := assets.ComponentFilter{Cell: codes.CellCode(c.cell), Area: codes.AreaCode(c.area), State: registry.ComponentState(c.state),
		Department: registry.DepartmentID(c.department), NoPosition: c.noPosition, NoCell: c.noCell, Ownerless: c.ownerless}
	if c.class != "" {
		if err := f.Class.Parse(c.class); err != nil {
			return 0, fmt.Errorf("--class: %w", err)
		}
	}
	var err error
	if f.Box, err = boxOf(c.box); err != nil {
		return 0, fmt.Errorf("--box: %w", err)
	}
	fmt.Fprintln(w, "id\tcell\tposition\tstate\tauthority\tclass")
	list, err := r.Components(ctx, f, page)
	return rows(w, list, err, func(k registry.Component) []string {
		return []string{string(k.ID), string(k.Cell), positionText(k.Position), string(k.State), string(k.Authority), k.Class.Code + " " + k.ClassName}
	})
}

// boxOf reads "west,south,east,north"; nil for an empty text.
func boxOf(text string) (*assets.Box, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) != 4 {
		return nil, errors.New("want four numbers: west,south,east,north")
	}
	var v [4]float64
	for n, p := range parts {
		var err error
		if v[n], err = strconv.ParseFloat(strings.TrimSpace(p), 64); err != nil {
			return nil, fmt.Errorf("%q is no number of degrees", p)
		}
	}
	b := &assets.Box{West: v[0], South: v[1], East: v[2], North: v[3]}
	return b, b.Validate()
}

func spanText(s registry.Span) string {
	from, to := "", ""
	if !s.From.IsZero() {
		from = s.From.Format(time.RFC3339)
	}
	if !s.To.IsZero() {
		to = s.To.Format(time.RFC3339)
	}
	if from+to == "" {
		return "-"
	}
	return from + "/" + to
}

func positionText(p schemas.Position) string {
	if !p.Known() {
		return "-"
	}
	return fmt.Sprintf("%.7f,%.7f", p.Lon, p.Lat)
}

func newRegistryWhere() *cobra.Command {
	var f registryFlags
	var crs string
	cmd := &cobra.Command{
		Use:     "where LON LAT",
		Short:   "Say in which cell, duty grid and class of area a position is",
		Example: "  citygrid registry where -c hub.yaml --crs GCJ-02 120.6189 31.3012",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := schemas.Position{CRS: schemas.CRS(strings.ToUpper(crs))}
			var errLon, errLat error
			p.Lon, errLon = strconv.ParseFloat(args[0], 64)
			p.Lat, errLat = strconv.ParseFloat(args[1], 64)
			if err := errors.Join(errLon, errLat, p.Validate()); err != nil {
				return fmt.Errorf("position: %w", err)
			}
			return f.with(cmd.Context(), func(r *assets.Register) error {
				at, err := r.At(cmd.Context(), p)
				if err != nil {
					return cli.Failed(err)
				}
				return cli.Failed(printPlace(cmd.OutOrStdout(), at))
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&crs, "crs", "", "system of the position: CGCS2000, WGS84 or GCJ-02")
	cli.MustRequire(cmd, "crs")
	return cmd
}

func printPlace(out io.Writer, p assets.Place) error {
	return pairs(out, "position", positionText(p.Position)+" CGCS2000", "cell", none(string(p.Cell)), "community", none(string(p.Cell.Community())),
		"duty grid", none(string(p.Duty)), "class of area", none(p.AreaKind))
}

func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// pairs prints names and values, one pair a line.
func pairs(out io.Writer, list ...string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for n := 0; n < len(list); n += 2 {
		fmt.Fprintf(w, "%s\t%s\n", list[n], list[n+1])
	}
	return w.Flush()
}

func newRegistryShow() *cobra.Command {
	var f registryFlags
	cmd := &cobra.Command{
		Use:   "show CODE",
		Short: "Show an area, cell, component, department or person, with its history",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(r *assets.Register) error {
				return cli.Failed(show(cmd.Context(), cmd.OutOrStdout(), r, args[0]))
			})
		},
	}
	f.register(cmd)
	return cmd
}

// show prints everything that has the code: a number may be of an area and of a
// department.
func show(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	found := false
	for _, one := range []struct {
		kind census.Kind
		show func() error
	}{
		{census.Areas, func() error { return showArea(ctx, out, r, code) }},
		{census.Cells, func() error { return showCell(ctx, out, r, code) }},
		{census.Duties, func() error { return showDuty(ctx, out, r, code) }},
		{census.Components, func() error { return showComponent(ctx, out, r, code) }},
		{census.Departments, func() error { return showDepartment(ctx, out, r, code) }},
		{census.People, func() error { return showPerson(ctx, out, r, code) }},
	} {
		err := one.show()
		if errors.Is(err, assets.ErrUnknown) {
			continue
		}
		if err == nil {
			err = showChanges(ctx, out, r, one.kind, code)
		}
		if err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("%q: no area, cell, duty grid, component, department or person of the register has this code", code)
	}
	return nil
}

func showArea(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	a, err := r.Area(ctx, codes.AreaCode(code))
	if err != nil {
		return err
	}
	return pairs(out, "area", code, "name", a.Name, "kind", none(a.Kind), "valid", spanText(a.Span))
}

func showCell(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	c, err := r.Cell(ctx, codes.CellCode(code))
	if err != nil {
		return err
	}
	return pairs(out, "cell", code, "name", c.Name, "m2", strconv.FormatInt(c.Area, 10), "community", string(c.Code.Community()), "duty grid", none(string(c.Duty)), "valid", spanText(c.Span))
}

func showDuty(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	d, err := r.Duty(ctx, codes.DutyCode(code))
	if err != nil {
		return err
	}
	return pairs(out, "duty grid", code, "name", d.Name, "inspectors", fmt.Sprint(d.Inspectors))
}

func showComponent(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	c, err := r.Component(ctx, schemas.ComponentID(code))
	if err != nil {
		return err
	}
	p, err := r.OfComponent(ctx, c.ID)
	if err != nil {
		return err
	}
	list := []string{"component", code, "class", c.Class.String() + " " + c.ClassName, "name", c.Name, "position", positionText(c.Position), "accuracy", none(string(c.Accuracy)),
		"cell", none(string(p.Cell)), "duty grid", none(string(p.Duty)), "class of area", none(p.AreaKind), "state", none(string(c.State)), "authority", none(string(c.Authority)),
		"owner", none(string(c.Owner)), "upkeep", none(string(c.Upkeep)), "cases go to", fmt.Sprint(p.Departments), "location", c.Location, "note", c.Note}
	for _, name := range sortedNames(c.More) {
		list = append(list, name, c.More[name])
	}
	links, err := r.Links(ctx, assets.LinkFilter{Component: c.ID, Ended: true}, assets.Page{})
	if err != nil {
		return err
	}
	for _, l := range links {
		list = append(list, "meter", fmt.Sprintf("%s at %s/%s %s", l.Meter, l.Collector, l.Line, spanText(l.Span)))
	}
	return pairs(out, list...)
}

func sortedNames(m map[string]string) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func showDepartment(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	d, err := r.Department(ctx, registry.DepartmentID(code))
	if err != nil {
		return err
	}
	return pairs(out, "department", code, "name", d.Name, "phone", d.Phone, "takes", fmt.Sprint(d.Classes))
}

func showPerson(ctx context.Context, out io.Writer, r *assets.Register, code string) error {
	p, err := r.Person(ctx, registry.PersonID(code))
	if err != nil {
		return err
	}
	return pairs(out, "person", code, "name", p.Name, "roles", strings.Join(p.Roles, ", "), "department", none(string(p.Department)), "duty grids", fmt.Sprint(p.Duty),
		"disabled", strconv.FormatBool(p.Disabled))
}

func showChanges(ctx context.Context, out io.Writer, r *assets.Register, kind census.Kind, code string) error {
	list, err := r.Changes(ctx, kind, code)
	for _, c := range list {
		fmt.Fprintf(out, "changed %s by %s in import %d %s\n  before: %s\n", c.At.Format(time.RFC3339), c.By, c.Import, c.Reason, shorten(c.Before, 300))
	}
	return err
}
