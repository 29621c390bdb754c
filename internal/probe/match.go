package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"citygrid/adapters/cjt188"
	cjt188profiles "citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/dlt645"
	dlt645profiles "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Match says how well a built-in profile fits a meter.
type Match struct {
	Profile string `json:"profile"`
	// Score is 1 when everything that was read is as such a meter would have it.
	Score float64 `json:"score"`
	Why   string  `json:"why"`

	good int
}

// best is how many profiles are shown for a meter.
const best = 3

// top returns the best matches; those without any sign are left out.
func top(all []Match) []Match {
	all = slices.DeleteFunc(all, func(m Match) bool { return m.Score <= 0 })
	slices.SortStableFunc(all, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.good, a.good), cmp.Compare(a.Profile, b.Profile))
	})
	return all[:min(best, len(all))]
}

// matches reads what the built-in profiles would read, and judges it. It ends
// with ctx; what was not judged is not there.
func (s *scanner) matches(ctx context.Context, on *session, f *Find, q question) []Match {
	switch {
	case f.unclear:
		return nil
	case f.Protocol == "modbus":
		return top(matchModbus(ctx, on, q.unit))
	case f.Protocol == "dlt645":
		return top(match645(ctx, on, f.Address))
	}
	return top(match188(ctx, on, f.Address))
}

// matchModbus reads the first request of each profile.
func matchModbus(ctx context.Context, on *session, unit uint8) (all []Match) {
	set, err := profiles.Embedded()
	if err != nil {
		return nil // tested with the profiles
	}
	type key struct {
		function  uint8
		at, count uint16
	}
	type outcome struct {
		raw []byte
		err error
	}
	known := map[key]outcome{}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			continue
		}
		plan, err := modbus.Plan(p)
		if err != nil {
			continue
		}
		r := plan[0]
		k := key{r.Function, r.At, r.Count}
		got, asked := known[k]
		if !asked {
			if ctx.Err() != nil {
				break
			}
			got.raw, got.err = on.registers(ctx, unit, r)
			known[k] = got
		}
		if got.err == nil {
			all = append(all, judge(id, p, r, got.raw))
		}
	}
	return all
}

// judge says how plausible the values are that a profile gives.
func judge(id string, p *profiles.Profile, r modbus.Request, raw []byte) Match {
	m := Match{Profile: id}
	total, sum := 0.0, 0.0
	telling := ""
	for _, i := range r.Fields {
		f := &p.Fields[i]
		d, reason, err := modbus.Decode(f, r.At, raw)
		weight := weightOf(f.Quantity)
		total += weight
		if err != nil || reason != "" && reason != schemas.ReasonSentinel {
			continue
		}
		likely := likelihood(f.Quantity, d)
		if reason == "" && likely > 0.5 {
			m.good++
			if telling == "" || weight > 1 {
				info, _ := f.Quantity.Info()
				telling = fmt.Sprintf(", %s %s %s", f.Quantity, d, info.Unit)
			}
		}
		sum += weight * likely
	}
	if total > 0 {
		m.Score = math.Round(100*sum/total) / 100
	}
	m.Why = fmt.Sprintf("%d of %d values plausible%s", m.good, len(r.Fields), telling)
	return m
}

// weightOf is how much a quantity tells: a grid has one voltage and one
// frequency, and nearly anything may be a counter.
func weightOf(q schemas.Quantity) float64 {
	info, _ := q.Info()
	switch {
	case info.Unit == "V" || info.Unit == "Hz" || info.Unit == "Cel":
		return 3
	case info.Kind == schemas.State:
		return 2
	}
	return 1
}

// likelihood says how likely a meter of that kind shows the value, 0 to 1.
func likelihood(q schemas.Quantity, d schemas.Decimal) float64 {
	info, _ := q.Info()
	v := d.Float64()
	size := math.Abs(v)
	switch {
	case info.Kind == schemas.State:
		return 0.8 // the profile knows it
	case (info.Min != 0 || info.Max != 0) && (v < info.Min || v > info.Max):
		return 0
	case v == 0:
		return 0.4 // an idle meter, or a register of nothing
	case size < 1e-5:
		return 0 // a float read in the wrong order
	}
	low, high := usual(info)
	switch {
	case size >= low && size <= high:
		return 1
	case size <= 10*high:
		return 0.2
	}
	return 0
}

// usual is the range of sizes in which the values of working meters lie.
func usual(info schemas.QuantityInfo) (low, high float64) {
	switch info.Unit {
	case "V":
		return 3, 500 // a meter's battery, and the voltage between two lines
	case "Hz":
		return 45, 65
	case "A":
		return 0.001, 2000
	case "Cel":
		return 0.1, 120
	case "W", "var", "V.A":
		return 0.1, 2e6
	case "1":
		return 0.001, 400
	}
	return 0.0001, 1e8
}

// match645 reads all items of each profile. A profile during which ctx ends is
// not judged.
func match645(ctx context.Context, on *session, address string) (all []Match) {
	set, err := dlt645profiles.Embedded()
	if err != nil {
		return nil // tested with the profiles
	}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			continue
		}
		items := map[uint32][]byte{}
		for i := range p.Fields {
			di := p.Fields[i].DI
			if _, asked := items[di]; asked {
				continue
			}
			var raw dlt645.Raw
			err := on.ask(ctx, func(ctx context.Context) (err error) {
				raw, err = on.dlt645.ReadItem(ctx, address, p.Edition, di)
				return err
			})
			if items[di] = raw.Data; err != nil && len(items) == 1 {
				var refused *dlt645.Refusal
				if !errors.As(err, &refused) {
					break // it does not speak this edition
				}
			}
		}
		if ctx.Err() != nil {
			return all
		}
		all = append(all, tally(id, len(p.Fields), func(i int) bool {
			f := &p.Fields[i]
			_, reason, err := dlt645.Decode(f, items[f.DI])
			return err == nil && (reason == "" || reason == schemas.ReasonSentinel)
		}))
	}
	return all
}

// match188 reads all items of each profile, in the orders of both editions where
// it does not name one. A profile during which ctx ends is not judged.
func match188(ctx context.Context, on *session, address string) (all []Match) {
	set, err := cjt188profiles.Embedded()
	if err != nil {
		return nil // tested with the profiles
	}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			continue
		}
		items := map[uint16][]byte{}
		for i := range p.Fields {
			di := p.Fields[i].DI
			if _, asked := items[di]; asked {
				continue
			}
			items[di] = on.item188(ctx, p, address, di)
		}
		if ctx.Err() != nil {
			return all
		}
		all = append(all, tally(id, len(p.Fields), func(i int) bool {
			f := &p.Fields[i]
			_, reason, err := cjt188.Decode(f, items[f.DI])
			return err == nil && (reason == "" || reason == schemas.ReasonSentinel) && len(items[f.DI]) == p.Lengths[f.DI]
		}))
	}
	return all
}

// item188 returns the data of an item, nil when the meter does not give it.
func (s *session) item188(ctx context.Context, p *cjt188profiles.Profile, address string, di uint16) []byte {
	editions := []int{p.Edition}
	if p.Edition == 0 {
		editions = []int{2018, 2004}
	}
	for _, edition := range editions {
		var raw cjt188.Raw
		err := s.ask(ctx, func(ctx context.Context) (err error) {
			raw, err = s.cjt188.ReadItem(ctx, p.Type, address, edition, di)
			return err
		})
		if err == nil {
			return raw.Data
		}
	}
	return nil
}

// tally scores a profile by how many of its n fields the meter gives.
func tally(id string, n int, gives func(i int) bool) Match {
	m := Match{Profile: id}
	for i := range n {
		if gives(i) {
			m.good++
		}
	}
	m.Score = math.Round(100*float64(m.good)/float64(n)) / 100
	m.Why = fmt.Sprintf("%d of %d values given", m.good, n)
	return m
}

// ask645Item reads an item of whoever is on the line.
func (s *scanner) ask645Item(ctx context.Context, on *session, edition int, di uint32) (*Find, error) {
	var raw dlt645.Raw
	err := on.ask(ctx, func(ctx context.Context) (err error) {
		raw, err = on.dlt645.ReadItem(ctx, dlt645.Anyone, edition, di)
		return err
	})
	if err == nil {
		return &Find{Protocol: "dlt645", Address: raw.From, Answer: fmt.Sprintf("item %X of edition %d: % X", di, edition, raw.Data)}, nil
	}
	var refused *dlt645.Refusal
	if errors.As(err, &refused) {
		return &Find{Protocol: "dlt645", Address: raw.From, Answer: fmt.Sprintf("refuses item %X of edition %d", di, edition)}, nil
	}
	return unclear("dlt645", anonymous, err)
}
