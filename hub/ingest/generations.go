package ingest

import (
	"fmt"
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Keys derives the collectors' keys of the master keys that are in use (*seal.Master,
// *seal.Ring).
type Keys interface {
	CollectorKey(p seal.Provider, generation uint16, collector string) (seal.CollectorKey, error)
}

// Admit reports whether an envelope of a collector under a generation of its key may
// be opened now. Its errors are *seal.Error with DeviceUnknown, GenerationUnknown or
// GenerationRetired. It is asked for every message.
type Admit func(id schemas.CollectorID, generation uint16) error

// spoken is the generation of its key that each collector speaks. An answer is sealed
// under it: between a rotation at the centre and the new bundle in the box that is the
// old one.
type spoken struct {
	mu   sync.Mutex
	last map[schemas.CollectorID]uint16
}

// note takes the generation of a message that opened. A status is sealed when it is
// sent, and so says what the box has; a batch may have lain in the spool since the key
// before, so it only proves that the box has had this key.
func (s *spoken) note(stream schemas.Stream, id schemas.CollectorID, generation uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = make(map[schemas.CollectorID]uint16)
	}
	if last, ok := s.last[id]; !ok || stream == schemas.Statuses || generation > last {
		s.last[id] = generation
	}
}

// of returns the generation that a collector speaks, and active for one that has not
// been heard since the hub started.
func (s *spoken) of(id schemas.CollectorID, active uint16) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[id]; ok {
		return last
	}
	return active
}

// admitted reports whether a generation may be used, by Options.Admit where there is
// one; without it the active generation is the only one.
func (o *Options) admitted(generation uint16, collector string) error {
	if o.Admit != nil {
		return o.Admit(schemas.CollectorID(collector), generation)
	}
	_, inForce, ok := o.Enrolled(schemas.CollectorID(collector))
	switch {
	case !ok:
		return &seal.Error{Code: seal.DeviceUnknown, Problem: notEnrolled(collector, inForce)}
	case generation < inForce:
		return &seal.Error{Code: seal.GenerationRetired, Problem: fmt.Sprintf("collector %s uses key generation %#04x, in force is %#04x; give it the new bundle", collector, generation, inForce)}
	case generation > inForce:
		return &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("collector %s uses key generation %#04x, in force is %#04x; reload the enrolment", collector, generation, inForce)}
	}
	return nil
}

// oldKeys exports who speaks a key that was rotated: where the new bundle is still to
// be put in place.
type oldKeys struct {
	o      *Options
	spoken *spoken
	desc   *prometheus.Desc
}

func newOldKeys(o *Options, s *spoken) oldKeys {
	return oldKeys{o, s, prometheus.NewDesc("citygrid_hub_collector_old_key",
		"Key generation of a collector that speaks a rotated key: its box has not taken the new bundle. Others are left out.", []string{"collector"}, nil)}
}

// Describe implements prometheus.Collector.
func (k oldKeys) Describe(out chan<- *prometheus.Desc) { out <- k.desc }

// Collect implements prometheus.Collector.
func (k oldKeys) Collect(out chan<- prometheus.Metric) {
	k.spoken.mu.Lock()
	last := maps.Clone(k.spoken.last)
	k.spoken.mu.Unlock()
	for id, generation := range last {
		if _, active, ok := k.o.Enrolled(id); ok && generation < active {
			out <- prometheus.MustNewConstMetric(k.desc, prometheus.GaugeValue, float64(generation), string(id))
		}
	}
}
