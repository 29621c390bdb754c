package completeness

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"citygrid/schemas"
)

// What is written is what is read, and a damaged row is an error and no panic.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		d := make(day)
		for range rng.IntN(5) {
			k := hourKey{uint8(rng.IntN(24)), schemas.Schedule{Interval: time.Minute * time.Duration(1+rng.IntN(20))}}
			n := k.Slots(noon.Truncate(24 * time.Hour).Add(time.Duration(k.hour) * time.Hour))
			if n == 0 {
				continue
			}
			r := &record{asked: rng.IntN(2) == 0}
			for i := range n {
				if rng.IntN(20) == 0 {
					continue
				}
				r.planned.set(i)
				switch rng.IntN(8) {
				case 0:
					r.lose(i, uint8(1+rng.IntN(9)))
				case 1:
					r.refilled.set(i)
				case 2:
					r.read.set(i)
					r.late.set(i)
				default:
					r.read.set(i)
				}
			}
			d[k] = r
		}
		data := d.encode()
		again, err := decodeDay(data)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(again.encode()) != fmt.Sprint(data) || len(again) != len(d) {
			t.Fatalf("written %x, read and written again %x", data, again.encode())
		}
		for k, r := range d {
			if got, want := fmt.Sprint(again[k].count(wholeHour)), fmt.Sprint(r.count(wholeHour)); got != want || again[k].asked != r.asked {
				t.Fatalf("%v: read %s, want %s", k, got, want)
			}
		}
		if len(data) > 1 {
			data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
			_, _ = decodeDay(data[:1+rng.IntN(len(data)-1)])
		}
	}
}
