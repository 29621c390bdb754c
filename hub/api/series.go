package api

import (
	"context"
	"time"

	"citygrid/schemas"
)

// Series answers from the series store.
type Series interface {
	// Range returns what the store has of one quantity and origin of one meter
	// with from <= taken_at < to, ascending in time: the readings themselves
	// while there are at most maxPoints of them, else summaries of equal steps,
	// at most maxPoints of them and every step of the range present.
	Range(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, origin schemas.Origin, from, to time.Time, maxPoints int) (Samples, error)
	// Around returns the good readings of every origin with
	// from <= taken_at <= to and, of each origin, the last before and the first
	// after, ascending in time. More than limit are ErrTooMany.
	Around(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, from, to time.Time, limit int) ([]schemas.Reading, error)
}

// Samples is the answer to one question about a range.
type Samples struct {
	// Step is the width of each sample's time; 0 means that the samples are
	// the readings themselves.
	Step    time.Duration
	Samples []Sample
}

// Sample is a reading, or a summary of the readings of a step of time.
type Sample struct {
	// At is taken_at of the reading, or the start of the step.
	At time.Time
	// Count is the number of readings that have a value. With 0, there is
	// nothing to draw: no reading at all, or, when Quality is Missing, a meter
	// that answered without a value.
	Count int64
	// Min, Mean and Max are for charts, never for sums.
	Min, Mean, Max float64
	// Quality is the worst of the readings.
	Quality schemas.Quality
	// Value and Reason are those of the reading; zero in a summary.
	Value  schemas.Decimal
	Reason schemas.Reason
}

// ReadingsJSON is the answer to a question about a range.
type ReadingsJSON struct {
	Meter    string    `json:"meter"`
	Quantity string    `json:"quantity"`
	Unit     string    `json:"unit"`
	Origin   string    `json:"origin" enum:"live,daily_freeze,monthly_freeze,load_record"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	StepS    float64   `json:"step_s" doc:"Seconds that a point stands for; 0: the points are the readings themselves"`
	Points   []Point   `json:"points" nullable:"false"`
}

// Point is a reading, a summary of a step or a gap.
type Point struct {
	At    time.Time `json:"at" doc:"taken_at, or the start of the step"`
	Value *string   `json:"value" doc:"Exact decimal of the reading; null in a summary and in a gap"`
	// Min, Mean and Max are floats: for charts, not for sums.
	Min     *float64 `json:"min" doc:"Nearest float64, for charts; null in a gap"`
	Mean    *float64 `json:"mean" doc:"Nearest float64, for charts; null in a gap"`
	Max     *float64 `json:"max" doc:"Nearest float64, for charts; null in a gap"`
	Count   int64    `json:"count" doc:"Readings with a value"`
	Quality string   `json:"quality" enum:"good,suspect,missing,none" doc:"none: no reading where one was due"`
	Reason  string   `json:"reason"`
}

// points turns samples into points. Between readings, a null point goes into
// each gap: where more than two and a half usual intervals lie between two.
// Summaries bring their gaps with them, as steps without readings.
func points(s Samples) []Point {
	list := make([]Point, 0, len(s.Samples)+8)
	gaps := distancesOf(s)
	for i := range s.Samples {
		if i > 0 && len(gaps) > 1 {
			if usual := usualAround(gaps, i-1); gaps[i-1] > usual*5/2 {
				list = append(list, Point{At: s.Samples[i-1].At.Add(usual).UTC(), Quality: "none"})
			}
		}
		list = append(list, s.Samples[i].point(s.Step > 0))
	}
	return list
}

// distancesOf returns the times between readings; none for summaries.
func distancesOf(s Samples) []time.Duration {
	if s.Step > 0 || len(s.Samples) == 0 {
		return nil
	}
	list := make([]time.Duration, len(s.Samples)-1)
	for i := range list {
		list[i] = s.Samples[i+1].At.Sub(s.Samples[i].At)
	}
	return list
}

// usualAround is the usual one of the distances beside distance i. A schedule may have
// changed there, so the longer of both sides counts.
func usualAround(gaps []time.Duration, i int) time.Duration {
	return max(usual(gaps[max(0, i-neighbours):i]), usual(gaps[i+1:min(len(gaps), i+1+neighbours)]))
}

func (s *Sample) point(summary bool) Point {
	p := Point{At: s.At.UTC(), Count: s.Count, Quality: s.Quality.String(), Reason: string(s.Reason)}
	switch {
	case s.Count > 0:
		p.Min, p.Mean, p.Max = &s.Min, &s.Mean, &s.Max
		if !summary {
			value := s.Value.String()
			p.Value = &value
		}
	case s.Quality != schemas.Missing:
		p.Quality = "none"
	}
	return p
}
