package reconcile

import (
	"math/rand/v2"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// TestOrdersConserveMoney: once every hold is over, what was paid less what was sold
// is what the open differences of an order say, whatever came in which order.
func TestOrdersConserveMoney(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 12))
		b, net := newBook(), schemas.Fen(0)
		numbers := uint32(0)
		for d := range 6 {
			for range rng.IntN(3) {
				fen := 100 * (1 + rng.Int64N(2))
				switch rng.IntN(6) {
				case 0, 1:
					numbers++
					b.buy("a", d, numbers, fen)
					net -= schemas.Fen(fen)
				case 2:
					b.sell(ledger.Refund, "a", d, 12, 1, fen, "z")
					net += schemas.Fen(fen)
				case 3, 4:
					b.pay("a", d, fen)
					net += schemas.Fen(fen)
				default:
					b.pay("a", d, fen).Refund = true
					net -= schemas.Fen(fen)
				}
			}
		}
		for _, step := range []int{10, 1} {
			r := newRunner(t, b)
			for from := 0; from < 10; from += step {
				r.run(from, from+step-1)
			}
			if got := r.said(); got != net {
				t.Fatalf("seed %d by %d: paid less sold is %s, the differences say %s: %q", seed, step, net, got, r.openNow())
			}
		}
	}
}

// said sums what the open differences of the orders say was paid too much.
func (r *runner) said() (sum schemas.Fen) {
	for _, stored := range r.orders {
		b, err := DecodeOrderBalance(stored)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range b.Open {
			switch back := strings.Contains(o.Key, "#refund"); {
			case o.Class == ledger.SaleNoPay, o.Class == ledger.DupPay && back:
				sum -= o.Amount
			default:
				sum += o.Amount
			}
		}
	}
	return sum
}
