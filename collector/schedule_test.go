package collector

import (
	"math/rand/v2"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestSlots(t *testing.T) {
	tests := []struct {
		t                string
		interval, offset time.Duration
		slot, after      string
	}{
		{"2026-03-01T10:07:30Z", 15 * time.Minute, 0, "2026-03-01T10:00:00Z", "2026-03-01T10:15:00Z"},
		{"2026-03-01T10:15:00Z", 15 * time.Minute, 0, "2026-03-01T10:15:00Z", "2026-03-01T10:30:00Z"},
		{"2026-03-01T10:14:59.999999999Z", 15 * time.Minute, 0, "2026-03-01T10:00:00Z", "2026-03-01T10:15:00Z"},
		{"2026-03-01T10:07:30Z", 15 * time.Minute, 10 * time.Second, "2026-03-01T10:00:10Z", "2026-03-01T10:15:10Z"},
		{"2026-03-01T10:00:09Z", 15 * time.Minute, 10 * time.Second, "2026-03-01T09:45:10Z", "2026-03-01T10:00:10Z"},
		{"2026-03-01T10:00:00+08:00", 24 * time.Hour, 0, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"1970-01-01T00:00:00Z", time.Hour, 0, "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"},
		{"1970-01-01T00:00:05Z", time.Hour, 10 * time.Second, "1969-12-31T23:00:10Z", "1970-01-01T00:00:10Z"},
		{"1969-12-31T23:59:59Z", time.Hour, 0, "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
		{"1969-12-31T23:00:00Z", time.Hour, 0, "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
		{"1969-12-31T23:59:50Z", 7 * time.Second, 0, "1969-12-31T23:59:46Z", "1969-12-31T23:59:53Z"},
	}
	for _, tt := range tests {
		if got := slotAt(at(tt.t), tt.interval, tt.offset); got != at(tt.slot) {
			t.Errorf("slotAt(%s, %s, %s) = %s, want %s", tt.t, tt.interval, tt.offset, got, tt.slot)
		}
		if got := slotAfter(at(tt.t), tt.interval, tt.offset); got != at(tt.after) {
			t.Errorf("slotAfter(%s, %s, %s) = %s, want %s", tt.t, tt.interval, tt.offset, got, tt.after)
		}
	}
}

// A slot is not after its moment, less than an interval before it, and a whole
// number of intervals from the epoch and the offset.
func TestSlotProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		moment := time.Unix(0, r.Int64N(8e18)-4e18)
		interval := time.Duration(r.Int64N(int64(48*time.Hour))) + 1
		offset := time.Duration(r.Int64N(int64(interval)))
		slot := slotAt(moment, interval, offset)
		if d := moment.Sub(slot); d < 0 || d >= interval {
			t.Fatalf("slot %s of %s is %s away (interval %s)", slot, moment, d, interval)
		}
		if (slot.UnixNano()-int64(offset))%int64(interval) != 0 {
			t.Fatalf("slot %s is not aligned to %s + %s", slot, interval, offset)
		}
		if slotAt(slot, interval, offset) != slot {
			t.Fatalf("the slot of slot %s is another", slot)
		}
		if next := slotAfter(moment, interval, offset); !next.After(moment) || next.Sub(slot) != interval {
			t.Fatalf("slot after %s is %s", moment, next)
		}
	}
}

func TestBackOff(t *testing.T) {
	tests := []struct {
		n              int
		interval, want time.Duration
	}{
		{1, time.Second, time.Second},
		{2, time.Second, 2 * time.Second},
		{3, time.Second, 4 * time.Second},
		{10, time.Second, 512 * time.Second},
		{11, time.Second, maxBackOff},
		{1 << 30, time.Second, maxBackOff},
		{1, 15 * time.Minute, 15 * time.Minute},
		{9, 15 * time.Minute, 15 * time.Minute},
		{2, 7 * time.Minute, maxBackOff},
		{5, 1 << 62, 1 << 62},
	}
	for _, tt := range tests {
		if got := backOff(tt.n, tt.interval); got != tt.want {
			t.Errorf("backOff(%d, %s) = %s, want %s", tt.n, tt.interval, got, tt.want)
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		interval := time.Duration(r.Int64N(int64(time.Hour))) + 1
		for n := 1; n < 60; n++ {
			got, next := backOff(n, interval), backOff(n+1, interval)
			if got < interval || got > max(maxBackOff, interval) || next < got || next > 2*got {
				t.Fatalf("backOff(%d, %s) = %s, then %s", n, interval, got, next)
			}
		}
	}
}
