package year

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// Step is a step (阶梯): Price, in 0.0001 yuan for a m³ or kWh, is that of the use
// of a year above Above, in litres or watt-hours.
type Step struct{ Above, Price int64 }

// PriceSet is what a plan costs from the start of a day on. It has steps or, for
// time of use, the prices of the rates 1 to 4.
type PriceSet struct {
	From  time.Time
	Steps []Step
	Rates []int64
}

// Plan is a tariff plan. Steps are counted from January 1st, 00:00, or from the
// start of the installation if that is later.
type Plan struct {
	ID      string
	Utility schemas.Medium
	Sets    []PriceSet
}

// Zone of the day: from Second after midnight the rate holds, to the next zone.
type rateZone struct {
	second int64
	rate   int
}

// The rates of time of use are sharp, peak, flat and valley.
const rates = 4

func rateZones() []rateZone {
	return []rateZone{{0, 3}, {7 * hour, 2}, {10 * hour, 1}, {12 * hour, 2}, {18 * hour, 1}, {19 * hour, 0}, {21 * hour, 1}, {23 * hour, 3}, {day, 3}}
}

// shape is how a plan makes a price of a use.
type shape uint8

const (
	anyShape shape = iota
	flat
	steps
	timeOfUse
)

// perFen is how many of what a litre or watt-hour costs at a price of 1 make one
// fen.
const perFen = 100_000

// plan is a Plan with what the meters need of it.
type plan struct {
	Plan
	shape shape
	edges []edge // by at
}

// edge is a moment at which a meter changes its prices or begins its steps anew.
type edge struct {
	at    int64
	reset bool
}

// makePlans returns the plans of the world: those of each utility change their
// prices once, on a day of their own.
func (w *World) makePlans() []plan {
	water, power, gas := w.change(184, 1), w.change(122, 1), w.change(259, 15)
	return []plan{
		w.plan("water-steps", schemas.Water, steps, water, []Step{{0, 28_000}, {180_000, 42_000}, {260_000, 84_000}}, nil),
		w.plan("water-flat", schemas.Water, flat, water, []Step{{0, 34_500}}, nil),
		w.plan("power-steps", schemas.Power, steps, power, []Step{{0, 5_283}, {2_160_000, 5_783}, {4_200_000, 8_283}}, nil),
		w.plan("power-flat", schemas.Power, flat, power, []Step{{0, 6_100}}, nil),
		w.plan("power-tou", schemas.Power, timeOfUse, power, nil, []int64{10_873, 8_624, 5_583, 3_157}),
		w.plan("gas-steps", schemas.Gas, steps, gas, []Step{{0, 26_300}, {300_000, 31_600}, {480_000, 39_500}}, nil),
		w.plan("gas-flat", schemas.Gas, flat, gas, []Step{{0, 29_900}}, nil),
	}
}

// change returns the start of a day of the month in which day d of the world lies.
func (w *World) change(d, dayOfMonth int) int64 {
	at := time.Unix(w.dayStart(d), 0).In(w.opt.Zone)
	return time.Date(at.Year(), at.Month(), dayOfMonth, 0, 0, 0, 0, w.opt.Zone).Unix()
}

func (w *World) plan(id string, u schemas.Medium, s shape, change int64, st []Step, rt []int64) plan {
	p := plan{Plan: Plan{ID: id, Utility: u, Sets: []PriceSet{
		{From: time.Unix(w.start-400*day, 0).UTC(), Steps: st, Rates: rt},
		{From: time.Unix(change, 0).UTC(), Steps: dearer(st), Rates: dearerRates(rt)},
	}}, shape: s}
	p.edges = append(p.edges, edge{at: change})
	for y := w.opt.Start.Year(); ; y++ {
		at := time.Date(y, 1, 1, 0, 0, 0, 0, w.opt.Zone).Unix()
		if at >= w.end+tail*day {
			break
		}
		if at > w.start {
			p.edges = append(p.edges, edge{at: at, reset: true})
		}
	}
	slices.SortFunc(p.edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	return p
}

func dearer(st []Step) []Step {
	out := make([]Step, 0, len(st))
	for _, s := range st {
		out = append(out, Step{s.Above, dearerPrice(s.Price)})
	}
	return out
}

func dearerRates(rt []int64) []int64 {
	var out []int64
	for _, p := range rt {
		out = append(out, dearerPrice(p))
	}
	return out
}

// dearerPrice adds six per cent, and keeps a price of whole fen one of whole fen:
// purses of volume are paid for in whole cubic metres.
func dearerPrice(p int64) int64 {
	up := p * 106 / 100
	if p%100 == 0 {
		up -= up % 100
	}
	return up
}

// cost returns the cost of the first use litres or watt-hours of a year.
func cost(st []Step, use int64) int64 {
	sum := int64(0)
	for i, s := range st {
		if use <= s.Above {
			break
		}
		to := use
		if i+1 < len(st) {
			to = min(to, st[i+1].Above)
		}
		sum += (to - s.Above) * s.Price
	}
	return sum
}

// marginal returns the price of the next litre or watt-hour after use.
func marginal(st []Step, use int64) int64 {
	price := st[0].Price
	for _, s := range st {
		if use >= s.Above {
			price = s.Price
		}
	}
	return price
}

// Plans returns the tariff plans of the world.
func (w *World) Plans() []Plan {
	out := make([]Plan, 0, len(w.plans))
	for _, p := range w.plans {
		out = append(out, p.Plan)
	}
	return out
}

// price writes a price in yuan with four decimals.
func price(p int64) string { return fmt.Sprintf("%d.%04d", p/10_000, p%10_000) }

// TariffYAML returns the tariffs as a tariff file of the hub: prices in yuan for
// a m³ or kWh.
func (w *World) TariffYAML() string {
	var b strings.Builder
	b.WriteString("plans:\n")
	for _, p := range w.plans {
		fmt.Fprintf(&b, "  - id: %s\n    utility: %s\n    reset: yearly\n    rounding: half-up-per-line\n    versions:\n", p.ID, p.Utility)
		for _, s := range p.Sets {
			fmt.Fprintf(&b, "      - from: %s\n", s.From.In(w.opt.Zone).Format(time.DateOnly))
			s.write(&b)
		}
	}
	return b.String()
}

func (s PriceSet) write(b *strings.Builder) {
	switch {
	case len(s.Rates) > 0:
		quoted := make([]string, 0, len(s.Rates))
		for _, r := range s.Rates {
			quoted = append(quoted, `"`+price(r)+`"`)
		}
		fmt.Fprintf(b, "        rates: [%s]\n", strings.Join(quoted, ", "))
	case len(s.Steps) == 1:
		fmt.Fprintf(b, "        price: %q\n", price(s.Steps[0].Price))
	default:
		b.WriteString("        steps:\n")
		for i, st := range s.Steps {
			if i == 0 {
				fmt.Fprintf(b, "          - {price: %q}\n", price(st.Price))
			} else {
				fmt.Fprintf(b, "          - {above: \"%d\", price: %q}\n", st.Above/1_000, price(st.Price))
			}
		}
	}
}
