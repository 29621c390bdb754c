package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	collectorconfig "citygrid/collector/config"
	"citygrid/collector/spool"
	"citygrid/internal/city"
)

// hit makes one fault happen and returns when it has ended.
func (t *trial) hit(ctx context.Context, f Fault) error {
	switch f.Kind {
	case BrokerGone, BrokerMinutes, StoreGone:
		t.cutOff(ctx, f)
		return nil
	case Slow, HalfOpen, Reset:
		t.spoilLink(ctx, f)
		return nil
	case Store5xx, Store429, BadPoint, StoreCut:
		t.spoilStore(ctx, f)
		return nil
	case DiskFull:
		return t.fillDisk(ctx, f)
	}
	lock := t.parts[f.Part]
	lock.Lock()
	defer lock.Unlock()
	t.count(f.Kind)
	switch f.Kind {
	case Kill:
		return t.kill(ctx, f)
	case Pause:
		return t.pause(ctx, f)
	case BitFlip, Truncate:
		return t.damage(ctx, f)
	case ClockBack, ClockAhead:
		return t.setClock(ctx, f)
	case Twin:
		return t.double(ctx, f)
	case RestoredOld:
		return t.restore(ctx, f)
	}
	return fmt.Errorf("no fault %s", f.Kind)
}

func (t *trial) count(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Faults[k]++
}

// cutOff takes the broker away from all, or InfluxDB from the hub, for a while.
func (t *trial) cutOff(ctx context.Context, f Fault) {
	t.count(f.Kind)
	parts := []string{city.Collector, city.Hub}
	if f.Kind == StoreGone {
		parts = []string{city.Influxd}
	}
	for _, part := range parts {
		defer t.links[part].leave()()
	}
	sleep(ctx, f.For)
}

// spoilLink makes a link bad for a while.
func (t *trial) spoilLink(ctx context.Context, f Fault) {
	t.count(f.Kind)
	l := t.links[f.Part]
	l.set(map[Kind]weather{
		HalfOpen: {frozen: true}, Reset: {cutIn: int64(f.N%20_000) + 1},
		Slow: {delay: time.Duration(f.N%40+1) * time.Millisecond, piece: 1400},
	}[f.Kind])
	sleep(ctx, f.For)
	l.set(weather{})
	if f.Kind == HalfOpen && f.N%2 == 0 {
		l.cut() // the router has forgotten the connection; otherwise it goes on
	}
}

// spoilStore makes InfluxDB a bad one for a while.
func (t *trial) spoilStore(ctx context.Context, f Fault) {
	t.count(f.Kind)
	t.gate.set(map[Kind]mode{
		Store5xx: {status: []int{500, 502, 503}[f.N%3]}, Store429: {status: 429, retryAfter: 1},
		BadPoint: {spoil: true, whole: f.N%2 == 0}, StoreCut: {cut: true},
	}[f.Kind])
	sleep(ctx, f.For)
	t.gate.set(mode{})
}

// fillDisk leaves a part no room for a while.
func (t *trial) fillDisk(ctx context.Context, f Fault) error {
	d := t.disks[f.Part]
	if !d.mounted {
		return nil // Result.NoDisk says so
	}
	t.count(f.Kind)
	leave := int64(f.N % (16 << 10))
	if f.Part == city.Influxd {
		leave %= 4 << 10 // its log is compressed
	}
	if err := d.fill(leave); err != nil {
		return err
	}
	sleep(ctx, f.For)
	if err := d.free(); err != nil || f.Part != city.Influxd {
		return err
	}
	// InfluxDB 1.8 writes nothing more to a log that it could not write to once, until it
	// is started again, as its operator does then.
	lock := t.parts[f.Part]
	lock.Lock()
	defer lock.Unlock()
	if err := t.crash(f.Part); err != nil {
		return err
	}
	return t.comeBack(ctx, f.Part)
}

// await returns when the trigger of a kill has come, or is not likely to come any more.
func (t *trial) await(ctx context.Context, f Fault) {
	if f.When == OnSync {
		t.awaitSync(ctx, f.Part)
		return
	}
	b := map[Trigger]*bell{OnSpool: &t.spooled, OnAnswer: &t.answered, OnReply: &t.replied}[f.When]
	if b == nil {
		return
	}
	select {
	case <-b.next():
	case <-time.After(1500 * time.Millisecond):
	case <-ctx.Done():
	}
	sleep(ctx, f.Delay)
}

// awaitSync returns as soon as a thread of a part is in an fsync.
func (t *trial) awaitSync(ctx context.Context, part string) {
	pid := t.city.Pid(part)
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; {
		if inSync(pid) {
			return
		}
		sleep(ctx, 50*time.Microsecond)
	}
}

// kill ends a part as a power cut would, and starts it again.
func (t *trial) kill(ctx context.Context, f Fault) error {
	switch f.When {
	case OnWrite:
		// Another kill may wait for a write too and take the place of this one: then, as
		// when no write comes, this one strikes by itself.
		done := make(chan error, 1)
		crash := sync.OnceFunc(func() { done <- t.crash(f.Part) })
		t.armed.Store(&crash)
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-time.After(1500 * time.Millisecond):
			t.armed.CompareAndSwap(&crash, nil)
			crash()
			if err := <-done; err != nil {
				return err
			}
		}
	case OnReady: // twice, the second time when it is hardly up
		if err := t.crash(f.Part); err != nil {
			return err
		}
		if err := t.comeBack(ctx, f.Part); err != nil {
			return err
		}
		sleep(ctx, f.Delay)
		fallthrough
	default:
		t.await(ctx, f)
		if err := t.crash(f.Part); err != nil {
			return err
		}
	}
	sleep(ctx, f.For)
	return t.comeBack(ctx, f.Part)
}

// crash kills a part and notes what it was about. One that has ended by itself is a fault
// of its own, unless its disk was filled.
func (t *trial) crash(part string) error {
	if !t.plan.onDisk(part) && t.city.Signal(part, 0) != nil {
		t.mu.Lock()
		t.result.Unexpected++
		t.result.example("%s had ended by itself before it was killed; see %s", part, t.city.Log(part))
		t.mu.Unlock()
	}
	if inSync(t.city.Pid(part)) {
		t.mu.Lock()
		t.result.InSync++
		t.mu.Unlock()
	}
	if err := t.city.Crash(part); err != nil {
		return err
	}
	switch part {
	case city.Hub:
		t.gate.newHub()
	case city.Collector:
		return t.autopsy()
	}
	return nil
}

// comeBack starts a part again. One that cannot start, for want of room on its disk say,
// is started again by its operator, here as by systemd, until it can.
func (t *trial) comeBack(ctx context.Context, part string) error {
	deadline := time.Now().Add(recovery)
	for {
		t.starting.Lock()
		err := within(ctx, "start "+part, recovery, func(ctx context.Context) error { return t.city.Restart(ctx, part) })
		t.starting.Unlock()
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		t.mu.Lock()
		t.result.Refusals++
		t.mu.Unlock()
		if !sleep(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// revive starts parts again that ended by themselves for want of room, as systemd would.
func (t *trial) revive(ctx context.Context) error {
	var errs []error
	for _, part := range []string{city.Collector, city.Hub} {
		if !t.plan.onDisk(part) || t.city.Signal(part, 0) == nil {
			continue
		}
		t.mu.Lock()
		t.result.Refusals++
		t.mu.Unlock()
		errs = append(errs, t.crash(part), t.comeBack(ctx, part))
	}
	return errors.Join(errs...)
}

// pause stops a part for a while.
func (t *trial) pause(ctx context.Context, f Fault) error {
	begun := time.Now()
	if err := t.city.Signal(f.Part, syscall.SIGSTOP); err != nil {
		return err
	}
	sleep(ctx, f.For)
	if err := t.city.Signal(f.Part, syscall.SIGCONT); err != nil {
		return err
	}
	if f.Part == city.Collector {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.pauses = append(t.pauses, pause{begun, time.Now()})
	}
	return nil
}

// setClock sets the collector's clock off, until it is started again.
func (t *trial) setClock(ctx context.Context, f Fault) error {
	by := time.Duration(f.N%7200+30) * time.Second
	if f.Kind == ClockBack {
		by = -time.Duration(f.N%120+1) * time.Second
	}
	t.mu.Lock()
	t.clock = append(t.clock, by)
	t.mu.Unlock()
	begun := time.Now()
	err := setClock(t.city.Pid(city.Collector), by)
	t.mu.Lock()
	t.pauses = append(t.pauses, pause{begun, time.Now()})
	t.mu.Unlock()
	if err != nil {
		return err
	}
	if sleep(ctx, f.For); f.N%2 == 0 {
		return setClock(t.city.Pid(city.Collector), 0)
	}
	return nil
}

// double runs a second collector with the same identity for a while: with a folder of
// its own, or with a copy of the first one's.
func (t *trial) double(ctx context.Context, f Fault) error {
	d := t.disks[city.Collector]
	folder := d.path("twin")
	if f.N%2 == 0 {
		if err := os.CopyFS(folder, os.DirFS(d.path("data"))); err != nil {
			return fmt.Errorf("copy the data folder: %w", err)
		}
	}
	t.mu.Lock()
	t.twin = &archive{dir: d.path("twin-archive"), of: folder}
	t.mu.Unlock()
	t.starting.Lock()
	p, err := t.city.Twin(ctx, folder, func(c *collectorconfig.Config) {
		var gateways []collectorconfig.Line
		for _, l := range c.Lines {
			if l.Serial == nil { // two masters cannot share a serial line
				gateways = append(gateways, l)
			}
		}
		c.Lines = gateways[:2]
	})
	t.starting.Unlock()
	if err != nil {
		return err
	}
	sleep(ctx, f.For)
	p.Kill()
	if err := t.sweep(); err != nil {
		return err
	}
	return t.stillWith(ctx, folder)
}

// stillWith notes what lies in the spool of a collector that does not come back: it may
// be missing, for its disk has it.
func (t *trial) stillWith(ctx context.Context, folder string) error {
	for stream := range streams() {
		s, err := spool.Open(filepath.Join(folder, stream), spool.Options{})
		if err != nil {
			return err
		}
		err = s.Scan(ctx, func(r spool.Record) error {
			e, err := envelopeOf(r.Data)
			t.mu.Lock()
			defer t.mu.Unlock()
			t.left[e] = true
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// restore puts the collector's folder back as it was earlier, as from an image of its
// card.
func (t *trial) restore(ctx context.Context, f Fault) error {
	d := t.disks[city.Collector]
	image, data := d.path("image"), d.path("data")
	if err := t.crash(city.Collector); err != nil {
		return err
	}
	if err := os.CopyFS(image, os.DirFS(data)); err != nil {
		return fmt.Errorf("take the image: %w", err)
	}
	if err := t.comeBack(ctx, city.Collector); err != nil {
		return err
	}
	sleep(ctx, f.For)
	if err := t.crash(city.Collector); err != nil {
		return err
	}
	if err := t.writeOff(ctx, image); err != nil { // what only this folder holds goes with it
		return err
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.Rename(image, data); err != nil {
		return err
	}
	return t.comeBack(ctx, city.Collector)
}

// mishap lets things go wrong with meters, and mends some of them.
func (t *trial) mishap(ctx context.Context) error {
	r := rand.New(rand.NewPCG(t.plan.Seed, 0x6d6973))
	targets := t.targets(r)
	for n, m := range targets {
		if !sleep(ctx, time.Duration(r.IntN(400))*time.Millisecond) {
			return nil
		}
		if _, err := t.city.Break(ctx, m.meter, m.what, m.flow); err != nil {
			return err
		}
		if n%2 == 0 {
			defer func() {
				_, _ = t.city.Mend(context.WithoutCancel(ctx), m.meter, m.what) // it ends with the city otherwise
			}()
		}
	}
	sleep(ctx, reading/2)
	return nil
}
