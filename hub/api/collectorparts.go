package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/schemas"
)

// session is the session in which a stream's newest envelope was sealed.
type session struct {
	boot      uint32
	random    [8]byte
	since, at time.Time // its first and its newest envelope here
}

// refusal counts the messages that were refused for one reason.
type refusal struct {
	count uint64
	at    time.Time // the last
}

// maxRefusalCodes bounds the reasons that are told apart for a collector: there are
// fewer.
const maxRefusalCodes = 64

// StoredFrom is Stored with the collector that the readings came from.
func (l *Live) StoredFrom(id schemas.CollectorID, readings []schemas.Reading, at time.Time) {
	l.Stored(readings, at)
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.collector(id)
	if c == nil {
		return
	}
	var last schemas.MeterID
	for i := range readings {
		if id := readings[i].Meter; id != last {
			last = id
			if m := l.byID[id]; m != nil {
				m.collector = c.id
			}
		}
	}
}

// Session notes the session of an envelope that opened.
func (l *Live) Session(id schemas.CollectorID, stream schemas.Stream, boot uint32, random [8]byte, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.collector(id)
	if c == nil {
		return
	}
	s := c.sessions[stream]
	if s.boot != boot || s.random != random || s.since.IsZero() {
		// An older session's envelopes are sent again after a restart.
		if !s.since.IsZero() && boot < s.boot {
			return
		}
		s = session{boot: boot, random: random, since: at}
	}
	s.at = at
	if c.sessions == nil {
		c.sessions = make(map[schemas.Stream]session)
	}
	c.sessions[stream] = s
}

// Refused counts a message on a topic of the collector that was refused.
func (l *Live) Refused(id schemas.CollectorID, code string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.collector(id)
	if c == nil {
		return
	}
	r, known := c.refusals[code]
	if !known && len(c.refusals) >= maxRefusalCodes {
		return
	}
	if c.refusals == nil {
		c.refusals = make(map[string]refusal)
	}
	c.refusals[code] = refusal{count: r.count + 1, at: at}
}

// CollectorLinkJSON is what a collector has to show at the broker and the hub.
type CollectorLinkJSON struct {
	StatusAgeS      *float64   `json:"status_age_s" doc:"Seconds since status_at, by the hub's clock; null until the first"`
	KeyGeneration   *int       `json:"key_generation" doc:"Generation of the key in its bundle; null when it does not tell"`
	CertificateEnds *time.Time `json:"certificate_ends,omitempty" doc:"When the first certificate of its link to the broker ends, its own or the broker's; absent without TLS"`
	CertificateDays *int       `json:"certificate_days" doc:"Whole days until then, below zero when it is over; null without TLS"`
}

func (c *collector) linkJSON(now time.Time) (j CollectorLinkJSON) {
	if !c.hasStatus {
		return j
	}
	s := &c.status
	j.StatusAgeS = new(now.Sub(s.At).Seconds())
	if s.KeyGeneration != 0 {
		j.KeyGeneration = new(int(s.KeyGeneration))
	}
	if !s.CertificateEnds.IsZero() {
		j.CertificateEnds = timeOrNil(s.CertificateEnds)
		j.CertificateDays = new(int(math.Floor(s.CertificateEnds.Sub(now).Hours() / 24)))
	}
	return j
}

// LineJSON is a collector's account of one of its lines.
type LineJSON struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind" enum:"modbus_tcp,serial_server,serial"`
	Address string   `json:"address" doc:"host:port or the path of a device"`
	Meters  uint32   `json:"meters"`
	Planned uint64   `json:"planned" doc:"Slots of its meters since midnight UTC"`
	Read    uint64   `json:"read" doc:"Slots in which they gave their readings"`
	Success *float64 `json:"success_rate" doc:"Read over planned, 0 to 1; null while none was planned"`
	Used    float64  `json:"used" doc:"Part of the line's time that reading takes: 1 is a line that never rests, above it slots go by"`
}

func linesJSON(list []schemas.LineStatus) []LineJSON {
	out := make([]LineJSON, 0, len(list))
	for i := range list {
		l := &list[i]
		j := LineJSON{Name: l.Name, Kind: string(l.Kind), Address: l.Address, Meters: l.Meters,
			Planned: l.Planned, Read: l.Read, Used: float64(l.Used) / 1000}
		if rate, ok := l.SuccessRate(); ok {
			j.Success = &rate
		}
		out = append(out, j)
	}
	return out
}

// CollectorSessionJSON is the session of a collector's newest envelope on one stream.
type CollectorSessionJSON struct {
	Stream string    `json:"stream" enum:"readings,cards,events,status"`
	Boot   uint32    `json:"boot" doc:"Grows with every session that the collector begins"`
	Since  time.Time `json:"since" doc:"Its first envelope, as far as this hub saw"`
	At     time.Time `json:"at" doc:"Its newest envelope"`
}

func (c *collector) sessionsJSON() []CollectorSessionJSON {
	out := []CollectorSessionJSON{}
	for _, stream := range []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events, schemas.Statuses} {
		if s, ok := c.sessions[stream]; ok {
			out = append(out, CollectorSessionJSON{Stream: string(stream), Boot: s.boot, Since: s.since.UTC(), At: s.at.UTC()})
		}
	}
	return out
}

// RefusalJSON counts messages that were refused for one reason.
type RefusalJSON struct {
	Code  string    `json:"code" doc:"Stable code of the reason, as in the hub's dead letters"`
	Count uint64    `json:"count"`
	At    time.Time `json:"at" doc:"The last of them"`
}

func (c *collector) refusalsJSON() []RefusalJSON {
	out := make([]RefusalJSON, 0, len(c.refusals))
	for code, r := range c.refusals {
		out = append(out, RefusalJSON{Code: code, Count: r.count, At: r.at.UTC()})
	}
	slices.SortFunc(out, func(a, b RefusalJSON) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Code, b.Code))
	})
	return out
}

// Collector returns one collector; ok is false when the hub has not heard of it.
func (l *Live) Collector(id schemas.CollectorID) (j CollectorJSON, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	c := l.collectors[id]
	if c == nil {
		return j, false
	}
	return c.json(l.now()), true
}

type (
	collectorInput struct {
		ID string `path:"id" pattern:"^[0-9A-Za-z_-]{1,32}$"`
	}
	collectorOutput struct{ Body CollectorJSON }
)

// registerCollector adds the operation of one collector.
func (rt *routes) registerCollector(api huma.API) {
	get(api, "get-collector", "/api/v1/collectors/{id}", "A collector and its account of itself", rt.getCollector)
}

func (rt *routes) getCollector(_ context.Context, in *collectorInput) (*collectorOutput, error) {
	c, ok := rt.live.Collector(schemas.CollectorID(in.ID))
	if !ok {
		return nil, problem(http.StatusNotFound, codeCollectorUnknown,
			fmt.Sprintf("The hub has had nothing from collector %s since its start. Check the id, or look whether it runs and reaches the broker.", in.ID))
	}
	return &collectorOutput{Body: c}, nil
}
