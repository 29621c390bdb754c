package city

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	hubconfig "citygrid/hub/config"
	"citygrid/hub/media"
	"citygrid/hub/registry/assets"
	"citygrid/internal/yeargrid"
	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

// casesDays is for how many days before today there have been cases.
const casesDays = 30

// PastCases counts what became of the cases of the past.
type PastCases struct {
	// Reported and Acts are all of them, Photos the pictures that are kept.
	Reported, Acts, Photos int
}

// Cases returns what there is of cases from before the city was started.
func (c *City) Cases() PastCases {
	if c.past == nil {
		return PastCases{}
	}
	return c.past.cases
}

// populate gives the district a past where there is one: the people of the books, the
// rules, and the year of which the last days are told.
func (c *City) populate(g *grid, d *district.District) (err error) {
	p := c.past
	if p == nil {
		return nil
	}
	for _, one := range append(clerks(), Person{ID: string(otherInspector), Roles: []string{"inspector"}}) {
		if err := g.add(one); err != nil {
			return err
		}
	}
	p.district = d
	if p.year, err = d.Year(district.YearOptions{Cases: p.o.Cases, Days: casesDays + 1, NoSensors: true}); err != nil {
		return err
	}
	rules := p.year.Rules()
	// People do the rest: they are to see something of it.
	rules.Sensors, rules.Dispatch = []string{"accept", "file"}, nil
	leak := codes.Ref{Standard: codes.Extension, Kind: codes.Event, Code: "leak"}
	rules.Limits = append(rules.Limits, district.LimitRule{Class: leak, Condition: "leak", Amount: 4, Unit: string(cases.UrgentHour)})
	p.limits = []byte(yeargrid.LimitsFile(&rules))
	return nil
}

// makeCases lets the district live through the last days, up to now, at a desk whose
// clock runs with it. Everything goes the way that acts go in a hub.
func (c *City) makeCases(ctx context.Context) (err error) {
	t := &teller{City: c, numbers: map[string]cases.CaseID{}, subjects: map[cases.CaseID]subject{}, photos: map[photo]cases.Media{}}
	if err := t.open(ctx); err != nil {
		return errors.Join(err, t.close())
	}
	defer func() { err = errors.Join(err, t.close()) }()
	// The hub's reader of the journal begins here, so that its charts have all of it.
	if _, err := t.desk.Cursor(ctx, "series"); err != nil {
		return err
	}
	if err := t.live(ctx); err != nil {
		return err
	}
	return t.fresh(ctx)
}

// teller tells a desk what has happened.
type teller struct {
	*City
	register *assets.Register
	desk     *desk.Desk
	library  *media.Library
	now      time.Time
	numbers  map[string]cases.CaseID // by the simulator's
	subjects map[cases.CaseID]subject
	photos   map[photo]cases.Media
}

func (t *teller) open(ctx context.Context) (err error) {
	book, err := limits.Load(t.limits())
	if err != nil {
		return err
	}
	lists, err := codes.Embedded()
	if err != nil {
		return err
	}
	numbers, err := codes.NewCaseTemplate(hubconfig.DefaultCaseNumber, t.past.zone)
	if err != nil {
		return err
	}
	store, err := media.OpenDisk(t.path("media"))
	if err != nil {
		return err
	}
	t.library = &media.Library{Store: store, Limits: media.DefaultLimits(), Zone: t.past.zone}
	if t.register, err = assets.Open(ctx, t.gridDSN(), assets.Options{Lists: lists}); err != nil {
		return err
	}
	t.desk, err = desk.Open(ctx, t.gridDSN(), desk.Options{
		Rules: book.Workflow, Grid: registerGrid{t.register}, Limits: book, Classes: listClasses{lists}, Numbers: numbers,
		Zone: t.past.zone, Plain: plainOrNowhere, Now: func() time.Time { return t.now },
	})
	return err
}

func (t *teller) close() error {
	var errs []error
	if t.desk != nil {
		errs = append(errs, t.desk.Close())
	}
	if t.register != nil {
		errs = append(errs, t.register.Close())
	}
	return errors.Join(errs...)
}

// live tells what the district did until an hour and a half ago.
func (t *teller) live(ctx context.Context) error {
	for a := range t.past.year.Acts() {
		if a.ReceivedAt.After(t.past.now.Add(-freshFor)) {
			return nil
		}
		e := yeargrid.EntryOf(a)
		number, known := t.numbers[a.Case]
		if e.Case = number; !known && e.Act != cases.ActReport {
			return fmt.Errorf("case %s, %s: it was never reported", a.Case, a.Act)
		}
		e.DuplicateOf = t.numbers[a.DuplicateOf]
		done, err := t.do(ctx, e)
		if err != nil {
			return fmt.Errorf("case %s, %s: %w", a.Case, a.Act, err)
		}
		t.numbers[a.Case] = done.Case.ID
	}
	return nil
}

// do does one act with real photos, when the hub received it.
func (t *teller) do(ctx context.Context, e *cases.Entry) (desk.Done, error) {
	t.now = e.ReceivedAt
	for n := range e.Media {
		kept, err := t.photo(ctx, e, n)
		if err != nil {
			return desk.Done{}, err
		}
		e.Media[n] = kept
	}
	done, err := t.desk.Act(ctx, desk.Submission{Entry: *e})
	if err == nil {
		t.past.cases.Acts++
		if e.Act == cases.ActReport {
			t.past.cases.Reported++
			t.subjects[done.Case.ID] = subjectOf(e.Report)
		}
	}
	return done, err
}
