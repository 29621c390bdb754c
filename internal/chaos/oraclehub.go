package chaos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"citygrid/internal/city"
	"citygrid/schemas/seal"
)

// judgeCounters holds the hub's own account against the gate's: a hub that stores an
// envelope twice counts more points than the envelopes hold that it has written.
func (j *judgement) judgeCounters(ctx context.Context) error {
	families, err := j.t.city.HubMetrics(ctx)
	if err != nil {
		return err
	}
	r := j.t.result
	life, again, kills := j.t.gate.counts()
	r.Rewritten, r.Unremembered = again, kills
	most := 0
	for point := range life {
		if o := j.readings[point]; o != nil {
			most += len(o.in) // what is read from a meter's memory again is sealed again
		}
	}
	if counted := int(city.Sum(families["citygrid_hub_points_stored_total"])); counted > most {
		r.Duplicated += counted - most
		r.example("the hub counts %d points stored, and its envelopes hold %d", counted, most)
	}
	r.MissingEnvelopes = int(city.Sum(families["citygrid_hub_missing_envelopes"]))
	rejected, ok := families["citygrid_store_rejected_points"]
	if !ok {
		return errors.New("the hub does not count the points that the store refused")
	}
	j.judgeLetters(int(city.Sum(rejected)))
	return nil
}

// judgeLetters holds what the hub has put aside against what InfluxDB was made to refuse:
// a good reading that went aside with a bad one is as good as lost. rejected is the hub's
// own count.
func (j *judgement) judgeLetters(rejected int) {
	r := j.t.result
	spoilt, most := map[envelope]int{}, 0
	for key := range j.t.gate.refused() {
		if o := j.readings[key]; o != nil {
			most += len(o.in)
			for _, e := range o.in {
				spoilt[e]++
			}
		}
	}
	if rejected > most {
		r.Unexpected += rejected - most
		r.example("the hub counts %d points that the store refused, and it was made to refuse %d", rejected, most)
	}
	sessions := j.unrefused()
	for e, l := range j.refused {
		r.Refused[l.Code]++
		switch {
		case l.Code == seal.BootConflict.String() && !rivalled(sessions, e.context):
			r.Unexpected++
			r.example("envelope %v was refused as that of a copy (%s), and no other session had its boot number", e, l.Code)
		case l.Code == storeRejected && l.badReadings() != spoilt[e]:
			r.Unexpected++
			r.example("of envelope %v the hub has put %d readings aside (%s), and %d were bad", e, l.badReadings(), l.Reason, spoilt[e])
		case l.Code != storeRejected && !(l.Code == seal.BootConflict.String() && j.t.plan.twins()):
			r.Unexpected++
			r.example("envelope %v was refused: %s", e, l.Code)
		}
	}
}

// unrefused returns the sessions of which the hub has not refused everything. Whether it has
// something of them cannot always be told: an envelope with accounts alone leaves no reading.
func (j *judgement) unrefused() map[seal.Context]bool {
	sessions := make(map[seal.Context]bool)
	for e := range j.sealed {
		if j.refused[e].Code == "" {
			sessions[e.context] = true
		}
	}
	return sessions
}

// rivalled reports whether another one of the sessions has the boot number of a refused one.
func rivalled(sessions map[seal.Context]bool, refused seal.Context) bool {
	for c := range sessions {
		if c.Boot == refused.Boot && c != refused {
			return true
		}
	}
	return false
}

// judgeLogs looks for what a program says when it breaks, at its end too: all have
// stopped.
func (t *trial) judgeLogs() error {
	for _, path := range t.city.Logs() {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			switch {
			case broken(line) && path == t.city.Log(city.Influxd) && t.plan.onDisk(city.Influxd):
				t.result.StoreCrashes++
			case broken(line):
				t.result.Panics++
				t.result.example("%s: %s", filepath.Base(path), strings.TrimSpace(line))
			case strings.Contains(line, "msg=spool ") && strings.Contains(line, "records lost"):
				t.result.Reported++
			case strings.Contains(line, "no space left on device"):
				t.result.NoSpace++
			}
		}
	}
	return nil
}

// broken reports whether a line is what a Go program says when it breaks.
func broken(line string) bool {
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "DATA RACE") || strings.Contains(line, "http: panic")
}
