package simulators

import (
	"math"
	"time"

	"citygrid/schemas"
)

// Consumption follows the clock on the wall: day and week are reckoned in
// China Standard Time, and the Unix epoch was a Thursday.
const (
	daySeconds  = 24 * 3600
	weekSeconds = 7 * daySeconds
	localOffset = 8 * 3600
)

// harmonic is one cosine of the consumption curve.
type harmonic struct {
	share float64 // of the mean
	omega float64 // rad/s
	phase float64 // rad at the curve's start
	sin0  float64 // sine of phase: the integral is 0 at the start
}

// curve is consumption relative to its mean: 1 plus three daily harmonics and a
// weekly one. Its amplitudes add up to 0.75, so that it never falls below a
// quarter of the mean and its integral, which is closed-form, only grows.
type curve [4]harmonic

// newCurve returns the curve of a medium; the seed moves its peaks by up to an
// hour and a half. Time runs in seconds since start.
func newCurve(medium schemas.Medium, seed uint64, start time.Time) curve {
	// Hours of the peaks of each harmonic: offices and evenings for power,
	// morning and evening for water, cooking for gas.
	peaks := [3]float64{19, 8, 3}
	switch medium {
	case schemas.Water:
		peaks = [3]float64{18, 7.5, 4}
	case schemas.Gas:
		peaks = [3]float64{18.5, 6.5, 2}
	}
	shares := [3]float64{0.35, 0.2, 0.1}
	sinceMidnight := float64((start.Unix() + localOffset) % daySeconds)
	var c curve
	for k := range peaks {
		shift := between(mix(seed, saltShape+uint64(k)<<8), -1.5, 1.5)
		omega := 2 * math.Pi * float64(k+1) / daySeconds
		c[k] = newHarmonic(shares[k], omega, sinceMidnight-3600*(peaks[k]+shift))
	}
	weekOmega := 2 * math.Pi / weekSeconds
	sinceThursday := float64((start.Unix() + localOffset) % weekSeconds)
	c[3] = newHarmonic(0.1, weekOmega, sinceThursday-5.5*daySeconds)
	return c
}

// newHarmonic returns the harmonic whose peak was the given seconds before the
// curve's start.
func newHarmonic(share, omega, sincePeak float64) harmonic {
	phase := omega * sincePeak
	return harmonic{share: share, omega: omega, phase: phase, sin0: math.Sin(phase)}
}

// at returns the relative rate at s seconds after the start, and its integral
// from the start to s, in seconds.
func (c *curve) at(s float64) (rate, integral float64) {
	rate, integral = 1, s
	for _, h := range c {
		sin, cos := math.Sincos(h.omega*s + h.phase)
		rate += h.share * cos
		integral += h.share / h.omega * (sin - h.sin0)
	}
	return rate, integral
}
