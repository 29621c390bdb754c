package sts

import (
	"fmt"
	"math/bits"
)

// mulAdd returns a × b + c in 128 bits.
func mulAdd(a, b, c uint64) (high, low uint64) {
	high, low = bits.Mul64(a, b)
	low, carry := bits.Add64(low, c, 0)
	return high + carry, low
}

// decimal writes a number of 66 bits with 20 digits.
func decimal(high, low uint64) string {
	const shift = 1e10
	a, b := bits.Div64(high, low, shift)
	return fmt.Sprintf("%010d%010d", a, b)
}
