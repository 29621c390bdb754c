package meterclock

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestShown(t *testing.T) {
	for shown, want := range map[Shown]string{
		{0x20, 0x26, 0x03, 0x05, 0x14, 0x30, 0x15}: "2026-03-05T06:30:15Z",
		{0x20, 0x24, 0x02, 0x29}:                   "2024-02-28T16:00:00Z",
		{0x20, 0x26, 0x02, 0x29}:                   "",
		{0x20, 0x26, 0x00, 0x01}:                   "",
		{0x20, 0x26, 0x13, 0x01}:                   "",
		{0x20, 0x26, 0x01, 0x00}:                   "",
		{0x20, 0x26, 0x01, 0x01, 0x24}:             "",
		{0x20, 0x26, 0x01, 0x01, 0, 0x60}:          "",
		{0x20, 0x26, 0x01, 0x01, 0, 0, 0x60}:       "",
		{0x20, 0x26, 0x01, 0x01, 0, 0, 0x1A}:       "",
		{0x00, 0x00, 0x01, 0x01}:                   "",
		{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}: "",
	} {
		got, ok := shown.In(China())
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%X: %s, %v, want %s", shown, got, ok, want)
		}
	}
}

func TestMonthly(t *testing.T) {
	for s, ok := range map[Settlement]bool{{1, 0}: true, {28, 23}: true, {0, 0}: false, {29, 0}: false, {1, 24}: false, {1, -1}: false} {
		if s.Monthly() != ok {
			t.Errorf("%v: %v", s, !ok)
		}
	}
}

func TestSettled(t *testing.T) {
	one := []Settlement{{1, 0}}
	three := []Settlement{{5, 8}, {20, 0}, {12, 23}}
	for _, tt := range []struct {
		days  []Settlement
		clock string
		n     int
		want  string // empty: too near
	}{
		{one, "2026-03-05 14:30:15", 1, "2026-03-01 00:00"},
		{one, "2026-03-05 07:30:00", 12, "2025-04-01 00:00"},
		{one, "2026-03-01 00:10:00", 1, "2026-03-01 00:00"},
		{one, "2026-03-01 00:09:59", 1, ""},
		{one, "2026-03-01 00:09:59", 7, ""},
		{one, "2026-03-01 00:00:00", 1, ""},
		{one, "2026-02-28 23:50:01", 1, ""},
		{one, "2026-02-28 23:50:00", 1, "2026-02-01 00:00"},
		{one, "2026-01-01 00:10:00", 1, "2026-01-01 00:00"},
		{one, "2025-12-31 23:50:00", 1, "2025-12-01 00:00"},
		{[]Settlement{{25, 0}}, "2026-03-05 14:30:15", 12, "2025-03-25 00:00"},
		{[]Settlement{{28, 0}}, "2026-03-28 00:00:00", 1, ""},
		{three, "2026-03-12 22:49:00", 1, "2026-03-05 08:00"},
		{three, "2026-03-12 22:49:00", 2, "2026-02-20 00:00"},
		{three, "2026-03-12 22:49:00", 3, "2026-02-12 23:00"},
		{three, "2026-03-12 22:49:00", 4, "2026-02-05 08:00"},
		{three, "2026-03-12 22:51:00", 1, ""},
		{three, "2026-03-12 23:51:00", 1, "2026-03-12 23:00"},
		{[]Settlement{{28, 23}}, "2026-01-01 00:00:00", 11, "2025-02-28 23:00"},
	} {
		clock, err := time.ParseInLocation(time.DateTime, tt.clock, China())
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(tt.days)
		got, err := Settled(tt.days, clock, tt.n)
		if tt.want == "" {
			if !errors.Is(err, ErrTooNear) {
				t.Errorf("%v, %s, %d: %s, %v", tt.days, tt.clock, tt.n, got, err)
			}
			continue
		}
		if err != nil || got.Location() != time.UTC || got.In(China()).Format("2006-01-02 15:04") != tt.want {
			t.Errorf("%v, %s, %d: %s, %v, want %s", tt.days, tt.clock, tt.n, got, err, tt.want)
		}
		if !slices.Equal(before, tt.days) {
			t.Errorf("%v became %v", before, tt.days)
		}
	}
}
