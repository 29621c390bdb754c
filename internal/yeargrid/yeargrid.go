package yeargrid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/indicators"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

// Options say what to play.
type Options struct {
	District district.Options
	Year     district.YearOptions
	// Desk is where the cases are kept, as desk.Open takes it: empty tables. Without it
	// they are kept in memory. A desk takes no acts of sensors.
	Desk string
	// Progress, if not nil, is told now and then how many cases have been reported.
	Progress func(done, total int)
}

// Report is what came of it.
type Report struct {
	Cases int `json:"cases"`
	// Acts are those that docs/cases.md allows, Illegal those that it does not.
	Acts    int `json:"acts"`
	Illegal int `json:"illegal"`
	Open    int `json:"open"`
	// Refused are allowed acts that were refused, Taken others that were not.
	Refused int `json:"refused"`
	Taken   int `json:"taken"`
	// Limits are filings for which the limits file has another limit than the
	// simulator, Journals those that do not fold into their case.
	Limits   int `json:"limits"`
	Journals int `json:"journals"`
	// Groups are the rows of indicators, Different the numbers in them that are not
	// equal to the simulator's.
	Groups    int     `json:"groups"`
	Numbers   int     `json:"numbers"`
	Different int     `json:"different"`
	Seconds   float64 `json:"seconds"`
	MiB       float64 `json:"mib"` // taken from the operating system, at the most
	// First explains the first things that are wrong.
	First []string `json:"first,omitempty"`
}

// Perfect reports whether everything is as the simulator knows it.
func (r *Report) Perfect() bool {
	return r.Refused+r.Taken+r.Limits+r.Journals+r.Different == 0
}

// maxExplained bounds Report.First.
const maxExplained = 20

func (r *Report) explain(format string, args ...any) {
	if len(r.First) < maxExplained {
		r.First = append(r.First, fmt.Sprintf(format, args...))
	}
}

// Cases is where the acts go. Do does an act, or refuses it and leaves everything as
// it was; the case of an entry is the simulator's own number. Finish is called after
// the last act, and counts what Do has not counted.
type Cases interface {
	Do(ctx context.Context, e *cases.Entry) error
	Finish(ctx context.Context, tally *indicators.Tally) error
}

// Run plays a year and prints what came of it. An error means that it could not be
// played, or that something is not as it should be.
func Run(ctx context.Context, o Options, out io.Writer) (*Report, error) {
	r, err := Play(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("play the year of the grid: %w", err)
	}
	fmt.Fprintf(out, "%d cases, %d of them open at the end: %d acts in %.1f s, %.0f a second, %.0f MiB\n",
		r.Cases, r.Open, r.Acts+r.Illegal, r.Seconds, float64(r.Acts+r.Illegal)/r.Seconds, r.MiB)
	fmt.Fprintf(out, "%d allowed acts, %d refused; %d acts that are not allowed, %d taken\n", r.Acts, r.Refused, r.Illegal, r.Taken)
	fmt.Fprintf(out, "%d limits differ, %d journals do not fold; %d numbers of indicators in %d rows, %d differ\n",
		r.Limits, r.Journals, r.Numbers, r.Groups, r.Different)
	for _, text := range r.First {
		fmt.Fprintln(out, text)
	}
	if !r.Perfect() {
		return r, fmt.Errorf("the cases of the year are not what the simulator knows; see above")
	}
	return r, nil
}

// Play plays a year through the state machine in memory, or through a desk.
func Play(ctx context.Context, o Options) (report *Report, err error) {
	o.Year.NoSensors = o.Year.NoSensors || o.Desk != ""
	d, err := district.New(o.District)
	if err != nil {
		return nil, err
	}
	y, err := d.Year(o.Year)
	if err != nil {
		return nil, err
	}
	p, err := newPlayer(o, d, y)
	if err != nil {
		return nil, err
	}
	p.cases = &memory{player: p, open: map[cases.CaseID]*journal{}}
	if o.Desk != "" {
		k, openErr := openDesk(ctx, o.Desk, p.book, d.Options().Zone)
		if openErr != nil {
			return nil, openErr
		}
		defer func() { err = errors.Join(err, k.desk.Close()) }()
		p.cases = k
	}
	begun := time.Now()
	if err := p.play(ctx); err != nil {
		return nil, err
	}
	p.compare()
	p.report.Seconds = time.Since(begun).Seconds()
	p.report.Cases, p.report.Open = p.truth.Cases, p.truth.Open
	return &p.report, nil
}

// player is one play.
type player struct {
	o     Options
	year  *district.Year
	book  *limits.Book
	truth *district.Truth
	tally *indicators.Tally
	cases Cases
	// classes are those of the cases that are not filed yet.
	classes map[string]codes.Ref
	report  Report
}

func newPlayer(o Options, d *district.District, y *district.Year) (*player, error) {
	rules := y.Rules()
	b, err := book(&rules)
	if err != nil {
		return nil, err
	}
	p := &player{o: o, year: y, book: b, truth: y.Truth(), classes: map[string]codes.Ref{}}
	p.tally, err = indicators.New(p.config(d))
	return p, err
}

func (p *player) config(d *district.District) indicators.Config {
	zone := d.Options().Zone
	months := 1
	for first := p.year.From().In(zone); first.AddDate(0, months, 0).Before(p.year.To()); months++ {
	}
	duty := map[codes.DutyCode][]cases.PersonID{}
	for _, g := range d.DutyGrids() {
		for _, person := range g.Inspectors {
			duty[g.Code] = append(duty[g.Code], cases.PersonID(person))
		}
	}
	return indicators.Config{Book: p.book, Periods: indicators.Months(p.year.From(), months, zone), AsOf: p.year.To(), Duty: duty}
}

func (p *player) play(ctx context.Context) error {
	for a := range p.year.Acts() {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.truth.Tell(a)
		p.limit(a)
		answer := p.cases.Do(ctx, EntryOf(a))
		if !refusal(answer) {
			return fmt.Errorf("case %s, %s: %w", a.Case, a.Act, answer)
		}
		p.judge(a, answer)
		if n := p.truth.Cases; a.Act == "report" && n%1000 == 0 {
			p.measure()
			if p.o.Progress != nil {
				p.o.Progress(n, p.year.Cases())
			}
		}
	}
	p.measure()
	return p.cases.Finish(ctx, p.tally)
}

// refusal reports whether an answer is none but that of the workflow: nothing, or
// what is wrong with the act.
func refusal(answer error) bool {
	var conflict *cases.ConflictError
	var field *schemas.FieldError
	return answer == nil || errors.As(answer, &conflict) || errors.As(answer, &field) || errors.Is(answer, desk.ErrUnknown)
}

// judge holds the answer to an act against what it should have been.
func (p *player) judge(a *district.Act, err error) {
	switch {
	case a.Illegal == "" && err == nil:
		p.report.Acts++
	case a.Illegal == "":
		p.report.Acts++
		p.report.Refused++
		p.report.explain("refused, but allowed: case %s, %s by %s: %v", a.Case, a.Act, a.Role, err)
	default:
		p.report.Illegal++
		if err == nil {
			p.report.Taken++
			p.report.explain("taken, but not allowed (%s): case %s, %s by %s", a.Illegal, a.Case, a.Act, a.Role)
		}
	}
}

// limit asks the limits file for that of a filing.
func (p *player) limit(a *district.Act) {
	switch {
	case a.Illegal != "":
	case a.Report != nil:
		p.classes[a.Case] = a.Report.Class
	case a.Classification != nil:
		p.classes[a.Case] = a.Classification.Class
	case a.Act == "reject" || a.Act == "close":
		delete(p.classes, a.Case)
	}
	if a.Filing == nil || a.Illegal != "" {
		return
	}
	f := a.Filing
	rule, _ := p.book.Find(p.classes[a.Case], f.Condition, f.AreaClass)
	delete(p.classes, a.Case)
	if want := (cases.Limit{Amount: f.Amount, Unit: cases.Unit(f.Unit)}); rule.Limit != want {
		p.report.Limits++
		p.report.explain("case %s: the limit is %v, want %v", a.Case, rule.Limit, want)
	}
}

func (p *player) measure() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.report.MiB = max(p.report.MiB, float64(m.Sys-m.HeapReleased)/(1<<20))
}

// compare holds all numbers of all rows against the truth.
func (p *player) compare() {
	truth := p.truth.Finish()
	rows := p.tally.Rows()
	p.report.Groups = len(truth)
	seen := map[district.Group]bool{}
	for i := range rows {
		g := district.Group{Period: rows[i].Period, Dimension: string(rows[i].Dimension), Key: rows[i].Key}
		seen[g] = true
		want := truth[g]
		if want == nil {
			want = new(district.Sums)
		}
		p.compareRow(g, &rows[i], want)
	}
	var missing []string
	for g, s := range truth {
		if !seen[g] && *s != (district.Sums{}) {
			missing = append(missing, fmt.Sprintf("no row of %v", g))
		}
	}
	slices.Sort(missing)
	for _, text := range missing {
		p.report.Different++
		p.report.explain("%s", text)
	}
}

func (p *player) compareRow(g district.Group, got *indicators.Row, want *district.Sums) {
	wrong := func(name string, got, want any) {
		p.report.Different++
		p.report.explain("%v %s: %v, want %v", g, name, got, want)
	}
	for _, i := range indicators.Indicators() {
		p.report.Numbers += 2
		n := slices.Index(district.Ratios(), i.Name())
		if r := got.Ratio(i); n < 0 || want.Ratios[n] != [2]int64{r.Num, r.Den} {
			wrong(i.Name(), r, want.Ratios[max(n, 0)])
		}
	}
	for _, c := range indicators.Counts() {
		p.report.Numbers++
		n := slices.Index(district.Counts(), c.Name())
		if k := got.Count(c); n < 0 || want.Counts[n] != k {
			wrong(c.Name(), k, want.Counts[max(n, 0)])
		}
	}
}
