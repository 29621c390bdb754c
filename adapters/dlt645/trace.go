package dlt645

import (
	"citygrid/adapters/line"
	"citygrid/schemas"
)

var (
	_ line.Traced     = (*question)(nil)
	_ line.Concealing = (*question)(nil)
)

// Protocol names DL/T 645-2007.
func (q *question) Protocol() string { return string(schemas.DLT645) }

// Conceal is Conceal; see line.Concealing.
func (q *question) Conceal(b []byte) { Conceal(b) }

// broadcastTime is the function that sets the clocks of all meters, without a
// password.
const broadcastTime = 0x08

// Conceal makes zeros of the data of every frame in b by which a master does more
// than read, whole or torn: commands carry a password (PA P0 P1 P2), and what goes
// with it is left out too. No request of this package is such a frame; another
// master's on the same line may be.
func Conceal(b []byte) {
	for i := 0; i+headLen <= len(b); i++ {
		if b[i] != start || b[i+7] != start || b[i+8]&fromMeter != 0 {
			continue
		}
		if f := b[i+8] & functionBits; reads(f) || f == broadcastTime {
			continue
		}
		clear(b[i+headLen : min(i+headLen+int(b[i+9]), len(b))])
	}
}
