//go:build linux

package modbus

import (
	"context"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
)

// paced answers as a device at the end of a real wire: the request takes its
// time to arrive, its end is a silence, and the answer comes byte by byte.
func paced(s line.Serial) func(master *os.File) {
	return func(master *os.File) {
		request := make([]byte, rtuRequest)
		for {
			if _, err := io.ReadFull(master, request); err != nil {
				return
			}
			at := time.Now().Add(s.Wire(len(request)) + s.Silence())
			for i, b := range rtuAnswer(request, register) {
				until(at.Add(s.Wire(i + 1)))
				if _, err := master.Write([]byte{b}); err != nil {
					return
				}
			}
		}
	}
}

// until waits more exactly than the runtime's timers, which are a millisecond
// coarse.
func until(at time.Time) {
	if d := time.Until(at); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		unix.Nanosleep(&ts, nil)
	}
}

// BenchmarkCycle9600 reads a meter over and over on a wire of 9600 Bd, and
// reports how much longer that takes than its frames and the silences that the
// standard demands: one before each request, one by which the device knows the
// request's end.
func BenchmarkCycle9600(b *testing.B) {
	s := line.Serial{Baud: 9600, DataBits: 8, Parity: line.None, StopBits: 1}
	wide := &profiles.Profile{ID: "wide", MaxRegisters: 125, MaxGap: 100}
	for i := range 20 {
		wide.Fields = append(wide.Fields, u16Field(powerQuantities()[i], 3, uint16(5*i)))
	}
	for _, tc := range []struct {
		name    string
		profile *profiles.Profile
	}{{"4 requests of 4 registers", clockProfile(false)}, {"1 request of 96 registers", titled(wide)}} {
		b.Run(tc.name, func(b *testing.B) {
			ideal := time.Duration(0)
			l := newTestLine(b, lineConfig{
				Address: openPTY(b, paced(s)), Serial: &s, QuietTime: -1, Retries: -1,
				Monitor: func(e line.Event) {
					if e.What == line.Sent {
						ideal += s.Wire(len(e.Bytes)) + s.Silence() + s.Wire(rtuOverhead+2*int(shapeOf(e.Bytes).count)) + s.Silence()
					}
				},
			})
			m := mustSource(b, l, 1, tc.profile)
			if _, err := m.Read(context.Background()); err != nil { // opens the port
				b.Fatal(err)
			}
			var ratios []float64
			for b.Loop() {
				ideal = 0
				start := time.Now()
				if _, err := m.Read(context.Background()); err != nil {
					b.Fatal(err)
				}
				ratios = append(ratios, float64(time.Since(start))/float64(ideal))
			}
			// The median, because a busy machine holds up the device as well.
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-wire-time")
			b.ReportMetric(ratios[0], "x-wire-time-min")
		})
	}
}
