package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases/limits"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// areaForm is the code of an area or cell, or nothing.
var areaForm = regexp.MustCompile(`^[0-9A-Z]{0,15}$`)

// Number is a JSON number with the digits as they are, or null when it is empty: a
// decimal goes to the page without passing through a float.
type Number string

// MarshalJSON writes the digits.
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return []byte(n), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(text []byte) error {
	var number *json.Number
	if err := json.Unmarshal(text, &number); err != nil {
		return fmt.Errorf("number: %w", err)
	}
	*n = ""
	if number != nil {
		*n = Number(*number)
	}
	return nil
}

// Schema describes a Number to the contract; Huma asks for it.
func (Number) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true}
}

var _, _ huma.SchemaProvider = Number(""), Numbers(nil)

// Numbers is a long list of them, written at once.
type Numbers []Number

// MarshalJSON writes all digits.
func (l Numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+8*len(l))
	out = append(out, '[')
	for n, one := range l {
		if n > 0 {
			out = append(out, ',')
		}
		if one == "" {
			one = "null"
		}
		out = append(out, one...)
	}
	return append(out, ']'), nil
}

// Schema describes Numbers to the contract; Huma asks for it.
func (Numbers) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: Number("").Schema(r)}
}

// count is a whole Number.
func count(n int64) Number { return Number(strconv.FormatInt(n, 10)) }

// ratio is got out of expected, at most 1, cut to four digits: it is 1 only where all
// came. It is null for nothing expected.
func ratio(got, expected int64) Number {
	if expected <= 0 {
		return ""
	}
	const scale = 10_000
	n := min(got, expected) * scale / expected
	return Number(fmt.Sprintf("%d.%04d", n/scale, n%scale))
}

// few reports whether the value of a figure is made of so few meters that a viewer is
// not shown it: those that are there, or those of them that have told anything.
func few(f *rollup.Figure) bool {
	return f.Meters < hiddenBelow || f.Counted > 0 && f.Counted < hiddenBelow
}

// MapValuesJSON is one number for each cell.
type MapValuesJSON struct {
	Version string     `json:"version" doc:"Of the outlines that the values belong to"`
	Metric  string     `json:"metric" enum:"open,overdue,offline,completeness,consumption"`
	Medium  string     `json:"medium" enum:"water,power,gas," doc:"Empty for all"`
	Unit    string     `json:"unit" doc:"UCUM code; 1 for counts and ratios"`
	AsOf    time.Time  `json:"as_of"`
	From    *time.Time `json:"from,omitempty" doc:"First hour of a metric over time"`
	To      *time.Time `json:"to,omitempty" doc:"First moment after its last hour"`
	Final   bool       `json:"final" doc:"False while an hour of it is running or not yet counted from the store"`
	Values  Numbers    `json:"values" doc:"In the order of the outlines; null: nothing is known, never 0"`
	Hidden  []int      `json:"hidden" nullable:"false" doc:"Places in values of cells with so few meters that a viewer is not shown them"`
	Of      ValuesOf   `json:"of"`
}

// ValuesOf says what the values of a map stand for.
type ValuesOf struct {
	Cells   int `json:"cells" doc:"Cells with a value"`
	Meters  int `json:"meters" doc:"Meters in the cells; 0 for metrics of cases"`
	Missing int `json:"missing" doc:"Meters that the values lack: without a proven consumption, or never heard of"`
	Waiting int `json:"waiting" doc:"Meters that are not due yet in the running hour"`
	Carried int `json:"carried" doc:"Meters whose value has what they used before, since they last answered"`
	Outside int `json:"outside" doc:"Cases or meters that are in no cell of the map"`
}

type valuesInput struct {
	Metric string    `query:"metric" required:"true" enum:"open,overdue,offline,completeness,consumption"`
	Medium string    `query:"medium" enum:"water,power,gas," doc:"Only of this medium; consumption needs one"`
	From   time.Time `query:"from" doc:"First moment of completeness and consumption, taken down to a whole hour; the beginning of the city's day when absent"`
	To     time.Time `query:"to" doc:"First moment after; now when absent"`
	Accept string    `header:"Accept-Encoding"`
}

// valuesAsked is one picture of the map.
type valuesAsked struct {
	version, metric, medium string
	from, to                int64
	viewer, gzip            bool
}

// pictures keeps the answers of the last second, so that pages that ask for the same
// share the work; those that ask at the same time wait for one another.
type pictures struct {
	mu  sync.Mutex
	all map[valuesAsked]*picture
}

type picture struct {
	mu  sync.Mutex
	at  time.Time
	out *rawOutput
}

// picturesKept bounds pictures; one is up to 100 KB for 20,000 cells.
const picturesKept = 64

func (p *pictures) of(asked valuesAsked) *picture {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[asked] == nil {
		if p.all == nil || len(p.all) >= picturesKept {
			p.all = map[valuesAsked]*picture{}
		}
		p.all[asked] = &picture{}
	}
	return p.all[asked]
}

func (c *cityRoutes) getValues(ctx context.Context, in *valuesInput) (*rawOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	asked := valuesAsked{version: p.version, metric: in.Metric, medium: in.Medium, viewer: viewsOnly(ctx), gzip: acceptsGzip(in.Accept)}
	if in.Metric == "completeness" || in.Metric == "consumption" {
		if in.From, in.To, err = c.span(in.From, in.To); err != nil {
			return nil, err
		}
		asked.from, asked.to = in.From.Unix(), in.To.Unix()
	}
	one := c.pictures.of(asked)
	one.mu.Lock()
	defer one.mu.Unlock()
	now := c.live.now()
	if age := now.Sub(one.at); one.out != nil && age >= 0 && age < sampleAge {
		return one.out, nil
	}
	v, err := c.values(ctx, p, in)
	if err != nil {
		return nil, c.problemOf(ctx, "map values "+in.Metric, err)
	}
	if one.out, err = rawJSON(v, in.Accept); err == nil {
		one.at = now
	}
	return one.out, err
}

func (c *cityRoutes) values(ctx context.Context, p *Plan, in *valuesInput) (v *MapValuesJSON, err error) {
	v = &MapValuesJSON{Version: p.version, Metric: in.Metric, Medium: in.Medium, Unit: "1", AsOf: c.live.now().UTC(), Final: true, Values: make(Numbers, len(p.cells)), Hidden: []int{}}
	switch in.Metric {
	case "open", "overdue":
		err = c.caseValues(ctx, p, v)
	case "offline":
		c.offlineValues(p, v)
	default:
		err = c.figureValues(ctx, p, in, v)
	}
	return v, err
}

// caseValues counts open cases. A cell without any has 0: that is known.
func (c *cityRoutes) caseValues(ctx context.Context, p *Plan, v *MapValuesJSON) error {
	list, err := c.openCases(ctx)
	if err != nil {
		return err
	}
	sums := make([]int64, p.town.Nowhere()+1)
	for n := range list {
		if t := &list[n]; v.Metric == "open" || t.Light == limits.Red {
			sums[p.town.Index(string(t.Cell))] += t.N
		}
	}
	for n := range v.Values {
		v.Values[n] = count(sums[n])
	}
	v.Of.Cells, v.Of.Outside = len(v.Values), int(sums[p.town.Nowhere()])
	return nil
}

// offlineValues counts meters that do not answer. A cell without meters has null.
func (c *cityRoutes) offlineValues(p *Plan, v *MapValuesJSON) {
	s := c.sight(p)
	for n := range s.cells {
		all := standing{}
		for m := range s.cells[n] {
			if v.Medium == "" || m == sightOf(schemas.Medium(v.Medium)) {
				all.add(&s.cells[n][m])
			}
		}
		if n == len(v.Values) {
			v.Of.Outside = all.total
			break
		}
		v.Of.Meters, v.Of.Missing = v.Of.Meters+all.total, v.Of.Missing+all.silent
		if all.total > 0 {
			v.Values[n] = count(int64(all.offline()))
			v.Of.Cells++
		}
	}
	v.AsOf = s.at.UTC()
}

// figureValues takes completeness and consumption from the roll-up.
func (c *cityRoutes) figureValues(ctx context.Context, p *Plan, in *valuesInput, v *MapValuesJSON) error {
	if in.Metric == "consumption" {
		if in.Medium == "" {
			return badParameter("medium", fmt.Errorf("say of which medium: a cubic metre and a kilowatt hour have no sum"))
		}
		v.Unit = string(rollup.Unit(schemas.Medium(in.Medium)))
	}
	v.From, v.To = &in.From, &in.To
	figures, err := c.figures(ctx, p, schemas.Medium(in.Medium), in.From, in.To, v)
	if err != nil {
		return err
	}
	hide := in.Metric == "consumption" && viewsOnly(ctx)
	for n := range figures {
		f := &figures[n]
		if n == len(v.Values) {
			v.Of.Outside = f.Meters
			break
		}
		v.Of.Meters, v.Of.Missing = v.Of.Meters+f.Meters, v.Of.Missing+f.Missing()
		v.Of.Waiting, v.Of.Carried = v.Of.Waiting+f.Waiting, v.Of.Carried+f.Carried
		switch {
		case hide && f.Meters > 0 && few(f):
			v.Hidden = append(v.Hidden, n)
			continue
		case in.Metric == "completeness":
			v.Values[n] = ratio(f.Got, f.Expected)
		case f.Known:
			v.Values[n] = Number(f.Value.String())
		}
		if v.Values[n] != "" {
			v.Of.Cells++
		}
	}
	return nil
}

// figures returns what is known of each cell of p, of one medium or of all.
func (c *cityRoutes) figures(ctx context.Context, p *Plan, medium schemas.Medium, from, to time.Time, v *MapValuesJSON) ([]rollup.Figure, error) {
	media := []schemas.Medium{medium}
	if medium == "" {
		media = append(rollup.Media(), schemas.Device)
	}
	var sum []rollup.Figure
	for _, m := range media {
		cells, err := c.o.Figures.Cells(ctx, m, from, to)
		if err != nil {
			return nil, err
		}
		v.Final = v.Final && cells.Final
		if !cells.AsOf.IsZero() {
			v.AsOf = cells.AsOf.UTC()
		}
		aligned := cells.In(p.town)
		if len(media) == 1 {
			return aligned, nil
		}
		if sum == nil {
			sum = make([]rollup.Figure, len(aligned))
		}
		for n := range aligned {
			g := aligned[n]
			g.Value, g.Known = schemas.Decimal{}, false // of several media there is no sum
			sum[n].Beside(&g)
		}
	}
	return sum, nil
}

// span is a range of whole hours: the city's day so far where nothing is given.
func (c *cityRoutes) span(from, to time.Time) (time.Time, time.Time, error) {
	now := c.live.now()
	if to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() {
		from = zoneDay(to, c.o.Zone)
	}
	from = from.UTC().Truncate(time.Hour)
	if end := to.UTC().Truncate(time.Hour); end.Before(to) {
		to = end.Add(time.Hour) // the hour that to is in counts whole
	} else {
		to = end
	}
	if !from.Before(to) || to.Sub(from) > maxRange {
		return from, to, problem(http.StatusUnprocessableEntity, codeRange, "The range must end after it starts, not lie in the future, and span at most 400 days.")
	}
	return from, to, nil
}
