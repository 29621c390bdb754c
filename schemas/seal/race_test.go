//go:build race

package seal

// raceEnabled says that sync.Pool drops items at random, as the race detector
// makes it do.
const raceEnabled = true
