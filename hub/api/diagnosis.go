package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/schemas"
)

// Diagnoses answers what a meter's diagnosis needs of the series store.
type Diagnoses interface {
	// Attendance tells when a quantity of a meter was read live with
	// from <= taken_at < to; of more than limit times, the newest.
	Attendance(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, from, to time.Time, limit int) (Attendance, error)
	// Doubtful returns the readings of a meter that are not good, of every quantity
	// and origin, with from <= taken_at < to; of more than limit, limit of them, and
	// more is true.
	Doubtful(ctx context.Context, meter schemas.MeterID, from, to time.Time, limit int) (list []schemas.Reading, more bool, err error)
}

// Attendance is when one quantity of a meter was read.
type Attendance struct {
	// Times are those of its readings, those without a value too, newest first.
	Times []time.Time
	// More reports that there are older ones in the range.
	More bool
	// Before reports that the meter was read before the range, too.
	Before bool
}

// DiagnosisJSON is all that the hub knows of how a meter is.
type DiagnosisJSON struct {
	At     time.Time `json:"at"`
	ID     string    `json:"id"`
	Medium string    `json:"medium" enum:"water,power,gas,device"`
	State  string    `json:"state" enum:"answering,late,failing"`
	// Where it is and who reads it.
	Collector string     `json:"collector" doc:"That gave its newest reading, or names it; empty when not known"`
	Line      string     `json:"line" doc:"By the register; empty when not known"`
	Place     *PlaceMark `json:"place" doc:"By the register; null when it does not know the meter"`

	Today       SuccessJSON     `json:"today" doc:"Since midnight in the city's time zone"`
	Day         SuccessJSON     `json:"day" doc:"Of the last 24 hours"`
	Failure     *FailureJSON    `json:"failure" doc:"The last failure, which may last; null when none was told since the hub's start"`
	DriftMS     *int64          `json:"drift_ms" doc:"How far the meter's clock is ahead of the collector's; null when the collector tells nothing: not known, or less than a minute"`
	Installed   []InstalledJSON `json:"installations" nullable:"false" doc:"The physical meters of this place, the newest first"`
	Verdicts    []VerdictJSON   `json:"verdicts" nullable:"false" doc:"Readings of the last 24 hours that are not good, counted by quantity and reason, the most first"`
	Doubtful    []DoubtfulJSON  `json:"doubtful" nullable:"false" doc:"The newest of them, at most 100"`
	DoubtfulAll bool            `json:"doubtful_all" doc:"Whether verdicts counts all; false when there were more than 10,000"`
}

// PlaceMark says to which component a meter belongs and where that is.
type PlaceMark struct {
	Component string `json:"component"`
	Name      string `json:"name" doc:"What the component is called, or its class"`
	Location  string `json:"location" doc:"In words; may be empty"`
	Cell      string `json:"cell" doc:"Empty where it is in none"`
}

// SuccessJSON is how many of its slots a meter was read in (抄表成功率).
type SuccessJSON struct {
	From    time.Time `json:"from" doc:"Later than asked for where the meter was first read then, or has more readings than are looked at"`
	Planned *uint64   `json:"planned" doc:"Null when the interval is not known"`
	Read    uint64    `json:"read"`
	Rate    *float64  `json:"rate" doc:"Read over planned, 0 to 1; null while it is not known"`
	Source  string    `json:"source" enum:"collector,readings,none" doc:"collector: its own count; readings: stored readings against their usual interval"`
}

// FailureJSON is a time in which a meter did not answer.
type FailureJSON struct {
	Collector string        `json:"collector"`
	Since     *time.Time    `json:"since" doc:"Null when only the text is known"`
	Until     *time.Time    `json:"until" doc:"Null while it lasts"`
	Error     string        `json:"error" doc:"What was asked and what came back, one line"`
	Cause     string        `json:"cause" enum:"no_answer,cut_short,bad_answer,refused,unreachable," doc:"The same in a word; empty where none fits"`
	Exchange  *ExchangeJSON `json:"exchange" doc:"What went over the line; null when it was not told"`
}

// ExchangeJSON is what went over the line when a request failed.
type ExchangeJSON struct {
	At          time.Time `json:"at" doc:"When the request was given up, by the collector's clock"`
	Protocol    string    `json:"protocol" enum:"modbus_tcp,modbus_rtu,dlt645,cjt188"`
	Sent        string    `json:"sent" doc:"The request in hex; secrets are zeros"`
	Received    string    `json:"received" doc:"All that came while its answer was awaited, whole frames or not, in hex"`
	SentCut     uint16    `json:"sent_cut" doc:"Bytes that followed and are left out"`
	ReceivedCut uint16    `json:"received_cut" doc:"Bytes that followed and are left out"`
}

// InstalledJSON is one physical meter at the place.
type InstalledJSON struct {
	Serial     string            `json:"serial" doc:"On its plate; empty when nobody wrote it down"`
	From       time.Time         `json:"from"`
	To         *time.Time        `json:"to" doc:"Null while it stands"`
	First      map[string]string `json:"first" doc:"Register values read off at from, by quantity, exact decimals"`
	Last       map[string]string `json:"last" doc:"Register values read off at to"`
	WrapsAt    map[string]string `json:"wraps_at" doc:"The value at which a register goes back to zero"`
	Multiplier string            `json:"multiplier" doc:"Turns register values into primary ones"`
}

// VerdictJSON counts readings that are not good for one reason.
type VerdictJSON struct {
	Quantity string    `json:"quantity"`
	Quality  string    `json:"quality" enum:"suspect,missing"`
	Reason   string    `json:"reason"`
	Count    int       `json:"count"`
	Last     time.Time `json:"last"`
}

// DoubtfulJSON is a reading that is not good.
type DoubtfulJSON struct {
	TakenAt  time.Time `json:"taken_at"`
	Quantity string    `json:"quantity"`
	Origin   string    `json:"origin" enum:"live,daily_freeze,monthly_freeze,load_record"`
	Value    *string   `json:"value" doc:"Exact decimal; null when the meter had none to give"`
	Unit     string    `json:"unit"`
	Quality  string    `json:"quality" enum:"suspect,missing"`
	Reason   string    `json:"reason"`
}

type diagnosisOutput struct{ Body DiagnosisJSON }

// registerDiagnosis adds the operation.
func (rt *routes) registerDiagnosis(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-diagnosis", Method: http.MethodGet, Path: "/api/v1/meters/{id}/diagnosis", Summary: "How a meter is: success, failures with frames, verdicts, installations",
		Responses: map[string]*huma.Response{"default": problemResponse(api)}, Middlewares: huma.Middlewares{rt.detailed},
	}, rt.getDiagnosis)
}

// dayWindow is the time that rates and verdicts are of.
const dayWindow = 24 * time.Hour

func (rt *routes) getDiagnosis(ctx context.Context, in *MeterPath) (*diagnosisOutput, error) {
	id := schemas.MeterID(in.ID)
	d, main, ok := rt.live.diagnosis(id, rt.zone)
	if !ok {
		return nil, meterUnknown(in.ID)
	}
	d.Installed = installedJSON(rt.installations(id))
	if rt.diagnoses != nil {
		if err := rt.fromStore(ctx, &d, id, main); err != nil {
			return nil, rt.storeProblem(ctx, in.ID, string(main), err)
		}
	}
	if err := rt.fromRegister(ctx, &d, id); err != nil {
		rt.log.Error("place of a meter not read", "meter", in.ID, "error", err)
	}
	return &diagnosisOutput{Body: d}, nil
}

// diagnosis returns what the live table knows, and the meter's main quantity, which
// is empty when it never answered. The day begins in zone.
func (l *Live) diagnosis(id schemas.MeterID, zone *time.Location) (d DiagnosisJSON, main schemas.Quantity, ok bool) {
	now := l.now().UTC()
	l.mu.RLock()
	defer l.mu.RUnlock()
	m := l.byID[id]
	if m == nil {
		return d, "", false
	}
	if len(m.cells) > 0 {
		main = l.quantities[m.cells[0].quantity].Quantity
	}
	d = DiagnosisJSON{
		At: now, ID: string(m.id), Medium: string(m.medium), State: m.state(now.UnixMilli()), Collector: string(m.collector),
		Today: SuccessJSON{From: zoneDay(now, zone).UTC(), Source: "none"}, Day: SuccessJSON{From: now.Add(-dayWindow), Source: "none"},
		Verdicts: []VerdictJSON{}, Doubtful: []DoubtfulJSON{}, DoubtfulAll: true,
	}
	d.Failure = m.failureJSON()
	l.fromHealth(&d, m)
	return d, main, true
}

// fromHealth adds what a collector's account of the meter says. The caller holds the
// lock.
func (l *Live) fromHealth(d *DiagnosisJSON, m *meter) {
	for _, c := range l.collectors {
		i := slices.IndexFunc(c.status.Health, func(h schemas.MeterHealth) bool { return h.Meter == m.id })
		if i < 0 || m.collector != "" && m.collector != c.id {
			continue
		}
		h := healthJSON(&c.status.Health[i])
		d.Collector, d.DriftMS = string(c.id), h.DriftMS
		// A collector counts from midnight UTC: its count is of the city's day only where
		// that begins then, too. Elsewhere the stored readings say more.
		if c.status.At.Truncate(dayWindow).Equal(d.Today.From) {
			d.Today.Planned, d.Today.Read, d.Today.Rate, d.Today.Source = &h.Planned, h.Read, h.Success, "collector"
		}
		if d.Failure == nil && h.Error != "" && !c.status.At.Before(d.Today.From) { // else it is of another day
			d.Failure = &FailureJSON{Collector: string(c.id), Error: h.Error, Until: timeOrNil(c.status.At)}
		}
		return
	}
}

// failureJSON is the failure that lasts, else the last that is over.
func (m *meter) failureJSON() *FailureJSON {
	f := m.fault
	if f == nil {
		f = m.past
	}
	if f == nil {
		return nil
	}
	j := &FailureJSON{Collector: string(f.collector), Since: timeOrNil(f.since), Until: timeOrNil(f.until), Error: f.text, Cause: string(f.cause)}
	if e := f.exchange; e != nil {
		j.Exchange = &ExchangeJSON{At: e.At.UTC(), Protocol: string(e.Protocol),
			Sent: hex.EncodeToString(e.Sent), Received: hex.EncodeToString(e.Received), SentCut: e.SentCut, ReceivedCut: e.ReceivedCut}
	}
	return j
}

func installedJSON(list []schemas.Installation) []InstalledJSON {
	out := make([]InstalledJSON, 0, len(list))
	for _, i := range slices.Backward(list) {
		out = append(out, InstalledJSON{Serial: i.Serial, From: i.From.UTC(), To: timeOrNil(i.To),
			First: registerValues(i.First), Last: registerValues(i.Last), WrapsAt: registerValues(i.WrapsAt), Multiplier: i.Multiplier.String()})
	}
	return out
}

func registerValues(values map[schemas.Quantity]schemas.Decimal) map[string]string {
	out := make(map[string]string, len(values))
	for q, v := range values {
		out[string(q)] = v.String()
	}
	return out
}
