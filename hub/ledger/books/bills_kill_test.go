package books

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// TestTwoMakersAtOnce: both come to the same bills, and each bill is there once.
func TestTwoMakersAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, c := creditBooks(t, dsn, 20, nil)
		c.now = cityTime("2026-02-02 10:00")
		var all memory
		for i := range 20 {
			all = append(all, yearOf(i)...)
		}
		first := true
		meanwhile := &hook{all, func() {
			if first {
				first = false
				if s, _ := mustBill(t, b, "2026-01", all); s.Made != 20 {
					t.Errorf("the other: %+v", s)
				}
			}
		}}
		if s, _ := mustBill(t, b, "2026-01", meanwhile); s.Made != 0 || s.Repeated != 20 {
			t.Errorf("the slow one: %+v", s)
		}
		var sales int
		must(t, b.read.NewRaw("SELECT COUNT(*) FROM sales").Scan(ctx, &sales))
		if sales != 20 {
			t.Errorf("%d rows of L1", sales)
		}
	})
}

// TestDamagedBillIsNoticed changes the books behind our back.
func TestDamagedBillIsNoticed(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]string{"body": "UPDATE bills SET body = REPLACE(body, '\"use\":', '\"use\":1')", "column": "UPDATE bills SET amount = amount - 1",
		"digest": "UPDATE bills SET digest = 'x'"} {
		b, c := creditBooks(t, "sqlite:"+t.TempDir()+"/b.db", 1, nil)
		c.now = cityTime("2026-02-02 10:00")
		mustBill(t, b, "2026-01", yearOf(0))
		_, err := b.write.Exec(change)
		must(t, err)
		if _, err := b.Bills(ctx, BillFilter{}); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// killedBills is how many accounts are billed in the test with kill.
const killedBills = 1_500

// yearly are the readings of the accounts that are killed.
type yearly struct{}

// Registers makes the readings of the meters that are asked for.
func (yearly) Registers(ctx context.Context, meters []schemas.MeterID, q []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	for _, m := range meters {
		var i int
		if _, err := fmt.Sscanf(string(m), "W-%d", &i); err != nil {
			return err
		}
		if err := yearOf(i).Registers(ctx, []schemas.MeterID{m}, q, from, to, fn); err != nil {
			return err
		}
	}
	return nil
}

// makeKilledBills is the work that is killed.
func makeKilledBills(b *Books) error {
	b.o.Now = func() time.Time { return cityTime("2026-02-02 10:00") }
	_, err := b.MakeBills(context.Background(), Billing{Utility: schemas.Water, Month: billMonth("2026-01"), By: "li"}, yearly{}, nil, nil)
	return err
}

// TestBillsKilledAndRepeated kills the making of bills at random moments, then lets
// it end, and wants every table as if nothing had happened.
func TestBillsKilledAndRepeated(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		quiet, _ := creditBooks(t, another(t, dsn), killedBills, nil)
		victim, _ := creditBooks(t, dsn, killedBills, nil)
		begun := time.Now()
		must(t, makeKilledBills(quiet))
		whole := time.Since(begun)
		t.Logf("%d bills in %s", killedBills, whole)
		for range 6 {
			killAfter(t, "bill", dsn, time.Duration(chance.Int64N(int64(whole))))
		}
		must(t, makeKilledBills(victim))
		sameDump(t, dump(t, victim), dump(t, quiet))
		var bills int
		must(t, victim.read.NewRaw("SELECT COUNT(*) FROM bills AS b JOIN sales AS s ON s.order_no = b.order_no AND s.amount = b.amount AND s.place = b.place").Scan(context.Background(), &bills))
		if bills != killedBills {
			t.Errorf("%d bills with their row of L1, want %d", bills, killedBills)
		}
	})
}
