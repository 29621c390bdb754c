package ingest

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// A receipt is sealed under what the box has, which its status says; what lay in a
// spool since the key before does not say it.
func TestSpoken(t *testing.T) {
	var s spoken
	for i, step := range []struct {
		stream     schemas.Stream
		generation uint16
		want       uint16
	}{
		{"", 0, 9},               // nothing heard: the active one
		{schemas.Readings, 5, 5}, // the box has the old bundle
		{schemas.Readings, 9, 9}, // and now the new one
		{schemas.Readings, 5, 9}, // its old spool comes
		{schemas.Statuses, 5, 5}, // somebody put the old bundle back
		{schemas.Cards, 9, 9},    //
		{schemas.Statuses, 9, 9}, //
		{schemas.Events, 7, 9},   // an older key never lowers it by a batch
	} {
		if step.stream != "" {
			s.note(step.stream, "c1", step.generation)
		}
		if got := s.of("c1", 9); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	if got := s.of("c2", 3); got != 3 {
		t.Errorf("another collector speaks %d", got)
	}
}

// The metric names the boxes that have not taken their new bundle, and no others.
func TestOldKeysMetric(t *testing.T) {
	o := &Options{Enrolled: func(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) { return "310115", 0x0102, id != "gone" }}
	var s spoken
	for id, generation := range map[schemas.CollectorID]uint16{"old": 0x0101, "new": 0x0102, "gone": 0x0101} {
		s.note(schemas.Statuses, id, generation)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newOldKeys(o, &s))
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 {
		t.Fatalf("%v, %v", families, err)
	}
	m := families[0].GetMetric()[0]
	if m.GetLabel()[0].GetValue() != "old" || m.GetGauge().GetValue() != 0x0101 {
		t.Errorf("%v", m)
	}
}

// Options.Admit decides alone; without it the active generation is the only one.
func TestAdmitted(t *testing.T) {
	o := Options{Enrolled: func(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) { return "310115", 0x0102, id == "c1" }}
	for generation, want := range map[uint16]seal.Code{0x0102: "", 0x0101: seal.GenerationRetired, 0x0103: seal.GenerationUnknown} {
		wantRefusal(t, o.admitted(generation, "c1"), want)
	}
	wantRefusal(t, o.admitted(0x0102, "c2"), seal.DeviceUnknown)
	o.Admit = func(_ schemas.CollectorID, generation uint16) error {
		if generation == 0x0101 {
			return nil
		}
		return &seal.Error{Code: seal.GenerationRetired}
	}
	wantRefusal(t, o.admitted(0x0101, "c1"), "")
	wantRefusal(t, o.admitted(0x0102, "c1"), seal.GenerationRetired)
}

func wantRefusal(t *testing.T, err error, want seal.Code) {
	t.Helper()
	var e *seal.Error
	if want == "" && err != nil || want != "" && (!errors.As(err, &e) || e.Code != want) {
		t.Errorf("%v, want %q", err, want)
	}
}
