package ask

import "time"

// ForgetAfter is how long the meter of an address with wildcards must have been
// silent before another may take its place.
const ForgetAfter = time.Hour

// Identity is which meter, of an address of type A, answers to an address with
// wildcards: with two on the line, each answer may be of the other. The zero
// value knows none.
type Identity[A comparable] struct {
	// Address is that of the meter that answered last.
	Address A
	at      time.Time // when it did; zero for never
}

// Takes reports whether the meter that answers now is the one of before, or may
// take its place.
func (k *Identity[A]) Takes(from A, now time.Time) bool {
	if k.Address != from && !k.at.IsZero() && now.Sub(k.at) < ForgetAfter {
		return false
	}
	k.Address, k.at = from, now
	return true
}
