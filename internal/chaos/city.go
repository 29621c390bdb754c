package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/schemas"
	"citygrid/simulators"
)

// counterFolder is the folder of the point of sale beside the collector.
const counterFolder = "counter"

// sale is a handing-over of card entries to the collector.
type sale []schemas.CardEntry

// sell sells prepaid cards at the counter while the faults are on.
func (t *trial) sell(ctx context.Context) error {
	r := rand.New(rand.NewPCG(t.plan.Seed, 0x63617264))
	outbox := cardslot.Outbox{Dir: filepath.Join(t.dir, counterFolder, "outbox")}
	for n := range 6 {
		if !sleep(ctx, time.Duration(200+r.IntN(500))*time.Millisecond) {
			return nil
		}
		s := make(sale, 1+r.IntN(8))
		for i := range s {
			s[i] = schemas.CardEntry{
				Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water,
				MeterNumber: fmt.Sprintf("%012d", 900_000_000+n*100+i), Card: schemas.CardID(fmt.Sprintf("%016X", n*100+i+1)),
				Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: uint32(n + 1)},
				Amount:   schemas.Credit{Value: int64(100 + r.IntN(50_000)), Unit: schemas.CreditFen},
				TakenAt:  time.Now().UTC().Truncate(time.Millisecond),
			}
		}
		t.mu.Lock()
		t.sold = append(t.sold, s)
		t.mu.Unlock()
		if err := outbox.Put(s); err != nil {
			return err
		}
	}
	return nil
}

// target is a meter to which something happens.
type target struct {
	meter schemas.MeterID
	what  string
	flow  float64
}

// targets draws two leaks and three silent meters.
func (t *trial) targets(r *rand.Rand) (list []target) {
	var ids []schemas.MeterID
	for _, m := range t.city.Fleet().Meters {
		ids = append(ids, m.ID)
	}
	r.Shuffle(len(ids), func(a, b int) { ids[a], ids[b] = ids[b], ids[a] })
	want := map[string]int{simulators.Leaks: 2, simulators.Silent: 3}
	for _, id := range ids {
		for _, what := range []string{simulators.Leaks, simulators.Silent} {
			flow := 0.0
			if what == simulators.Leaks {
				flow = 5
			}
			if want[what] == 0 || what == simulators.Leaks && !strings.HasPrefix(string(id), "W-") || t.city.Fleet().CanSuffer(id, what, flow) != nil {
				continue
			}
			want[what]--
			list = append(list, target{id, what, flow})
			break
		}
	}
	return list
}
