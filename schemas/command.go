package schemas

import (
	"encoding/json"
	"fmt"
	"time"

	"citygrid/internal/cbor"
)

// Command is what the hub asks of a collector. It asks for nothing that the collector
// would not do by itself, and changes nothing at a meter: a command that comes twice, or
// that somebody holds back and sends later, costs time on a line and no more.
type Command struct {
	Collector CollectorID
	// At is the hub's clock when it was sealed.
	At time.Time
	// Refill are times of which the store lacks readings: the collector asks the
	// meters' own memories for them, where they have one. 1 to MaxRefills.
	Refill []Refill
}

// Refill is a time of one meter, From <= t < To.
type Refill struct {
	Meter    MeterID
	From, To time.Time
}

const (
	// MaxRefills bounds the refills of one Command.
	MaxRefills = 64
	// MaxRefillSpan bounds the time of one refill: no meter keeps a longer load curve.
	MaxRefillSpan = 400 * 24 * time.Hour
)

// Validate reports what a decoder would refuse, naming the field.
func (c *Command) Validate() error {
	if err := c.Collector.Validate(); err != nil {
		return err
	}
	if err := validTime("at", c.At); err != nil {
		return err
	}
	if n := len(c.Refill); n == 0 || n > MaxRefills {
		return &FieldError{Field: "refill", Problem: fmt.Sprintf("%d refills, want 1 to %d", n, MaxRefills)}
	}
	for i := range c.Refill {
		if err := c.Refill[i].validate(); err != nil {
			return at(fmt.Sprintf("refill[%d]", i), err)
		}
	}
	return nil
}

func (r *Refill) validate() error {
	if err := r.Meter.Validate(); err != nil {
		return err
	}
	if err := validTime("from", r.From); err != nil {
		return err
	}
	if err := validTime("to", r.To); err != nil {
		return err
	}
	if d := r.To.Sub(r.From); d <= 0 || d > MaxRefillSpan {
		return &FieldError{Field: "to", Problem: fmt.Sprintf("%s after from, want more than nothing and at most %s", d, MaxRefillSpan)}
	}
	return nil
}

const (
	commandCollector = iota + 1
	commandAt
	commandRefill
)

const (
	refillMeter = iota + 1
	refillFrom
	refillTo
)

var (
	commandFields = fieldTable{keyVersion: "format", commandCollector: "collector", commandAt: "at", commandRefill: "refill"}
	refillFields  = fieldTable{refillMeter: "meter", refillFrom: "from", refillTo: "to"}
)

// EncodeCommand appends the wire form of c to dst and returns the longer slice. It
// refuses a command that Validate refuses and then returns dst unchanged.
func EncodeCommand(dst []byte, c *Command) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return dst, fmt.Errorf("encode command: %w", err)
	}
	dst = cbor.AppendHead(dst, cbor.Map, uint64(len(commandFields)))
	dst = appendUint(appendUint(dst, keyVersion), formatVersion)
	dst = cbor.AppendText(appendUint(dst, commandCollector), c.Collector)
	dst = appendTime(appendUint(dst, commandAt), c.At)
	dst = cbor.AppendHead(appendUint(dst, commandRefill), cbor.Array, uint64(len(c.Refill)))
	for _, r := range c.Refill {
		dst = cbor.AppendHead(dst, cbor.Map, uint64(len(refillFields)-1))
		dst = cbor.AppendText(appendUint(dst, refillMeter), r.Meter)
		dst = appendTime(appendUint(dst, refillFrom), r.From)
		dst = appendTime(appendUint(dst, refillTo), r.To)
	}
	return dst, nil
}

// DecodeCommand reads what EncodeCommand writes and nothing else, with the promises of
// DecodeBatch.
func DecodeCommand(data []byte) (*Command, error) {
	c, err := decodeCommand(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode command: %w", err)
	}
	return c, nil
}

func decodeCommand(d *decoder) (*Command, error) {
	m := d.openMap(commandFields)
	m.version("command", "collector")
	c := &Command{Collector: CollectorID(m.text(commandCollector, maxID)), At: m.time(commandAt)}
	n := m.array(commandRefill, MaxRefills)
	c.Refill = make([]Refill, n)
	for i := 0; i < n && m.err == nil; i++ {
		r := d.openMap(refillFields)
		c.Refill[i] = Refill{Meter: MeterID(r.text(refillMeter, maxID)), From: r.time(refillFrom), To: r.time(refillTo)}
		if err := r.close(); err != nil {
			m.err = at(fmt.Sprintf("refill[%d]", i), err)
		}
	}
	return c, m.finish()
}

type refillJSON struct {
	Meter MeterID `json:"meter"`
	From  moment  `json:"from"`
	To    moment  `json:"to"`
}

type commandJSON struct {
	Collector CollectorID `json:"collector"`
	At        moment      `json:"at"`
	Refill    []Refill    `json:"refill"`
}

// MarshalJSON writes the JSON form, for people.
func (r Refill) MarshalJSON() ([]byte, error) {
	return json.Marshal(refillJSON{r.Meter, moment(r.From), moment(r.To)})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (r *Refill) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Refill{Meter: member[MeterID](o, "meter"), From: time.Time(member[moment](o, "from")), To: time.Time(member[moment](o, "to"))}
	return o.finish(v.validate, func() { *r = v })
}

// MarshalJSON writes the JSON form, for people.
func (c Command) MarshalJSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(commandJSON{c.Collector, moment(c.At), c.Refill})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (c *Command) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Command{Collector: member[CollectorID](o, "collector"), At: time.Time(member[moment](o, "at")), Refill: members[Refill](o, "refill", MaxRefills)}
	return o.finish(v.Validate, func() { *c = v })
}
