package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/statement"
	"citygrid/hub/store"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// keptVersion is the version of rules as runs keep it: "2026-1; 23:00
// Asia/Shanghai". The cut-off and the zone are in it, because a statement of the run
// must name those that it was made under, whatever is configured later.
func keptVersion(version string, c ledger.Calendar) string {
	return version + "; " + statement.Clock(c.CutOff) + " " + c.Zone.String()
}

// madeUnder takes apart the version that a run kept. Runs of programs that keep no
// calendar were made under the given one.
func madeUnder(run *books.RunSummary, given ledger.Calendar) (version string, c ledger.Calendar, err error) {
	at := strings.LastIndex(run.Rules, "; ")
	if at < 0 {
		return run.Rules, given, nil
	}
	s := config.Ledger{}
	s.CutOff, s.Zone, _ = strings.Cut(run.Rules[at+2:], " ")
	if c.CutOff, err = s.CutOffTime(); err == nil {
		c.Zone, err = s.Location()
	}
	if err != nil {
		return "", c, fmt.Errorf("rules %q of the run: %w", run.Rules, err)
	}
	return run.Rules[:at], c, nil
}

// sameCalendar refuses to go on with books under another cut-off than that of the
// last run, unless a configuration says so: without one it is a default that nobody
// chose.
func (l *openLedger) sameCalendar(ctx context.Context, utility schemas.Medium) error {
	if l.folder != nil {
		return nil
	}
	last, err := l.LatestRun(ctx, utility)
	if errors.Is(err, books.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	_, c, err := madeUnder(&last, l.rules.Calendar)
	if err != nil {
		return err
	}
	was, is := keptVersion("", c), keptVersion("", l.rules.Calendar)
	if was != is {
		return fmt.Errorf("the books of %s were kept with the cut-off %s, and without a configuration it would be %s; give --config", utility, was[2:], is[2:])
	}
	return nil
}

// openRegisters opens the readings of the configuration, from which a run takes
// what card entries do not tell. close is to be called in the end.
func (l *openLedger) openRegisters() (closeAll func(), err error) {
	if l.folder == nil || l.folder.Influx.URL == "" {
		return func() {}, nil
	}
	in := l.folder.Influx
	var token secret.Secret
	if in.Token != "" {
		if token, err = seal.ReadPassphrase(sourceIn(l.folder, in.Token)); err != nil {
			return nil, fmt.Errorf("influx.token (leave it out for none): %w", err)
		}
	}
	encrypted, err := storeTLS(l.folder)
	if err != nil {
		return nil, err
	}
	series, err := store.Open(store.Config{URL: in.URL, Org: in.Org, Bucket: in.Bucket, Token: token, TLS: encrypted})
	if err != nil {
		return nil, err
	}
	l.registers = series
	return series.Close, nil
}

// makeRun fills in what the readings know, and makes a run.
func (l *openLedger) makeRun(ctx context.Context, utility schemas.Medium, span reconcile.Span, by string, progress func(books.Progress)) (books.RunSummary, books.FillSummary, error) {
	var filled books.FillSummary
	if l.registers != nil {
		var err error
		if filled, err = l.FillUse(ctx, utility, span, l.registers, progress); err != nil {
			return books.RunSummary{}, filled, err
		}
	}
	run, err := l.Run(ctx, utility, span, by, progress)
	return run, filled, err
}

// reconcile makes a run and its statement.
func (l *openLedger) reconcile(ctx context.Context, utility schemas.Medium, span reconcile.Span, by string, progress io.Writer) (*statement.Document, error) {
	if err := l.sameCalendar(ctx, utility); err != nil {
		return nil, err
	}
	if err := l.takeTariffs(ctx, by); err != nil {
		return nil, err
	}
	if l.folder != nil && l.folder.Influx.Bundled {
		fmt.Fprintln(progress, "note: the readings are in the hub's own InfluxDB, which this command cannot ask; to have registers filled in from them, start the run through the hub's API")
	}
	bar := newBar(progress, time.Now)
	run, filled, err := l.makeRun(ctx, utility, span, by, func(p books.Progress) { bar.show(p.Stage, p.Done, p.Total) })
	bar.end()
	if filled.Asked > 0 {
		fmt.Fprintf(progress, "registers of %d card entries were filled in from readings; for %d there is no good reading near enough\n", filled.Filled, filled.Missing)
	}
	if err != nil {
		return nil, err
	}
	return l.statement(ctx, &run)
}

// statement makes the statement of a run.
func (l *openLedger) statement(ctx context.Context, run *books.RunSummary) (*statement.Document, error) {
	act := fmt.Sprintf("statement of run %d", run.ID)
	if run.State != books.RunDone {
		return nil, fmt.Errorf("%s: %w", act, books.ErrSetAside)
	}
	rules, calendar, err := madeUnder(run, l.rules.Calendar)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	open, err := l.openAt(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	s, err := statement.New(statement.Input{
		City: l.settings.City, Utility: run.Utility, Span: run.Span, Calendar: calendar,
		Run:   statement.RunRef{ID: run.ID, Version: run.Version, Before: run.Before, Replaces: run.Replaces},
		Rules: rules, Tariffs: map[string]string{"files": run.Tariffs}, Inputs: run.Inputs, Figures: &run.Figures,
		Unresolved: (*statement.Unresolved)(run.Unresolved), Open: open, By: run.By, At: run.At,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	return statement.Seal(s)
}

// openAt returns the differences with which a run closed, as they stood then.
func (l *openLedger) openAt(ctx context.Context, run *books.RunSummary) ([]statement.OpenDifference, error) {
	closed, err := l.ClosedWith(ctx, run.ID)
	list := make([]statement.OpenDifference, len(closed))
	for n := range closed {
		list[n] = statement.OpenDifference{Key: closed[n].Key, Difference: closed[n].Difference, State: closed[n].State}
	}
	return list, err
}
