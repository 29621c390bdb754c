package adversary

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const (
	floodFrames = 50_000
	// letterMost is what the two files of dead letters may hold [hub/ingest/deadletter.go],
	// and the last line of each.
	letterMost = 2*(64<<20) + 2*(2<<20)
	// memoryMost is what a flood may add to the hub's heap: what the link holds of
	// messages that were not taken yet (64 MiB), and its own copies.
	memoryMost = 160 << 20
)

// flood has c4 send garbage and copies as fast as the broker takes them, under its own
// account, while c1 and c2 send readings. All theirs are stored and receipted.
func flood(tab *table, c *city, h *hub) {
	runtime.GC()
	heap := watchHeap()
	before, points := h.Counters(), h.store.points.Load()
	attacker := c.join("c4")
	s := c.sender("c4")
	copied := s.batch(1)
	c.publish(attacker, on(readings("c4"), copied))
	garbage := make([]byte, 2048)
	var work sync.WaitGroup
	work.Go(func() {
		frames := make([]frame, 0, floodFrames)
		for i := range floodFrames {
			if i%2 == 0 {
				frames = append(frames, frame{readings("c4"), garbage})
			} else {
				frames = append(frames, frame{readings("c4"), copied})
			}
		}
		c.publish(attacker, frames)
	})
	const honest = 500
	receipts := make(map[schemas.CollectorID]uint64)
	for _, id := range []schemas.CollectorID{"c1", "c2"} {
		sender, conn := c.sender(id), c.join(string(id))
		work.Go(func() {
			for range honest {
				c.publish(conn, on(readings(id), sender.batch(1)))
			}
		})
	}
	c.collectReceipts(receipts, honest)
	work.Wait()
	c.settle(h, before, floodFrames+2*honest+1)
	after, most := h.Counters(), heap()
	stored := uint64(h.store.points.Load()-points) - 2 // the sentinel's, and the one that is copied
	tab.add(row{name: "two others send readings during the flood: stored", tries: 2 * honest, accepted: stored, counted: after.Points - before.Points - 2, control: true})
	tab.add(row{name: "the same: named in receipts", tries: 2 * honest, accepted: receipts["c1"] + receipts["c2"], counted: receipts["c1"] + receipts["c2"], control: true})
	// A broker sends again what was not acknowledged in 30 s.
	again := after.Received - before.Received - (floodFrames + 2*honest + 2)
	dropped := refused(before, after, nil) + after.Duplicates - before.Duplicates
	tab.add(row{name: "flood: 25,000 frames of garbage, 25,000 copies", tries: floodFrames, accepted: stored - 2*honest, counted: dropped - again})
	disk := folderSize(tab.t, c.dir)
	tab.t.Logf("the hub received %d messages, %d of them again; refused %v", after.Received-before.Received, again, after.Refused)
	tab.t.Logf("after the flood: the hub's folder holds %.1f MiB, the process's heap was at most %.1f MiB", float64(disk)/(1<<20), float64(most)/(1<<20))
	if disk > letterMost+(8<<20) || most > memoryMost {
		tab.t.Errorf("the flood filled %d bytes of disk (at most %d) and %d of memory (at most %d)", disk, letterMost, most, memoryMost)
	}
}

// collectReceipts returns when c1 and c2 have receipts for n envelopes each.
func (c *city) collectReceipts(named map[schemas.CollectorID]uint64, n uint64) {
	c.t.Helper()
	opener, err := seal.NewOpener(seal.OpenerConfig{Provider: seal.DefaultProvider(), Tenant: tenant, Role: seal.Down, Keys: c.key})
	noError(c.t, err)
	for named["c1"] < n || named["c2"] < n {
		m := receive(c.t, "a receipt during the flood", c.receipts)
		_, plain, err := opener.Open(nil, m.Payload)
		noError(c.t, err)
		r, err := schemas.DecodeReceipt(plain)
		noError(c.t, err)
		for _, span := range r.Stored {
			named[r.Collector] += uint64(span.To-span.From) + 1
		}
	}
}

// watchHeap returns a function that ends the watch and tells the most that the heap
// held of live objects and of what waits to be freed.
func watchHeap() (most func() uint64) {
	var peak atomic.Uint64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 { close(stop); <-ended; return peak.Load() }
}

func folderSize(t testing.TB, dir string) (n int64) {
	t.Helper()
	noError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	}))
	return n
}

// lettersAreBounded fills the dead letters with the largest garbage that brokers take.
func lettersAreBounded(tab *table, c *city, h *hub) {
	var frames []frame
	big := make([]byte, 900_000)
	for range 200 {
		frames = append(frames, frame{readings("c4"), big})
	}
	c.attack(tab, h, attack{name: "180 MB of garbage in large frames", frames: frames, codes: []seal.Code{seal.FrameBad}})
	disk := folderSize(tab.t, c.dir)
	if disk > letterMost+(8<<20) {
		tab.t.Errorf("the hub's folder holds %d bytes", disk)
	}
	tab.t.Logf("after 180 MB of garbage: the hub's folder holds %.1f MiB", float64(disk)/(1<<20))
}
