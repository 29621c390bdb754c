package seal

import (
	"fmt"
	"testing"
)

var benchSizes = []int{64, 256, 1024, 16384}

func BenchmarkSeal(b *testing.B) {
	for _, p := range providers(b) {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", p.Name(), size), func(b *testing.B) {
				s := mustSealer(b, func(c *SealerConfig) { c.Provider = p })
				plain, out := make([]byte, size), make([]byte, 0, size+MaxOverhead)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, _, err := s.Seal(out, plain); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, p := range providers(b) {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", p.Name(), size), func(b *testing.B) {
				s := mustSealer(b, nil)
				o := mustOpener(b, func(c *OpenerConfig) { c.Provider = p })
				envelope, out := mustSeal(b, s, string(make([]byte, size))), make([]byte, 0, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, _, err := o.Open(out, envelope); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOpenNewSession is the first message of a session: derive and open.
func BenchmarkOpenNewSession(b *testing.B) {
	o := mustOpener(b, func(c *OpenerConfig) { c.Sessions = 1 })
	var envelopes [2][]byte // of two sessions, which push each other out
	for i := range envelopes {
		envelopes[i] = mustSeal(b, mustSealer(b, func(c *SealerConfig) { c.Context.Boot = uint32(i) }), string(make([]byte, 256)))
	}
	out := make([]byte, 0, 256)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := o.Open(out, envelopes[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTrackerCommit accepts messages in order, the usual case.
func BenchmarkTrackerCommit(b *testing.B) {
	var tr Tracker
	var seq uint32
	b.ReportAllocs()
	for b.Loop() {
		if tr.Commit(ctxOf(1, 1), seq, tagOf(byte(seq))) != New {
			b.Fatal("not new")
		}
		seq++
	}
}

func BenchmarkSelfTest(b *testing.B) {
	for b.Loop() {
		if err := SelfTest(); err != nil {
			b.Fatal(err)
		}
	}
}
