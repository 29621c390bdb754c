package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"citygrid/internal/city"
)

// Kind is a kind of fault.
type Kind string

// The kinds of fault.
const (
	Kill          Kind = "kill"           // kill -9 of a part, which comes back
	Pause         Kind = "pause"          // SIGSTOP, and SIGCONT a while later
	BrokerGone    Kind = "broker-gone"    // every connection to the broker is cut and none accepted
	BrokerMinutes Kind = "broker-minutes" // the same for a minute or two, in one of fifty seeds
	StoreGone     Kind = "store-gone"     // the same of InfluxDB
	Store5xx      Kind = "store-5xx"      // InfluxDB answers 500 or 503
	Store429      Kind = "store-429"      // InfluxDB answers 429 with Retry-After
	BadPoint      Kind = "bad-point"      // InfluxDB takes all of a batch but one point (400, partial write)
	StoreCut      Kind = "store-cut"      // InfluxDB takes a write, and the answer is lost
	Slow          Kind = "slow"           // a slow network
	HalfOpen      Kind = "half-open"      // nothing passes, and nobody is told
	Reset         Kind = "reset"          // a connection is reset in the middle of a message
	DiskFull      Kind = "disk-full"      // no room on the disk of a part
	BitFlip       Kind = "bit-flip"       // flipped bits in the spool while the collector is down
	Truncate      Kind = "truncate"       // a spool file cut short while the collector is down
	ClockBack     Kind = "clock-back"     // the collector's clock is set back
	ClockAhead    Kind = "clock-forward"  // and forward
	Twin          Kind = "twin"           // a second collector with the same identity
	RestoredOld   Kind = "restored"       // the collector's folder is put back as it was earlier
)

// Kinds returns every kind of fault.
func Kinds() []Kind {
	return []Kind{Kill, Pause, BrokerGone, BrokerMinutes, StoreGone, Store5xx, Store429, BadPoint, StoreCut, Slow, HalfOpen, Reset,
		DiskFull, BitFlip, Truncate, ClockBack, ClockAhead, Twin, RestoredOld}
}

// Trigger is what a kill waits for, so that it falls into a window that chance would
// seldom meet.
type Trigger string

// The triggers.
const (
	AnyTime  Trigger = ""         // the moment of the schedule
	OnSpool  Trigger = "spool"    // the spool has grown: about the fsync
	OnSync   Trigger = "fsync"    // a thread is in an fsync
	OnWrite  Trigger = "write"    // InfluxDB has the points, and the hub not the answer
	OnAnswer Trigger = "answer"   // the hub has the answer: about the replay state and the receipt
	OnReply  Trigger = "received" // the collector was sent something: a receipt, before the release
	OnReady  Trigger = "ready"    // the part is just up again
)

// Fault is one entry of a schedule.
type Fault struct {
	Kind Kind
	// Part is the part that is hit, or the link to it.
	Part string
	// At is when it begins, counted from the first read, and For how long it lasts.
	At, For time.Duration
	// When is what a kill waits for from At on, and Delay how long it waits then.
	When  Trigger
	Delay time.Duration
	// N is the fault's own number: bytes until a reset, the place of a flipped bit.
	N uint64
}

// String is one line for a person.
func (f Fault) String() string {
	text := fmt.Sprintf("%8s  %-13s %-10s for %s", f.At.Round(time.Millisecond), f.Kind, f.Part, f.For.Round(time.Millisecond))
	if f.When != AnyTime {
		text += fmt.Sprintf(", %s after %s", f.Delay.Round(time.Microsecond), f.When)
	}
	return text
}

// Plan is what a seed makes happen.
type Plan struct {
	Seed   uint64
	Faults []Fault
	// Patient: nothing hastens the city's recovery when the faults have ended.
	Patient bool
}

// reading is how long the meters of a trial are read.
const reading = 5 * time.Second

// NewPlan returns the plan of a seed. Any six seeds in a row have every kind of fault but
// the outage of minutes.
func NewPlan(seed uint64) Plan {
	d := dice{rand.New(rand.NewPCG(seed, 0x6368616f73))}
	p := Plan{Seed: seed, Patient: d.IntN(8) == 0}
	common := commonFaults()
	for i := range commonEach {
		p.Faults = append(p.Faults, d.cast(common[(int(seed%commonCycle)*commonEach+i)%len(common)]))
	}
	for range d.IntN(3) {
		p.Faults = append(p.Faults, d.cast(common[d.IntN(len(common))]))
	}
	groups := rareFaults()
	for _, f := range groups[seed%uint64(len(groups))] {
		p.Faults = append(p.Faults, d.cast(f))
	}
	if seed%longEvery == longAt {
		p.Faults = append(p.Faults, d.cast(Fault{Kind: BrokerMinutes, Part: city.Broker}))
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return p
}

const (
	// commonEach is how many of the common faults each trial has for certain, and
	// commonCycle in how many trials all have had their turn.
	commonEach  = 5
	commonCycle = 6
	// One of longEvery seeds has an outage of minutes, which takes as long.
	longEvery, longAt = 50, 25
)

// commonFaults may meet any city on any day.
func commonFaults() []Fault {
	return []Fault{
		{Kind: Kill, Part: city.Collector, When: OnSpool}, {Kind: Kill, Part: city.Hub, When: OnWrite},
		{Kind: BrokerGone, Part: city.Broker}, {Kind: Store5xx, Part: city.Influxd}, {Kind: Reset, Part: city.Collector},
		{Kind: Kill, Part: city.Collector, When: OnReply}, {Kind: Kill, Part: city.Hub, When: OnAnswer},
		{Kind: Pause, Part: city.Hub}, {Kind: BadPoint, Part: city.Influxd}, {Kind: Slow, Part: city.Collector},
		{Kind: Kill, Part: city.Broker}, {Kind: Kill, Part: city.Hub, When: OnSync}, {Kind: StoreCut, Part: city.Influxd},
		{Kind: HalfOpen, Part: city.Collector}, {Kind: Reset, Part: city.Hub},
		{Kind: Kill, Part: city.Influxd}, {Kind: Kill, Part: city.Collector, When: OnSync}, {Kind: Store429, Part: city.Influxd},
		{Kind: Pause, Part: city.Collector}, {Kind: Slow, Part: city.Hub},
		{Kind: Kill, Part: city.Influxd, When: OnWrite}, {Kind: Kill, Part: city.Collector, When: OnReady},
		{Kind: StoreGone, Part: city.Influxd}, {Kind: HalfOpen, Part: city.Hub}, {Kind: Pause, Part: city.Broker},
		{Kind: Kill, Part: city.Hub, When: OnReady}, {Kind: Kill, Part: city.Collector},
		{Kind: Pause, Part: city.Influxd}, {Kind: HalfOpen, Part: city.Influxd}, {Kind: Kill, Part: city.Hub},
	}
}

// rareFaults come in groups that do not hide each other's effects.
func rareFaults() [][]Fault {
	return [][]Fault{
		{{Kind: DiskFull, Part: city.Influxd}},
		{{Kind: DiskFull, Part: city.Collector}, {Kind: ClockBack, Part: city.Collector}},
		{{Kind: DiskFull, Part: city.Hub}, {Kind: BitFlip, Part: city.Collector}},
		{{Kind: Truncate, Part: city.Collector}, {Kind: ClockAhead, Part: city.Collector}},
		{{Kind: Twin, Part: city.Collector}},
		{{Kind: RestoredOld, Part: city.Collector}},
	}
}

// dice draws what a schedule leaves to chance.
type dice struct{ *rand.Rand }

func (d dice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.Int64N(int64(most-least)))
}

// cast gives a fault its moment, its length and its number.
func (d dice) cast(f Fault) Fault {
	f.At, f.N = d.between(200*time.Millisecond, reading-time.Second), d.Uint64()
	f.For = d.between(100*time.Millisecond, 1200*time.Millisecond)
	switch f.When {
	case OnSpool:
		f.Delay = d.between(0, 150*time.Millisecond)
	case OnAnswer:
		f.Delay = d.between(0, 80*time.Millisecond)
	case OnReply:
		f.Delay = d.between(0, 3*time.Millisecond)
	case OnReady:
		f.Delay = d.between(0, 60*time.Millisecond)
	}
	switch f.Kind {
	case Kill: // away for a while, but often back at once
		f.For = max(0, d.between(-600*time.Millisecond, 900*time.Millisecond))
	case BrokerMinutes:
		f.For = d.between(time.Minute, 2*time.Minute)
	case DiskFull: // it fills at a few pages a second
		f.For = d.between(time.Second, 2500*time.Millisecond)
	case RestoredOld, Twin:
		f.At, f.For = d.between(time.Second, 2*time.Second), d.between(500*time.Millisecond, 1500*time.Millisecond)
	}
	return f
}

// Has reports whether the plan has a fault of a kind.
func (p Plan) Has(kind Kind) bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == kind })
}

// twins reports whether two sessions may claim to be one: the hub then refuses one.
func (p Plan) twins() bool { return p.Has(Twin) || p.Has(RestoredOld) }

// onDisk reports whether the plan fills the disk of a part.
func (p Plan) onDisk(part string) bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == DiskFull && f.Part == part })
}

// longest is how long the longest fault lasts.
func (p Plan) longest() (most time.Duration) {
	for _, f := range p.Faults {
		most = max(most, f.For)
	}
	return most
}

// String is the schedule, a line for each fault.
func (p Plan) String() string {
	var b strings.Builder
	for _, f := range p.Faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
