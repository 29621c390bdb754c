package city

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	collectorconfig "citygrid/collector/config"
	"citygrid/collector/detect"
	"citygrid/hub/cases/limits"
	hubconfig "citygrid/hub/config"
	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
	"citygrid/simulators/district"
)

// GridOptions make the district in which a city's meters stand. The zero value is that
// of the demo.
type GridOptions struct {
	// Cells and Components are how many there are; 0 means 200 and 2,000, or twice as
	// many components as meters if that is more.
	Cells, Components int
	// Hold is how long a silence lasts before it is a case; 0 means 10 s.
	Hold time.Duration
	// LeakEvery is how often Play lets another meter leak; 0 means 20 s.
	LeakEvery time.Duration
	// Pace is how long a case lies, at least, before people of the play take it up; 0
	// means 3 s, or 15 s with a past, so that it can be watched.
	Pace time.Duration
	// Webhook, when set, is the address that is told of every act, and Secret its key.
	Webhook string
	Secret  string

	from time.Time // the first day of the district's cases; zero for its own
}

func (o GridOptions) withDefaults(meters int) GridOptions {
	if o.Cells == 0 {
		o.Cells = 200
	}
	if o.Components == 0 {
		o.Components = max(2000, 2*meters)
	}
	if o.Hold == 0 {
		o.Hold = 10 * time.Second
	}
	if o.LeakEvery == 0 {
		o.LeakEvery = 20 * time.Second
	}
	return o
}

// Check reports what of a district for so many meters cannot be.
func (o GridOptions) Check(meters int) error {
	_, err := district.New(o.withDefaults(meters).district(1, meters))
	return err
}

// district returns the options of a district for so many meters.
func (o GridOptions) district(seed uint64, meters int) district.Options {
	return district.Options{Seed: seed, Cells: o.Cells, Components: o.Components, Inspectors: min(40, o.Cells), Meters: meters, Collector: collectorID, From: o.from}
}

// Person is somebody who works with the city's cases.
type Person struct {
	ID         string   `json:"id"`
	Name       string   `json:"name,omitempty"` // as the books and pages have it
	Roles      []string `json:"roles"`
	Department string   `json:"department,omitempty"` // of the role department
	Token      string   `json:"token"`                // for the header Authorization: Bearer
	// SignsIn says that the person has the passphrase of the sample users.
	SignsIn bool `json:"signs_in"`
}

// grid is the district, and who may do what in it.
type grid struct {
	o      GridOptions
	people []Person
	// truth are the components of the meters as the district knows them: what the hub
	// must find by itself.
	truth map[schemas.MeterID]district.Component
}

// newGrid invents the district around the meters of a fleet.
func newGrid(o GridOptions, seed uint64, meters []schemas.MeterID) (*grid, *district.District, error) {
	o = o.withDefaults(len(meters))
	plan := o.district(seed, len(meters))
	plan.MeterIDs = meters
	d, err := district.New(plan)
	if err != nil {
		return nil, nil, err
	}
	g := &grid{o: o, truth: make(map[schemas.MeterID]district.Component, len(meters))}
	for n := range meters {
		c := d.Component(d.Options().Components - len(meters) + n)
		g.truth[c.Meter] = c
	}
	return g, d, g.hire(d)
}

// hire gives tokens to one person of each role, and to one of each department.
func (g *grid) hire(d *district.District) error {
	hired := map[string]bool{}
	for _, p := range d.People() {
		post := strings.Join(p.Roles, " ") + p.Department
		if hired[post] {
			continue
		}
		hired[post] = true
		if err := g.add(Person{ID: p.ID, Name: p.Name, Roles: p.Roles, Department: p.Department}); err != nil {
			return err
		}
	}
	return nil
}

// add gives a token to somebody.
func (g *grid) add(p Person) (err error) {
	p.Token, err = newToken()
	g.people = append(g.people, p)
	return err
}

func newToken() (string, error) {
	chance := make([]byte, 32)
	if _, err := rand.Read(chance); err != nil {
		return "", fmt.Errorf("draw a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(chance), nil
}

// makeGrid writes the census of the district and takes it into the hub's database.
func (c *City) makeGrid(ctx context.Context) error {
	if c.o.Grid == nil {
		return nil
	}
	meters := make([]schemas.MeterID, len(c.fleet.Meters))
	for n, m := range c.fleet.Meters {
		meters[n] = m.ID
	}
	plan := *c.o.Grid
	if c.past != nil {
		plan.from = c.past.midnight(casesDays)
	}
	g, d, err := newGrid(plan, c.o.Fleet.Seed, meters)
	if err != nil {
		return err
	}
	if err := c.populate(g, d); err != nil {
		return err
	}
	c.grid = g
	folder := c.path("census")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	census, err := d.WriteCensus(ctx, folder, 0)
	if err != nil {
		return err
	}
	if err := c.writeLinks(d); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("limits.yaml"), c.limits(), 0o600); err != nil {
		return err
	}
	if g.o.Webhook != "" {
		if err := os.WriteFile(c.path("webhook.secret"), []byte(g.o.Secret), 0o600); err != nil {
			return err
		}
	}
	return c.takeCensus(ctx, census)
}

// writeLinks says of every meter on which line it stands: the district knows that of
// no fleet.
func (c *City) writeLinks(d *district.District) (err error) {
	lines := make(map[schemas.MeterID]string)
	for _, l := range c.fleet.Lines() {
		for _, m := range l.Meters {
			lines[m.ID] = l.Name
		}
	}
	f, err := os.Create(c.path("census", "meter_links.csv"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	rows := [][]string{{"meter", "component", "collector", "line", "from"}}
	for l := range d.MeterLinks() {
		rows = append(rows, []string{string(l.Meter), string(l.Component), string(collectorID), lines[l.Meter], l.From.Format("20060102")})
	}
	return w.WriteAll(rows)
}

// takeCensus imports the files as an operator would, all or none.
func (c *City) takeCensus(ctx context.Context, written *district.Census) (err error) {
	crs, err := geo.ParseCRS(written.CRS)
	if err != nil {
		return err
	}
	register, err := assets.Open(ctx, c.gridDSN(), assets.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, register.Close()) }()
	var files []assets.File
	for _, f := range written.Files {
		one := assets.File{Path: c.path("census", f.Name), Kind: census.Kind(f.Kind)}
		if k := one.Kind; k == census.Areas || k == census.Cells || k == census.Components {
			one.Read.CRS = crs
		}
		files = append(files, one)
	}
	_, err = register.Import(ctx, files, assets.ImportOptions{By: "registrar"}, nil)
	return err
}

// gridDSN is the address of the city's register and cases.
func (c *City) gridDSN() string { return "sqlite:" + c.path("grid.db") }

// limits is the file of limits: the district's own rules where there is a past by
// them.
func (c *City) limits() []byte {
	if c.past != nil {
		return c.past.limits
	}
	return demoLimits()
}

// demoLimits are the sample's, but the hub brings the cases of sensors to their end by
// itself as far as it can, and a leak has a limit.
func demoLimits() []byte {
	text := strings.Replace(string(limits.Sample), "sensors: [accept, file]", "sensors: [accept, file, check, close]", 1)
	return []byte(strings.Replace(text, "\nlimits:\n", `
limits:
  - class: "citygrid-ext:event:leak"
    condition: leak
    amount: 4
    unit: urgent_hour
    closes: 漏点已修复
    source: the demo's own
`, 1))
}

// hubGrid is the hub's section about all this.
func (c *City) hubGrid() hubconfig.Grid {
	g := c.grid
	if g == nil {
		return hubconfig.Grid{}
	}
	s := hubconfig.Grid{DSN: c.gridDSN(), Limits: c.path("limits.yaml"), Media: hubconfig.GridMedia{Dir: c.path("media")}}
	s.Events.Hold = map[schemas.EventKind]time.Duration{
		schemas.EventMeterOffline: g.o.Hold, schemas.EventLineOffline: g.o.Hold, schemas.EventGatewayGone: g.o.Hold,
	}
	if g.o.Webhook != "" {
		s.Webhooks = []hubconfig.Webhook{{Name: "demo", URL: g.o.Webhook, Secret: "file:" + c.path("webhook.secret")}}
	}
	for _, p := range g.people {
		if p.grid() {
			s.People = append(s.People, hubconfig.GridPerson{ID: p.ID, Roles: p.Roles, Department: p.Department, Token: p.digest()})
		}
	}
	return s
}

// demoEvents are rules that show something in a demo: seconds where a city waits
// minutes and nights. A simulated household's flow stays below 2 m3/h and its nights
// are never still, so that only a leak on demand (Break) is one.
func (c *City) demoEvents() collectorconfig.Events {
	if c.grid == nil {
		return collectorconfig.Events{Off: true}
	}
	amount := func(text string) *detect.Amount {
		d, _ := schemas.ParseDecimal(text)
		return new(detect.Amount(d))
	}
	patience := max(2*c.o.Interval, time.Second)
	r := detect.Rules{Set: detect.Set{
		Leak:         detect.Leak{Off: new(true)},
		Burst:        detect.Burst{Above: amount("3.0"), Below: amount("2.5"), For: new(patience), ClearFor: new(patience)},
		ReverseFlow:  detect.ReverseFlow{Off: new(true)},
		ValveStuck:   detect.ValveStuck{For: new(time.Minute)},
		MeterOffline: detect.MeterOffline{After: new(5), Answers: new(2), Hold: new(patience)},
	}}
	r.LineOffline.Hold = new(patience)
	r.GatewayOffline.Hold, r.GatewayOffline.After = new(patience), new(10*time.Second)
	return collectorconfig.Events{Rules: r}
}

// People returns who may work with the city's cases and, with a past, its books, by
// their tokens; none without a grid.
func (c *City) People() []Person {
	if c.grid == nil {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(c.grid.people), func(p Person) bool { return !p.grid() && !p.ledger() })
	samples := c.Samples()
	for n := range list {
		list[n].SignsIn = slices.ContainsFunc(samples, func(p Person) bool { return p.ID == list[n].ID })
	}
	return list
}

// Truth returns the component of a meter as the district knows it: in which cell it
// stands, and who repairs it.
func (c *City) Truth(meter schemas.MeterID) (district.Component, bool) {
	if c.grid == nil {
		return district.Component{}, false
	}
	out, ok := c.grid.truth[meter]
	return out, ok
}
