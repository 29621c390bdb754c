package year_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

func mustNew(t testing.TB, o year.Options) *year.World {
	t.Helper()
	w, err := year.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestNothingIsWrong: in a world without discrepancies a reconciliation finds
// nothing, on no day.
func TestNothingIsWrong(t *testing.T) {
	for _, o := range []year.Options{{Seed: 1, Places: 2_000}, {Seed: 2, Places: 1_000},
		{Seed: 3, Places: 500, Days: 180, StateEvery: 2, CutOff: 24 * time.Hour},
		{Seed: 6, Places: 300, Days: 700},
		{Seed: 4, Places: 500, Start: time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC), Zone: time.UTC}} {
		w := mustNew(t, o)
		for p := range w.Places() {
			for _, d := range judgePlace(w, p) {
				t.Fatalf("%+v place %d (%s, %s, remote %v): %+v", o, p.Index, p.Plan, p.Purse, p.Remote, d)
			}
		}
	}
}

// TestInjectedIsAll: what the list says is found, and nothing else.
func TestInjectedIsAll(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		w := mustNew(t, year.Options{Seed: seed, Places: 3_000, Discrepancies: 1_200})
		found, bad := map[string]int{}, 0
		for p := range w.Places() {
			got, want := judgePlace(w, p), slices.Clone(p.Injected)
			for i := range want {
				found[want[i].Cause]++
				want[i].Cause, want[i].Utility = "", ""
			}
			if !slices.Equal(got, want) && bad < 5 {
				bad++
				t.Errorf("seed %d place %d (remote %v, %s, %s) %v:\n got %+v\nwant %+v", seed, p.Index, p.Remote, p.Purse, p.Plan, p.Injected, got, want)
			}
		}
		for _, c := range year.Causes() {
			if found[c] < 10 {
				t.Errorf("seed %d: cause %s only %d times", seed, c, found[c])
			}
		}
	}
}

// TestInjectedOnce: every discrepancy asked for is in the list once, in all 16
// classes, and stands at a month's end after its hold.
func TestInjectedOnce(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 9, Places: 5_000, Discrepancies: 1_000})
	list := w.Injected()
	classes, places := map[year.Class]int{}, map[schemas.MeterID]bool{}
	for p := range w.Wrong() {
		if len(p.Injected) != 1 || places[p.Meter] {
			t.Errorf("place %d: %d discrepancies, want 1: %+v", p.Index, len(p.Injected), p.Injected)
		}
		places[p.Meter] = true
	}
	holds := map[year.Class]int32{year.SaleNoPay: 2, year.SoldNotLoaded: 31, year.MeterReplaced: 3, year.Stale: 4}
	for _, d := range list {
		classes[d.Class]++
		hold := max(1, holds[d.Class])
		if d.Cause == "card-gone" {
			hold = 181
		}
		if monthEnd(d.Day+hold) > w.LastDay() || d.Day < w.FirstDay() {
			t.Errorf("%s: fact of day %d, hold %d: no month's end before day %d", d.Cause, d.Day, hold, w.LastDay())
		}
	}
	if len(list) != 1_000 || len(classes) != 16 {
		t.Errorf("%d discrepancies in %d classes: want 1000 in 16: %v", len(list), len(classes), classes)
	}
}

// monthEnd returns the last day of the month of d.
func monthEnd(d int32) int32 {
	at := time.Unix(int64(d)*86400, 0).UTC()
	return int32(time.Date(at.Year(), at.Month()+1, 0, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// digest is SM3 over all that a world is.
func digest(t *testing.T, w *year.World) string {
	t.Helper()
	h := gm.NewSM3()
	enc := json.NewEncoder(h)
	for p := range w.Places() {
		if err := enc.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	for c := range w.Clearing() {
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestSameWorld: a world is a function of its options alone. It changes
// GOMAXPROCS and is therefore not parallel.
func TestSameWorld(t *testing.T) {
	o := year.Options{Seed: 5, Places: 300, Discrepancies: 60}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one := digest(t, mustNew(t, o))
	runtime.GOMAXPROCS(7)
	w := mustNew(t, o)
	if two := digest(t, w); two != one {
		t.Errorf("digest %s with 7 processors, %s with 1", two, one)
	}
	if again := digest(t, w); again != one {
		t.Error("the same world differs when gone through again")
	}
	alone, _ := json.Marshal(w.Place(123))
	for p := range w.Places() {
		if p.Index == 123 {
			if among, _ := json.Marshal(p); string(among) != string(alone) {
				t.Error("place 123 differs when made alone")
			}
		}
	}
	o.Seed++
	if digest(t, mustNew(t, o)) == one {
		t.Error("another seed gives the same world")
	}
}

// TestStopEarly: a reader that leaves the loop leaves no goroutine behind; a
// bubble with one that waits for ever panics.
func TestStopEarly(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 5, Places: 2_000})
	for _, stop := range []int{0, 1, 40, 700} {
		synctest.Test(t, func(t *testing.T) {
			for p := range w.Places() {
				if p.Index == stop {
					break
				}
			}
		})
	}
}

// TestConservation: money paid is money sold; what is sold is loaded or not yet;
// what was bought is used or in the purse.
func TestConservation(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 21, Places: 2_000})
	var paid, sold, open int64
	for p := range w.Places() {
		known := map[string]int64{}
		for _, s := range p.Sales {
			switch s.Kind {
			case year.Purchase:
				known[s.Channel+"/"+s.Order] = int64(s.Amount)
				sold += int64(s.Amount)
			case year.Refund, year.Reversal:
				known[s.Channel+"/"+s.Order] = -int64(s.Amount)
				sold -= int64(s.Amount)
			}
		}
		for _, x := range p.Payments {
			amount := int64(x.Amount)
			if x.Refund {
				amount = -amount
			}
			paid += amount
			if _, ok := known[x.Channel+"/"+x.Order]; !ok && x.Day != w.LastDay() {
				t.Fatalf("place %d: payment %s without sale", p.Index, x.Order)
			} else if !ok {
				paid -= amount // its sale is of the day after the last
			}
			delete(known, x.Channel+"/"+x.Order)
		}
		for _, amount := range known {
			open += amount // settled after the last day
		}
		for i := range p.Installations {
			purseHolds(t, w, p, i)
		}
	}
	if paid+open != sold || sold == 0 {
		t.Errorf("paid %d + to be settled %d, sold %d", paid, open, sold)
	}
}

// purseHolds adds up what one installation sold, loaded, used and holds.
func purseHolds(t *testing.T, w *year.World, p *year.Place, i int) {
	t.Helper()
	from := p.Installations[i].From
	var last *year.Entry
	for k := range p.Entries {
		e := &p.Entries[k]
		shows := e.Event == schemas.CardState || e.Event == schemas.CardReturn
		if shows && e.InstalledAt.Equal(from) && (last == nil || !e.Moment().Before(last.Moment())) {
			last = e
		}
	}
	if last == nil {
		return
	}
	credits, undone := map[uint32]int64{}, map[string]bool{}
	for _, s := range p.Sales {
		if s.Undoes != "" {
			undone[s.Undoes[strings.Index(s.Undoes, "/")+1:]] = true
		}
	}
	for _, s := range p.Sales {
		if !s.From.Equal(from) || undone[s.Order] || s.Kind == year.Refund || s.Kind == year.Reversal {
			continue
		}
		credits[s.Purchase] += s.Volume
		if p.Purse == schemas.CreditFen {
			credits[s.Purchase] += int64(s.Amount)
		}
	}
	bought := int64(0)
	for n := uint32(1); n <= last.Purchase.Number; n++ {
		bought += credits[n]
	}
	if bought != last.Bought.Value {
		t.Fatalf("place %d: sold and loaded %d, the meter shows %d", p.Index, bought, last.Bought.Value)
	}
	least, most := last.Used.Value, last.Used.Value
	slack := int64(10 + 10_000/4)
	if p.Purse == schemas.CreditFen {
		least, most = bounds(w, p, last.Used.Value)
		slack = 300
	}
	if charged := bought - last.Residual.Value + last.Overdraft.Value; charged < least-slack || charged > most+slack {
		t.Fatalf("place %d (%s): charged %d for %d: want %d to %d", p.Index, p.Plan, charged, last.Used.Value, least, most)
	}
}

// bounds returns the least and the most that a use can have cost, in fen.
func bounds(w *year.World, p *year.Place, use int64) (least, most int64) {
	low, high := int64(1<<40), int64(0)
	for _, plan := range w.Plans() {
		if plan.ID != p.Plan {
			continue
		}
		for _, s := range plan.Sets {
			for _, st := range s.Steps {
				low, high = min(low, st.Price), max(high, st.Price)
			}
			for _, r := range s.Rates {
				low, high = min(low, r), max(high, r)
			}
		}
	}
	return use * low / 100_000, use * high / 100_000
}

// TestForgottenClear: a world whose terminals forget the clear entry of a proper
// refund is wrong: the check of the others would see it.
func TestForgottenClear(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 1, Places: 600})
	forgotten := 0
	for p := range w.Places() {
		n := len(p.Entries)
		p.Entries = slices.DeleteFunc(p.Entries, func(e year.Entry) bool { return e.Event == schemas.CardClear })
		n -= len(p.Entries)
		forgotten += n
		got := judgePlace(w, p)
		if len(got) != n || slices.ContainsFunc(got, func(d year.Difference) bool { return d.Class != year.Reversed }) {
			t.Errorf("place %d: %d clears forgotten, reported %+v", p.Index, n, got)
		}
	}
	if forgotten < 50 {
		t.Errorf("%d clears in the world: want more", forgotten)
	}
}

// TestOddities: what looks unusual and is right does happen.
func TestOddities(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 1, Places: 4_000})
	seen := map[string]int{}
	for p := range w.Places() {
		countOddities(seen, p)
	}
	for _, what := range []string{"refund", "reversal", "transfer", "reissue", "reissue on a new meter", "paid the day after", "paid the day before",
		"neighbouring day", "loaded after 20 days", "loaded before it was sold, by the meter", "told twice", "overdraft", "card replaced", "return",
		"refusal", "no rates", "rates", "refund by another channel", "volume", "energy"} {
		if seen[what] < 3 {
			t.Errorf("%s: %d times", what, seen[what])
		}
	}
	t.Log(seen)
}

func countOddities(seen map[string]int, p *year.Place) {
	days, at := map[string]int32{}, map[string]time.Time{}
	for _, s := range p.Sales {
		seen[string(s.Kind)]++
		days[s.Order] = s.Day
		at[fmt.Sprint(s.From.Unix(), s.Purchase)] = s.At
		if s.Kind == year.Reissue && !s.From.Equal(p.Installations[0].From) {
			seen["reissue on a new meter"]++
		}
		if s.Kind == year.Refund && strings.Contains(s.Undoes, "/") {
			seen["refund by another channel"]++
		}
		if local := s.At.Add(8 * time.Hour); int32(local.Unix()/86400) != s.Day {
			seen["neighbouring day"]++
		}
	}
	for _, x := range p.Payments {
		switch d, ok := days[x.Order]; {
		case ok && x.Day == d+1:
			seen["paid the day after"]++
		case ok && x.Day == d-1:
			seen["paid the day before"]++
		}
	}
	loads := map[string]int{}
	for _, e := range p.Entries {
		key := fmt.Sprint(e.InstalledAt.Unix(), e.Purchase.Number)
		switch {
		case e.Event == schemas.CardLoad:
			if loads[key]++; loads[key] == 2 {
				seen["told twice"]++
			}
			if e.Moment().Sub(at[key]) > 20*24*time.Hour {
				seen["loaded after 20 days"]++
			}
			if !e.RecordedAt.IsZero() && e.RecordedAt.Before(at[key]) {
				seen["loaded before it was sold, by the meter"]++
			}
		case e.Event == schemas.CardReturn, e.Event == schemas.CardRefusal:
			seen[string(e.Event)]++
		case e.Event == schemas.CardIssue && e.Replaces != "":
			seen["card replaced"]++
		case e.Event == schemas.CardState && strings.HasSuffix(p.Plan, "-tou") && e.UsedByRate == nil:
			seen["no rates"]++
		case e.Event == schemas.CardState && e.UsedByRate != nil:
			seen["rates"]++
		}
		if e.Overdraft.Value > 0 {
			seen["overdraft"]++
		}
	}
	switch p.Purse {
	case schemas.CreditLitre:
		seen["volume"]++
	case schemas.CreditWh:
		seen["energy"]++
	}
}

// TestEntriesAreValid: every entry is one that the schemas accept, and rows come
// in order.
func TestEntriesAreValid(t *testing.T) {
	w := mustNew(t, year.Options{Seed: 3, Places: 2_000, Discrepancies: 800})
	for p := range w.Places() {
		if err := p.Meter.Validate(); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(p.Sales, func(a, b year.Sale) int { return a.At.Compare(b.At) }) ||
			!slices.IsSortedFunc(p.Entries, func(a, b year.Entry) int { return a.TakenAt.Compare(b.TakenAt) }) {
			t.Fatalf("place %d: rows out of order", p.Index)
		}
		if slices.ContainsFunc(p.Sales, func(s year.Sale) bool { return s.Amount < 0 || s.Volume < 0 || s.Amount+schemas.Fen(s.Volume) == 0 }) ||
			slices.ContainsFunc(p.Payments, func(x year.Payment) bool { return x.Amount <= 0 }) {
			t.Fatalf("place %d: a row below zero: %+v %+v", p.Index, p.Sales, p.Payments)
		}
		for i := range p.Entries {
			e := &p.Entries[i]
			if err := e.AsSent().Validate(); err != nil {
				t.Fatalf("place %d: %+v: %v", p.Index, e, err)
			}
			if e.Day < w.FirstDay() || e.Day > w.LastDay() {
				t.Fatalf("place %d: entry of day %d", p.Index, e.Day)
			}
		}
	}
	for c := range w.Clearing() {
		if err := c.Entry.Validate(); err != nil || c.Issuer == year.Issuers()[0] {
			t.Fatalf("%+v: %v", c, err)
		}
	}
}

func TestOptions(t *testing.T) {
	berlin := time.FixedZone("UTC+1", 3600)
	for name, o := range map[string]year.Options{
		"no places":    {},
		"short":        {Places: 10, Days: 10},
		"too many":     {Places: 100, Discrepancies: 41},
		"short spells": {Places: 100, Discrepancies: 1, Days: 200},
		"no cause":     {Places: 100, Discrepancies: 1, Only: []string{"nothing"}},
		"cut-off":      {Places: 100, CutOff: time.Hour, Zone: berlin},
		"states":       {Places: 100, StateEvery: 40},
	} {
		if w, err := year.New(o); err == nil {
			t.Errorf("%s: %+v accepted: %v", name, o, w)
		}
	}
	w := mustNew(t, year.Options{Seed: 1, Places: 100, Discrepancies: 40, Only: []string{"line-dead"}})
	for _, d := range w.Injected() {
		if d.Cause != "line-dead" {
			t.Errorf("asked for line-dead, got %s", d.Cause)
		}
	}
}
