//go:build !race

package seal

// raceEnabled is false: counts of allocations are exact.
const raceEnabled = false
