package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// registerColumns are the columns of an asset register in CSV, in this order: one
// line an installation, those of a place together, the oldest first. Moments are
// RFC 3339, or a date and time of the city; to is empty while the meter stands.
func registerColumns() []string {
	return []string{"meter", "utility", "purse", "plan", "readout", "meter_number", "customer", "from", "to"}
}

// plateDigits is how many digits a meter number has (docs/settlement-files.md).
const plateDigits = 12

// readRegister reads the places of an asset register, and names the line of the
// first mistake.
func readRegister(path string, zone *time.Location) ([]ledger.Place, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the register: %w", err)
	}
	defer f.Close()
	places, err := parseRegister(f, zone)
	if err != nil {
		return nil, fmt.Errorf("register %s: %w; nothing was changed", path, err)
	}
	return places, nil
}

func parseRegister(in io.Reader, zone *time.Location) (places []ledger.Place, err error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	r.FieldsPerRecord = len(registerColumns())
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: want the columns %s: %w", strings.Join(registerColumns(), ","), err)
	}
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	if !slices.Equal(head, registerColumns()) {
		return nil, fmt.Errorf("line 1: want the columns %s", strings.Join(registerColumns(), ","))
	}
	seen := make(map[schemas.MeterID]bool)
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return places, nil
		}
		if err != nil {
			return nil, err // names the line
		}
		p, err := placeOf(fields, zone)
		if err == nil {
			places, err = addPlace(places, p, seen)
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// addPlace adds p, or its installation to the place before when it is the same.
func addPlace(places []ledger.Place, p ledger.Place, seen map[schemas.MeterID]bool) ([]ledger.Place, error) {
	if n := len(places); n > 0 && places[n-1].Meter == p.Meter {
		last := &places[n-1]
		if last.Utility != p.Utility || last.Purse != p.Purse || last.Plan != p.Plan || last.Readout != p.Readout {
			return places, fmt.Errorf("meter %s: utility, purse, plan and readout must be the same on all its lines", p.Meter)
		}
		last.Installations = append(last.Installations, p.Installations...)
		return places, nil
	}
	if seen[p.Meter] {
		return places, fmt.Errorf("meter %s: its lines must stand together", p.Meter)
	}
	seen[p.Meter] = true
	return append(places, p), nil
}

// placeOf reads one line. The strings are copies: the reader uses its record again.
func placeOf(f []string, zone *time.Location) (ledger.Place, error) {
	p := ledger.Place{Meter: schemas.MeterID(strings.Clone(f[0])), Utility: schemas.Medium(f[1]), Purse: schemas.CreditUnit(f[2]),
		Plan: strings.Clone(f[3]), Readout: ledger.Readout(f[4])}
	i := ledger.Installation{MeterNumber: strings.Clone(f[5]), Customer: schemas.CustomerID(strings.Clone(f[6]))}
	var unit schemas.CreditUnit
	switch p.Utility {
	case schemas.Water, schemas.Gas:
		unit = schemas.CreditLitre
	case schemas.Power:
		unit = schemas.CreditWh
	default:
		return p, fmt.Errorf("utility %q: want water, power or gas", f[1])
	}
	if p.Purse != schemas.CreditFen && p.Purse != unit {
		return p, fmt.Errorf("purse %q: want %s or %s", f[2], schemas.CreditFen, unit)
	}
	if p.Purse == schemas.CreditFen && p.Plan == "" {
		return p, errors.New("plan: missing; a purse of money needs a tariff plan")
	}
	if p.Readout != ledger.Remote && p.Readout != ledger.ByCard {
		return p, fmt.Errorf("readout %q: want remote or card", f[4])
	}
	if err := p.Meter.Validate(); err != nil {
		return p, fmt.Errorf("meter: %w", err)
	}
	if n := i.MeterNumber; n != "" && (len(n) != plateDigits || strings.Trim(n, "0123456789") != "") {
		return p, fmt.Errorf("meter_number %q: want the %d digits on the plate; spreadsheets cut off zeros in front unless the column is text", n, plateDigits)
	}
	var err error
	if i.From, err = momentIn(f[7], zone); err != nil {
		return p, fmt.Errorf("from: %w", err)
	}
	if f[8] != "" {
		if i.To, err = momentIn(f[8], zone); err != nil {
			return p, fmt.Errorf("to: %w", err)
		}
	}
	p.Installations = []ledger.Installation{i}
	return p, nil
}

// momentIn reads a moment; without an offset it is of zone.
func momentIn(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: want a moment such as 2026-03-01T09:30:00+08:00, or a date", text)
}
