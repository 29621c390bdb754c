package district

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

// The purposes of chance, so that no two draw the same numbers.
const (
	forGround = iota + 1
	forColumns
	forRows
	forAcross
	forDown
	forDeck
	forComponents
	forNames
	forSpoil
	forDays
	forCases
)

// dice is a sequence of splitmix64. Every thing has its own, so that it is the same
// in whatever order things are asked for.
type dice uint64

func newDice(seed uint64, purpose, of uint64) dice { return dice(mix(mix(seed, purpose), of)) }

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

// under returns a number from 0 to n-1.
func (d *dice) under(n int) int { return int(d.span(0, int64(n)-1)) }

// chance reports true in so many of a thousand cases.
func (d *dice) chance(perMille int64) bool { return d.span(0, 999) < perMille }

// between returns a number of metres or degrees, in steps of a millionth of the way.
func (d *dice) between(low, high float64) float64 {
	return low + (high-low)*float64(d.span(0, 1_000_000))/1_000_000
}

func pick[T any](d *dice, list []T) T { return list[d.under(len(list))] }
