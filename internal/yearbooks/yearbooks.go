// Package yearbooks plays a simulated year of prepaid households into real books,
// by the ways that a city has: settlement files through intake, card entries as
// the hub stores them. It reconciles month by month and holds what was found
// against what the world injected: every fact in its class with its amount, and
// nothing else.
package yearbooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// Options say what to play.
type Options struct {
	World year.Options
	// Ledger is where the books are, as books.Open takes it; they must be empty.
	Ledger string
	// Dir takes the settlement files of the year.
	Dir string
	// Progress, if not nil, is told what is being done and how far it is.
	Progress func(stage string, done, total int64)
}

// Report is what came of it.
type Report struct {
	Places   int   `json:"places"`
	Days     int   `json:"days"`
	Entries  int64 `json:"card_entries"`
	Files    int64 `json:"files"`
	Sales    int64 `json:"sales"`
	Payments int64 `json:"payments"`
	// Statements are the runs; each has footed, or Play has failed.
	Statements int `json:"statements"`
	// Classes are in the order of docs/reconciliation.md.
	Classes []Class `json:"classes"`
	// Seconds by stage: "store", "files", "runs".
	Seconds map[string]float64 `json:"seconds"`
	// First explains the first facts that are missed or found without being there.
	First []string `json:"first,omitempty"`
}

// Class is the outcome for one class of differences.
type Class struct {
	Class ledger.Class `json:"class"`
	// Injected facts are in the world, Found of them in the books with the same
	// amount, place and day; Extra are in the books only.
	Injected int `json:"injected"`
	Found    int `json:"found"`
	Extra    int `json:"extra"`
}

// Perfect reports whether everything was found and nothing else.
func (r *Report) Perfect() bool {
	return !slices.ContainsFunc(r.Classes, func(c Class) bool { return c.Found != c.Injected || c.Extra != 0 })
}

// maxExplained bounds Report.First.
const maxExplained = 20

var utilities = []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}

// player is one play.
type player struct {
	o      Options
	world  *year.World
	books  *books.Books
	read   registers
	report Report
}

// Play plays the year. An error means that a stage failed, not that something was
// missed: that is in the report.
func Play(ctx context.Context, o Options) (report *Report, err error) {
	w, err := year.New(o.World)
	if err != nil {
		return nil, err
	}
	b, err := books.Open(ctx, o.Ledger, books.Options{
		Rules: reconcile.DefaultRules(ledger.Calendar{Zone: w.Options().Zone, CutOff: w.Options().CutOff}),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	p := &player{o: o, world: w, books: b, read: registers{}}
	p.report = Report{Places: w.Options().Places, Days: w.Options().Days, Seconds: map[string]float64{}}
	for _, stage := range []struct {
		name string
		do   func(context.Context) error
	}{{"store", p.store}, {"files", p.files}, {"runs", p.runs}, {"compare", p.compare}} {
		begun := time.Now()
		if err := stage.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", stage.name, err)
		}
		p.report.Seconds[stage.name] = time.Since(begun).Seconds()
	}
	return &p.report, nil
}

func (p *player) progress(stage string, done, total int64) {
	if p.o.Progress != nil {
		p.o.Progress(stage, done, total)
	}
}

// placesAtOnce and entriesAtOnce bound what is in memory.
const (
	placesAtOnce  = 2_000
	entriesAtOnce = 10_000
)

// store writes tariffs, register and card entries.
func (p *player) store(ctx context.Context) error {
	if err := p.books.StoreTariffs(ctx, "year", []byte(p.world.TariffYAML()), "yearbooks"); err != nil {
		return err
	}
	done := 0
	for group := range chunks(p.world.Places(), placesAtOnce) {
		if err := p.storeGroup(ctx, group); err != nil {
			return err
		}
		done += len(group)
		p.progress("places and card entries", int64(done), int64(p.report.Places))
	}
	return nil
}

func (p *player) storeGroup(ctx context.Context, group []*year.Place) error {
	places := make([]ledger.Place, len(group))
	var entries []schemas.CardEntry
	for i, g := range group {
		places[i] = placeOf(g)
		for n := range g.Entries {
			entries = append(entries, g.Entries[n].AsSent())
			p.read.note(&g.Entries[n])
		}
	}
	if err := p.books.StoreRegister(ctx, places); err != nil {
		return err
	}
	p.report.Entries += int64(len(entries))
	for part := range slices.Chunk(entries, entriesAtOnce) {
		if err := p.books.StoreCards(ctx, "year-1", part); err != nil {
			return err
		}
	}
	return nil
}

// placeOf is what the asset register says of a place.
func placeOf(g *year.Place) ledger.Place {
	out := ledger.Place{Meter: g.Meter, Utility: g.Utility, Purse: g.Purse, Plan: g.Plan, Readout: ledger.ByCard}
	if g.Remote {
		out.Readout = ledger.Remote
	}
	for _, in := range g.Installations {
		out.Installations = append(out.Installations, ledger.Installation(in))
	}
	return out
}

// files writes the settlement files of the year and imports each.
func (p *player) files(ctx context.Context) error {
	if err := p.world.WriteFiles(ctx, p.o.Dir); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(p.o.Dir, "*", "*.csv"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	mappings := map[string]*intake.Mapping{}
	for i, name := range names {
		m, err := p.mapping(mappings, filepath.Base(name))
		if err != nil {
			return err
		}
		if err := p.importFile(ctx, name, m); err != nil {
			return err
		}
		p.progress("files", int64(i+1), int64(len(names)))
	}
	return nil
}

// mapping returns that of a file, which its name tells: content, utility, channel,
// day, number. Banks and Alipay send layouts of their own.
func (p *player) mapping(known map[string]*intake.Mapping, name string) (*intake.Mapping, error) {
	part := strings.Split(name, "-")
	key := "citygrid"
	if part[2] == "bank" || part[2] == "alipay" {
		key = part[0] + part[1]
	}
	if m := known[key]; m != nil {
		return m, nil
	}
	var m *intake.Mapping
	var err error
	if key == "citygrid" {
		m, err = intake.Named(key)
	} else {
		m, err = intake.Load([]byte(year.Mapping(part[0], schemas.Medium(part[1]))))
	}
	known[key] = m
	return m, err
}

func (p *player) importFile(ctx context.Context, name string, m *intake.Mapping) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	done, err := intake.Import(ctx, p.books, f, m, intake.Options{
		Name: filepath.Base(name), By: "yearbooks", Zone: p.world.Options().Zone, Now: time.Now,
	})
	if err != nil {
		return err
	}
	p.report.Files++
	if done.Content == ledger.PaymentsFile {
		p.report.Payments += done.Rows
	} else {
		p.report.Sales += done.Rows
	}
	return nil
}

// runs reconciles every utility, a month at a time.
func (p *player) runs(ctx context.Context) error {
	spans := months(ledger.Day(p.world.FirstDay()), ledger.Day(p.world.LastDay()))
	for n, span := range spans {
		for _, u := range utilities {
			if _, err := p.books.FillUse(ctx, u, span, p.read, nil); err != nil {
				return fmt.Errorf("%s %s to %s: %w", u, span.From, span.To, err)
			}
			run, err := p.books.Run(ctx, u, span, "yearbooks", nil)
			if err != nil {
				return fmt.Errorf("%s %s to %s: %w", u, span.From, span.To, err)
			}
			if run.Figures.Refused != 0 {
				return fmt.Errorf("%s %s to %s: %d rows were refused: see Refused of the books", u, span.From, span.To, run.Figures.Refused)
			}
			p.report.Statements++
		}
		p.progress("months", int64(n+1), int64(len(spans)))
	}
	return nil
}

// months cuts days at the ends of calendar months.
func months(first, last ledger.Day) (spans []reconcile.Span) {
	for from := first; from <= last; {
		t := time.Unix(int64(from)*86400, 0).UTC()
		end := ledger.Day(time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Unix() / 86400)
		spans = append(spans, reconcile.Span{From: from, To: min(end, last)})
		from = end + 1
	}
	return spans
}
