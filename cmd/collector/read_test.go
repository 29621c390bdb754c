package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/collector"
	"citygrid/schemas"
)

// diary is a meter with a clock and three daily records.
type diary struct {
	clock, kept error // what asking for them gives; kept from record 3 on
}

func (d diary) reading(o schemas.Origin, t time.Time) schemas.Reading {
	return schemas.Reading{Meter: "m", Quantity: "power.energy.import", Unit: "kW.h", Value: schemas.Decimal{Mantissa: 150, Exponent: -1}, TakenAt: t, Origin: o}
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func (d diary) Read(context.Context) ([]schemas.Reading, error) {
	return []schemas.Reading{d.reading(schemas.Live, noon)}, nil
}

func (d diary) ReadClock(context.Context) (time.Time, time.Time, error) {
	now := time.Now().UTC()
	return now.Add(-time.Hour), now, d.clock
}

func (d diary) Kept(o schemas.Origin) int {
	if o == schemas.DailyFreeze {
		return 5
	}
	return 0
}

func (d diary) ReadKept(_ context.Context, o schemas.Origin, n int) ([]schemas.Reading, error) {
	if n > 3 {
		return nil, nil
	}
	if n == 3 && d.kept != nil {
		return nil, d.kept
	}
	return []schemas.Reading{d.reading(o, noon.AddDate(0, 0, -n))}, nil
}

func TestReadMeter(t *testing.T) {
	refused := &adapters.Error{Meter: "m", Class: adapters.Config, Err: errors.New("no clock")}
	tests := []struct {
		name    string
		source  adapters.Source
		clock   string
		wantErr bool
	}{
		{"a clock", diary{}, "clock: 20", false},
		{"no clock in its profile", diary{clock: refused}, "", false},
		{"a clock that fails", diary{clock: errors.New("no answer")}, "", true},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		err := readMeter(t.Context(), &out, collector.Meter{ID: "m", Source: tt.source})
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if (err != nil) != tt.wantErr || strings.Contains(lines[0], "ORIGIN") || !strings.Contains(lines[1], "15.0") {
			t.Errorf("%s: %v\n%s", tt.name, err, out.String())
		}
		if got := strings.Join(lines[2:], ""); !strings.HasPrefix(got, tt.clock) || tt.clock != "" && !strings.Contains(got, ", -1h0m0s ahead") {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

func TestReadKept(t *testing.T) {
	for _, broken := range []error{nil, errors.New("no answer")} {
		m := collector.Meter{ID: "m", Source: diary{kept: broken}}
		read, err := keptReader(m, "daily")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = read(t.Context(), &out, m)
		want := 4
		if broken != nil {
			want = 3
		}
		if n := strings.Count(out.String(), "\n"); n != want || !errors.Is(err, broken) {
			t.Errorf("%d lines, %v\n%s", n, err, out.String())
		}
		if !strings.Contains(out.String(), "TAKEN AT              ORIGIN") || !strings.Contains(out.String(), "2026-05-03T12:00:00Z  daily_freeze") {
			t.Errorf("no origin:\n%s", out.String())
		}
		if _, err := keptReader(m, "monthly"); err == nil || !strings.Contains(err.Error(), "keeps no monthly") {
			t.Errorf("monthly: %v", err)
		}
	}
}

// mute is a meter that gives nothing.
type mute struct {
	diary
	err error
}

func (m mute) Read(context.Context) ([]schemas.Reading, error) { return nil, m.err }

func (m mute) ReadKept(context.Context, schemas.Origin, int) ([]schemas.Reading, error) {
	return nil, m.err
}

// A table without a row has no head: an error is not announced by one.
func TestNoTableWithoutARow(t *testing.T) {
	broken := errors.New("no answer")
	m := collector.Meter{ID: "m", Source: mute{err: broken}}
	var out bytes.Buffer
	if err := readMeter(t.Context(), &out, m); !errors.Is(err, broken) || out.Len() > 0 {
		t.Errorf("%v, %q", err, &out)
	}
	for err, want := range map[error]string{broken: "", nil: "the meter holds no such record\n"} {
		out.Reset()
		m.Source = mute{err: err}
		read, wrong := keptReader(m, "daily")
		if wrong != nil {
			t.Fatal(wrong)
		}
		if got := read(t.Context(), &out, m); !errors.Is(got, err) || out.String() != want {
			t.Errorf("%v, %q, want %v, %q", got, &out, err, want)
		}
	}
}
