package year

import "math/bits"

const golden = 0x9E3779B97F4A7C15

// mix hashes two numbers with the finaliser of splitmix64 (Steele, Lea and Flood,
// 2014).
func mix(a, b uint64) uint64 {
	z := a + golden*(b+1)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// dice is a sequence of splitmix64. Every place has its own, so that a place is
// the same whoever makes it and in whatever order.
type dice uint64

func (d *dice) roll() uint64 {
	*d += golden
	return mix(uint64(*d), 0)
}

// span returns a number from low to high, both included.
func (d *dice) span(low, high int64) int64 {
	if high <= low {
		return low
	}
	hi, _ := bits.Mul64(d.roll(), uint64(high-low+1))
	return low + int64(hi)
}

// chance reports true in so many of a thousand cases.
func (d *dice) chance(perMille int64) bool { return d.span(0, 999) < perMille }
