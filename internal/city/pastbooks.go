package city

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/yearbooks"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/year"
)

const (
	// cutOff ends the city's accounting day; cutOffText is the same for the hub.
	cutOff     = 23 * time.Hour
	cutOffText = "23:00"
	tariffFile = "tariffs.yaml"
	// bookDays is how long the books have been kept, bookRecent in how many of the last
	// days something is wrong, bookWrong for how many places there is one such thing.
	bookDays, bookRecent, bookWrong = 88, 21, 4.5
)

// makeBooks makes the prepaid books up to the day before yesterday, and the files of
// yesterday.
func (c *City) makeBooks(ctx context.Context) (err error) {
	p := c.past
	o := yearbooks.EveOptions{
		World: year.Options{
			Seed: c.o.Fleet.Seed, Places: p.o.Places, Days: bookDays, Recent: bookRecent,
			Discrepancies: int(float64(p.o.Places) / bookWrong), Zone: p.zone, Start: p.midnight(bookDays), CutOff: cutOff,
		},
		Ledger: c.ledger(), Dir: c.path("settlement"), Tariffs: tariffFile,
		Rules: reconcile.DefaultRules(ledger.Calendar{Zone: p.zone, CutOff: cutOff}),
		Also:  c.slots(), AlsoPlans: c.slotPlans(),
		Clerk: c.named("clerk"), Reviewer: c.named("reviewer"), Approver: c.named("approver"),
	}
	if o.Rules.Begin, err = ledger.ParseDay(p.midnight(bookDays).Format(time.DateOnly)); err != nil {
		return err
	}
	if p.eve, err = yearbooks.KeepEve(ctx, o); err != nil {
		return err
	}
	return os.WriteFile(c.path(tariffFile), []byte(p.eve.Tariffs), 0o600)
}

// slots are the places of the meters with a card slot that are read live. They stood
// before the books began, so that what was bought earlier is settled, and count as read
// by card: nobody has told the books of them until today.
func (c *City) slots() (list []ledger.Place) {
	for _, m := range c.slotMeters() {
		purse := schemas.CreditFen
		if m.ProfileID() == volumeProfile {
			purse = schemas.CreditLitre
		}
		list = append(list, ledger.Place{Meter: m.ID, Utility: m.Medium(), Purse: purse, Plan: c.slotPlan(m), Readout: ledger.ByCard,
			Installations: []ledger.Installation{{From: c.past.midnight(bookDays + 1).UTC(), MeterNumber: m.Serial(c.past.now), Customer: "H-" + schemas.CustomerID(m.ID)}}})
	}
	return list
}

// volumeProfile is that of the meters with a card slot whose purse counts litres.
const volumeProfile = "xintai-prepaid-water"

func (c *City) slotMeters() (list []*simulators.Meter) {
	for _, m := range c.fleet.Meters {
		if slices.Contains(cardProfiles(), m.ProfileID()) {
			list = append(list, m)
		}
	}
	return list
}

// slotPlan names the tariff plan of a meter by its price.
func (c *City) slotPlan(m *simulators.Meter) string {
	return fmt.Sprintf("%s-slot-%d", m.Medium(), c.slotPrice(m))
}

// slotPrice is what a unit costs at a meter, in fen: such a meter takes purchases of a
// fixed volume or energy. One that tells no purchase has a purse of volume, and any
// price will do.
func (c *City) slotPrice(m *simulators.Meter) int64 {
	for _, q := range []schemas.Quantity{"water.purchase.last", "power.purchase.last"} {
		v, missing, ok := m.Expected(q, c.past.now)
		if yuan, err := strconv.ParseFloat(v.String(), 64); ok && missing == "" && err == nil {
			return int64(math.Round(yuan * 100 / simulators.PurchaseUnits))
		}
	}
	return 300
}

// slotPlans are the plans of those meters as the tariff file has them.
func (c *City) slotPlans() string {
	var b strings.Builder
	told := map[string]bool{}
	for _, m := range c.slotMeters() {
		id := c.slotPlan(m)
		if told[id] {
			continue
		}
		told[id] = true
		price := c.slotPrice(m)
		fmt.Fprintf(&b, "  - id: %s\n    utility: %s\n    reset: yearly\n    rounding: half-up-per-line\n    versions:\n      - from: %s\n        price: \"%d.%02d\"\n",
			id, m.Medium(), c.past.midnight(bookDays+400).Format(time.DateOnly), price/100, price%100)
	}
	return b.String()
}

// named returns the name of who has a role.
func (c *City) named(role string) string {
	for _, p := range c.grid.people {
		if slices.Contains(p.Roles, role) {
			return p.Name
		}
	}
	return role
}
