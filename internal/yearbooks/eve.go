package yearbooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// EveOptions say what books to make that somebody can go on with.
type EveOptions struct {
	// World is the life of the meters; its last day is the one that is left to do. Its
	// channels send our own layout (Plain).
	World year.Options
	// Ledger is where the books are, as books.Open takes it; they must be empty. Rules
	// must be those with which others will go on, but for the calendar, which follows
	// from the world.
	Ledger string
	Rules  reconcile.Rules
	// Dir takes the settlement files: those that are imported in "past", the last day's
	// in "yesterday", and the same with mistakes in "with-errors".
	Dir string
	// Tariffs is the name under which the tariffs are kept.
	Tariffs string
	// Also are places that the register has besides, of meters that live elsewhere, and
	// AlsoPlans the entries of the tariff file that they need, as YAML.
	Also      []ledger.Place
	AlsoPlans string
	// Clerk, Reviewer and Approver are the names of who did what was done.
	Clerk, Reviewer, Approver string
}

// Eve is a city's books on the eve of a reconciliation: everything is reconciled up to
// the day before the last one of the world, and the card entries of the last day are
// there, but not its files.
type Eve struct {
	World *year.World
	// Tariffs is the text of the tariff file.
	Tariffs string
	// Yesterday and WithErrors are folders with the files of the last day.
	Yesterday, WithErrors string
	// Places, Entries, Files, Runs and Decisions count what the books hold.
	Places, Entries, Files, Runs, Decisions int
}

// Day is the day that is left to do.
func (e *Eve) Day() ledger.Day { return ledger.Day(e.World.LastDay()) }

// daily is how many of the last days have a run each; those before have one a month.
const daily = 14

// KeepEve makes books and files as o says. What was done has the moments at which it
// would have been done: the clock of the books runs through the days of the world.
func KeepEve(ctx context.Context, o EveOptions) (eve *Eve, err error) {
	o.World.Plain = true
	w, err := year.New(o.World)
	if err != nil {
		return nil, err
	}
	p := &eveKeeper{o: o, eve: &Eve{World: w, Yesterday: filepath.Join(o.Dir, "yesterday"), WithErrors: filepath.Join(o.Dir, "with-errors")}, read: registers{}}
	p.morning(ledger.Day(w.FirstDay()) - 1)
	b, err := books.Open(ctx, o.Ledger, books.Options{Rules: o.Rules, Now: func() time.Time { return p.now }})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	p.books = b
	for _, step := range []func(context.Context) error{p.register, p.write, p.days} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p.eve, nil
}

type eveKeeper struct {
	o     EveOptions
	eve   *Eve
	books *books.Books
	read  registers
	own   *intake.Mapping
	now   time.Time
	// decided are the differences that somebody has looked at, by key.
	decided map[string]bool
}

// morning sets the clock to the morning after a day.
func (p *eveKeeper) morning(d ledger.Day) {
	t := time.Unix(int64(d+1)*86400, 0).UTC()
	p.now = time.Date(t.Year(), t.Month(), t.Day(), 8, 30, 0, 0, p.eve.World.Options().Zone)
}

// later lets some time pass.
func (p *eveKeeper) later(d time.Duration) { p.now = p.now.Add(d) }

// register writes tariffs, places and card entries.
func (p *eveKeeper) register(ctx context.Context) error {
	p.eve.Tariffs = p.eve.World.TariffYAML() + p.o.AlsoPlans
	if err := p.books.StoreTariffs(ctx, p.o.Tariffs, []byte(p.eve.Tariffs), p.o.Clerk); err != nil {
		return err
	}
	places := slices.Clone(p.o.Also)
	var entries []schemas.CardEntry
	for one := range p.eve.World.Places() {
		places = append(places, placeOf(one))
		for n := range one.Entries {
			entries = append(entries, one.Entries[n].AsSent())
			p.read.note(&one.Entries[n])
		}
	}
	if err := p.books.StoreRegister(ctx, places); err != nil {
		return err
	}
	p.eve.Places, p.eve.Entries = len(places), len(entries)
	for part := range slices.Chunk(entries, entriesAtOnce) {
		if err := p.books.StoreCards(ctx, "prepaid-1", part); err != nil {
			return err
		}
	}
	return nil
}

// write writes the files of all days, and puts those of the last one aside.
func (p *eveKeeper) write(ctx context.Context) (err error) {
	past := filepath.Join(p.o.Dir, "past")
	if err := p.eve.World.WriteFiles(ctx, past); err != nil {
		return err
	}
	if p.own, err = intake.Named("citygrid"); err != nil {
		return err
	}
	last := p.eve.Day().String()
	if err := os.Rename(filepath.Join(past, last), p.eve.Yesterday); err != nil {
		return err
	}
	names, err := p.files(p.eve.Yesterday)
	if err != nil {
		return err
	}
	return spoil(p.eve.WithErrors, names)
}

// files returns the files of a folder that hold anything, and removes the others: a
// channel sends a file also when nothing was sold, and nobody misses them here.
func (p *eveKeeper) files(dir string) (names []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if !emptyFile(text) {
			names = append(names, name)
		} else if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// days imports and reconciles what lies before the last day.
func (p *eveKeeper) days(ctx context.Context) error {
	p.decided = map[string]bool{}
	next := ledger.Day(p.eve.World.FirstDay())
	for _, span := range p.spans() {
		for ; next <= span.To; next++ {
			p.morning(next)
			if err := p.importDay(ctx, next); err != nil {
				return err
			}
		}
		if err := p.reconcile(ctx, span); err != nil {
			return err
		}
	}
	return p.fill(ctx, reconcile.Span{From: p.eve.Day(), To: p.eve.Day()})
}

// spans are those of the runs: months, and then single days.
func (p *eveKeeper) spans() []reconcile.Span {
	last := p.eve.Day() - 1
	single := last - daily + 1
	spans := months(ledger.Day(p.eve.World.FirstDay()), single-1)
	for d := single; d <= last; d++ {
		spans = append(spans, reconcile.Span{From: d, To: d})
	}
	return spans
}

func (p *eveKeeper) importDay(ctx context.Context, d ledger.Day) error {
	names, err := p.files(filepath.Join(p.o.Dir, "past", d.String()))
	if err != nil {
		return err
	}
	for _, name := range names {
		p.later(time.Second)
		if err := p.importOne(ctx, name); err != nil {
			return err
		}
	}
	p.eve.Files += len(names)
	return nil
}

func (p *eveKeeper) importOne(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = intake.Import(ctx, p.books, f, p.own, intake.Options{
		Name: filepath.Base(name), By: p.o.Clerk, Zone: p.eve.World.Options().Zone, Now: func() time.Time { return p.now },
	})
	return err
}

// reconcile makes the runs of a span, and then people look at what is open.
func (p *eveKeeper) reconcile(ctx context.Context, span reconcile.Span) error {
	p.later(15 * time.Minute)
	if err := p.fill(ctx, span); err != nil {
		return err
	}
	for _, u := range utilities {
		run, err := p.books.Run(ctx, u, span, p.o.Clerk, nil)
		if err != nil {
			return fmt.Errorf("%s %s to %s: %w", u, span.From, span.To, err)
		}
		if run.Figures.Refused != 0 {
			return fmt.Errorf("%s %s to %s: %d rows were refused: see Refused of the books", u, span.From, span.To, run.Figures.Refused)
		}
		p.eve.Runs++
		p.later(time.Minute)
	}
	return p.decide(ctx, span.To)
}

func (p *eveKeeper) fill(ctx context.Context, span reconcile.Span) error {
	for _, u := range utilities {
		if _, err := p.books.FillUse(ctx, u, span, p.read, nil); err != nil {
			return fmt.Errorf("%s %s to %s: %w", u, span.From, span.To, err)
		}
	}
	return nil
}
