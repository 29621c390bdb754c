package collector

import (
	"fmt"

	"citygrid/schemas/seal"
)

// answerKey finds the key for what the hub says to the collector of b: that of the
// bundle and no earlier one. An earlier key may be the reason for the new one: who
// stole it could seal a receipt, and a receipt frees the spool. An answer that was on
// its way under the earlier key is lost and comes again, since the collector sends
// again what has no receipt.
func answerKey(b *seal.Bundle, generation uint16, collector string) (seal.CollectorKey, error) {
	switch {
	case collector != string(b.Collector):
		return seal.CollectorKey{}, &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("sealed for collector %s, this is %s", collector, b.Collector)}
	case generation != b.Generation:
		return seal.CollectorKey{}, &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("sealed under key generation %#04x, and this bundle takes answers under %#04x only", generation, b.Generation)}
	}
	return b.Key, nil
}
