package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
	"citygrid/schemas"
)

// deskOf returns the desk of reconciliation over the books.
func deskOf(l *openLedger) *api.Desk {
	f := deskFace{l}
	return &api.Desk{Days: f, Work: f, Rows: f, Files: f, Today: func() ledger.Day { return l.rules.Calendar.DayOf(time.Now()) }}
}

// deskFace is the API's view of the books as work.
type deskFace struct{ *openLedger }

// Days lists accounting days.
func (f deskFace) Days(ctx context.Context, utility schemas.Medium, from, to ledger.Day) (ledger.DayOverview, error) {
	o, err := f.Books.Days(ctx, utility, from, to)
	return o, apiError(err)
}

// Day returns one accounting day.
func (f deskFace) Day(ctx context.Context, utility schemas.Medium, day ledger.Day) (api.LedgerDay, error) {
	var d api.LedgerDay
	o, err := f.Books.Days(ctx, utility, day, day)
	if err != nil {
		return d, apiError(err)
	}
	d.Line, d.Overview = o.Days[0], o
	if d.DayLedgers, err = f.DayLedgers(ctx, utility, day); err != nil {
		return d, apiError(err)
	}
	runs, err := f.DayRuns(ctx, utility, day)
	if err != nil {
		return d, apiError(err)
	}
	for n := range runs {
		d.Runs = append(d.Runs, runOf(&runs[n]))
	}
	if r := d.Line.Run; r != nil {
		d.Unlooked, err = f.Unlooked(ctx, utility, r.ID)
	}
	return d, apiError(err)
}

// CloseDay closes a day.
func (f deskFace) CloseDay(ctx context.Context, c ledger.DayClosing) (ledger.DayClosing, error) {
	done, err := f.Books.CloseDay(ctx, c)
	return done, apiError(err)
}

// Work lists differences.
func (f deskFace) Work(ctx context.Context, q ledger.WorkFilter) (ledger.WorkList, error) {
	list, err := f.Books.Work(ctx, q)
	return list, apiError(err)
}

// Dossier returns one difference with all that bears on it.
func (f deskFace) Dossier(ctx context.Context, key string) (ledger.Dossier, error) {
	d, err := f.Books.Dossier(ctx, key)
	return d, apiError(err)
}

// Rows lists rows of a ledger.
func (f deskFace) Rows(ctx context.Context, which string, q ledger.RowFilter) ([]ledger.Row, int64, error) {
	read := f.EntryRows
	switch which {
	case "sales":
		read = f.SaleRows
	case "payments":
		read = f.PaymentRows
	}
	rows, total, err := read(ctx, q)
	return rows, total, apiError(err)
}

// Source finds the line of a row, where the mapping is still the one that read it.
func (f deskFace) Source(ctx context.Context, content ledger.Content, id int64) (ledger.Source, error) {
	s, raw, err := f.SourceOf(ctx, content, id)
	if err != nil {
		return s, apiError(err)
	}
	name, _, _ := strings.Cut(s.Import.Mapping, " ")
	m, err := ledgerFace(f).uploadMapping(name)
	if err != nil || m.Name+" "+m.Version != s.Import.Mapping {
		return s, nil // its bytes are kept all the same: only nobody knows how to read them
	}
	if at, ok := intake.Line(raw, m, s.Row); ok {
		s.Line, s.Text, s.Names = at.Line, at.Text, at.Names
	}
	return s, nil
}

// SearchPlaces finds places.
func (f deskFace) SearchPlaces(ctx context.Context, text string) ([]ledger.PlaceMatch, error) {
	list, err := f.Books.SearchPlaces(ctx, text)
	return list, apiError(err)
}

// ourMapping is the name of the mapping of our own format.
const ourMapping = "citygrid"

// Mappings lists those of the program and of the configuration's folder.
func (f deskFace) Mappings(context.Context) ([]api.FileMapping, error) {
	names := intake.Names()
	if f.settings.Mappings != "" {
		own, err := filepath.Glob(filepath.Join(f.folder.Path(f.settings.Mappings), "*.yaml"))
		if err != nil {
			return nil, fmt.Errorf("list mappings: %w", err)
		}
		for _, path := range own {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".yaml"))
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == ourMapping })
	names = append([]string{ourMapping}, names...)
	var out []api.FileMapping
	for _, name := range names {
		m, err := ledgerFace(f).uploadMapping(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", api.ErrRefused, err)
		}
		out = append(out, api.FileMapping{Name: name, Version: m.Version, Content: m.Content})
	}
	return out, nil
}

// Check reads a file and looks whether its number is taken.
func (f deskFace) Check(ctx context.Context, u api.Upload) (api.FileCheck, error) {
	names := []string{u.Mapping}
	if u.Mapping == "" {
		list, err := f.Mappings(ctx)
		if err != nil {
			return api.FileCheck{}, err
		}
		names = names[:0]
		for _, m := range list {
			names = append(names, m.Name)
		}
		if bytes.HasPrefix(bytes.TrimPrefix(u.Raw, []byte("\xef\xbb\xbf")), []byte("#citygrid,")) {
			names = names[:1] // it says itself what it is
		}
	}
	var best api.FileCheck
	for _, name := range names {
		c, err := f.checkWith(ctx, u, name)
		if err != nil {
			return c, err
		}
		if best.Mapping == "" || len(c.Mistakes) < len(best.Mistakes) {
			best = c
		}
	}
	return best, nil
}

// checkWith reads a file with one mapping.
func (f deskFace) checkWith(ctx context.Context, u api.Upload, mapping string) (c api.FileCheck, err error) {
	c.Mapping = mapping
	m, err := ledgerFace(f).uploadMapping(mapping)
	if err != nil {
		return c, fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	file, err := intake.Read(ctx, bytes.NewReader(u.Raw), m, f.intakeOptions(&u))
	var wrong *intake.FileError
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			c.Mistakes = append(c.Mistakes, api.FileFault{Line: p.Line, Column: p.Column, Field: p.Name, Text: p.Text, What: p.What})
		}
		c.More = wrong.More
		return c, nil
	}
	if err != nil {
		return c, err
	}
	i, held, err := f.WouldImport(ctx, file)
	if err != nil {
		return c, apiError(err)
	}
	c.File, c.Held = &i, held
	c.Same = held != nil && held.Digest == i.Digest
	return c, nil
}

// intakeOptions are what an upload says of its file.
func (l *openLedger) intakeOptions(u *api.Upload) intake.Options {
	o := intake.Options{Name: u.Name, By: u.By, Zone: l.rules.Calendar.Zone, Now: time.Now, Channel: u.Channel, Utility: u.Utility, Number: u.Number}
	if u.Day.Known {
		o.Day = &u.Day.Day
	}
	return o
}
