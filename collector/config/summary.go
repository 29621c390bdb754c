package config

import (
	"time"

	cjt188profiles "citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/dlt645"
	dlt645profiles "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/schemas"
)

// LineSummary is a line of the file as an operator wants to see it before the
// first request: what is read, how often, and what that puts on the wire.
type LineSummary struct {
	Name, Address string
	// Serial is nil for a network connection with no wire that matters.
	Serial *line.Serial
	Meters []MeterSummary
}

// MeterSummary is one meter of a LineSummary.
type MeterSummary struct {
	ID       schemas.MeterID
	Protocol Protocol
	Profile  string
	// AnswersTo is "unit 7" or "address 000012345678".
	AnswersTo string
	Interval  time.Duration
	// Values is how many readings one Read gives.
	Values int
	// Cost is that of one Read that meets no error.
	Cost Cost
}

// Cost is what one Read of a meter puts on the line.
type Cost struct {
	// Requests is how many questions are asked; each has an answer.
	Requests int
	// BytesOut and BytesIn are the bytes of the questions and of the answers as
	// they are on the wire, or in the TCP stream: with the lead-in that we send
	// and the one that the standard recommends to the meter.
	BytesOut, BytesIn int
}

// Wire is how long the bytes take on that wire, without silences, and without
// the time that the meter takes to answer.
func (c Cost) Wire(s line.Serial) time.Duration { return s.Wire(c.BytesOut + c.BytesIn) }

// Summary returns the lines of the file in its order. Errors are those of
// BuildLines.
func (c *Config) Summary() ([]LineSummary, error) {
	sets, err := c.loadProfiles()
	if err != nil {
		return nil, err
	}
	var out []LineSummary
	for i := range c.Lines {
		l := &c.Lines[i]
		s := LineSummary{Name: l.Name, Address: l.Address, Serial: l.settings()}
		for j, m := range l.Meters {
			meter, err := sets.summary(m, l.Serial != nil)
			if err != nil {
				return nil, c.at(err, "lines", i, "meters", j)
			}
			meter.Interval = time.Duration(m.Interval)
			orDefault(&meter.Interval, time.Duration(c.Interval))
			s.Meters = append(s.Meters, meter)
		}
		out = append(out, s)
	}
	return out, nil
}

// summary counts what a Read of the meter asks; wire is whether Modbus is RTU
// there.
func (k *profileSets) summary(m Meter, wire bool) (MeterSummary, error) {
	out := MeterSummary{ID: m.ID, Profile: m.Profile, AnswersTo: m.answersTo()}
	var err error
	if out.Protocol, err = k.protocol(m); err != nil {
		return out, err
	}
	switch out.Protocol {
	case DLT645:
		p, err := k.dlt645.Get(m.Profile)
		if err != nil {
			return out, err
		}
		out.Values, out.Cost = len(p.Fields), dlt645Cost(p)
	case CJT188:
		p, err := k.cjt188.Get(m.Profile)
		if err != nil {
			return out, err
		}
		out.Values, out.Cost = len(p.Fields), cjt188Cost(p)
	default:
		p, err := k.modbus.Get(m.Profile)
		if err != nil {
			return out, err
		}
		requests, err := modbus.Plan(p)
		if err != nil {
			return out, err
		}
		out.Values, out.Cost = len(p.Fields), modbusCost(requests, wire)
	}
	return out, nil
}

// leadIn is the FE that wake a receiver up: four by us and by the meter
// [DL/T 645-2007 5.3.1: 1 to 4; CJ/T 188-2004 6.1: 2 to 4].
const leadIn = 4

// dlt645Cost counts further frames of an item too.
func dlt645Cost(p *dlt645profiles.Profile) (c Cost) {
	bare := dlt645.Plan(p, -1)
	for i, item := range dlt645.Plan(p, leadIn) {
		frames := (item.Sent - bare[i].Sent) / leadIn
		c.Requests += frames
		c.BytesOut += item.Sent
		c.BytesIn += item.Received + frames*leadIn
	}
	return c
}

// cjt188Cost: a question, and an answer without its data, are 68 T A0..A6 C L,
// DI0 DI1 SER, CS 16 [CJ/T 188-2004 6.2].
func cjt188Cost(p *cjt188profiles.Profile) (c Cost) {
	const frame = leadIn + 11 + 3 + 2
	items := make(map[uint16]bool)
	for _, f := range p.Fields {
		if items[f.DI] {
			continue
		}
		items[f.DI] = true
		c.Requests++
		c.BytesOut += frame
		c.BytesIn += frame + p.Lengths[f.DI]
	}
	return c
}

// modbusCost: RTU has address and check sum around the PDU, TCP the seven bytes
// of the MBAP header before it. A request's PDU has 5 bytes, an answer's 2 and
// the registers [MODBUS Application Protocol V1.1b3, 6.3].
func modbusCost(requests []modbus.Request, wire bool) (c Cost) {
	around := 7
	if wire {
		around = 3
	}
	for _, r := range requests {
		c.Requests++
		c.BytesOut += around + 5
		c.BytesIn += around + 2 + 2*int(r.Count)
	}
	return c
}
