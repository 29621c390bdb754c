package interop

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/collector"
	"citygrid/collector/spool"
	"citygrid/hub/enrolment"
	"citygrid/hub/ingest"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const (
	riverArea     = "310115"
	riverPatience = 60 * time.Second
)

// river is a key folder, the embedded broker, a hub's receiver and collectors, all in
// this process. What it carries are card entries: they need no meter.
type river struct {
	t      *testing.T
	office enrolment.Office
	broker *brokerconfig.Broker
	dir    string

	masters []*seal.Master
	ring    atomic.Pointer[seal.Ring]
	list    atomic.Pointer[enrolment.List]

	mu      sync.Mutex
	stored  map[schemas.CollectorID]map[uint32]int // of each sale, how often
	stopHub func()
}

func newRiver(t *testing.T) *river {
	t.Helper()
	r := &river{t: t, dir: t.TempDir(), stored: make(map[schemas.CollectorID]map[uint32]int)}
	r.office = enrolment.Office{Folder: enrolment.Folder(filepath.Join(r.dir, "keys")), By: "test"}
	master, err := seal.NewMaster("test", 1, rand.Reader)
	r.must(err)
	r.masters = []*seal.Master{master}
	r.must(r.office.InitWith(master, func() error { return nil }))
	r.load()
	access, err := r.list.Load().Access(nil)
	r.must(err)
	r.broker, err = brokerconfig.Start(t.Context(), brokerconfig.Options{Dir: filepath.Join(r.dir, "broker"), Access: access})
	r.must(err)
	t.Cleanup(func() { _ = r.broker.Close() })
	return r
}

func (r *river) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// load reads list and master keys as a hub does.
func (r *river) load() {
	r.t.Helper()
	list, err := enrolment.Load(r.office.List())
	r.must(err)
	var in []*seal.Master
	for _, m := range r.masters {
		if s := list.MasterState(m.Generation); s != enrolment.Destroyed {
			in = append(in, m)
		}
	}
	ring, err := seal.NewRing(in...)
	r.must(err)
	r.ring.Store(ring)
	r.list.Store(list)
}

// hangUp is SIGHUP to hub and broker.
func (r *river) hangUp() {
	r.t.Helper()
	r.load()
	access, err := r.list.Load().Access(nil)
	r.must(err)
	r.must(r.broker.SetAccess(access))
}

func (r *river) CollectorKey(p seal.Provider, generation uint16, id string) (seal.CollectorKey, error) {
	return r.ring.Load().CollectorKey(p, generation, id)
}

// StoreCards is the ledger.
func (r *river) StoreCards(_ context.Context, id schemas.CollectorID, entries []schemas.CardEntry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stored[id] == nil {
		r.stored[id] = make(map[uint32]int)
	}
	for _, e := range entries {
		r.stored[id][e.Purchase.Number]++
	}
	return nil
}

type nobody struct{}

func (nobody) Stored([]schemas.Reading, time.Time)                          {}
func (nobody) CollectorStatus(schemas.Status)                               {}
func (nobody) CollectorOnline(schemas.CollectorID, bool, time.Time)         {}
func (nobody) Submit(context.Context, []schemas.Reading, func(error)) error { return nil }

// startHub starts the receiver; r.stopHub kills it.
func (r *river) startHub() {
	r.t.Helper()
	receiver, err := ingest.New(ingest.Options{
		Tenant: "test", Provider: seal.DefaultProvider(), Master: r, Store: nobody{}, Cards: r, Observer: nobody{},
		Enrolled: func(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) {
			c, ok := r.list.Load().Find(id)
			return c.Area, c.Generation, ok && !c.Revoked
		},
		Admit: func(id schemas.CollectorID, generation uint16) error {
			return r.list.Load().Admit(id, generation, time.Now())
		},
		Dir: filepath.Join(r.dir, "hub"), Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Random: rand.Reader,
	})
	r.must(err)
	password, err := seal.ReadPassphrase("file:" + r.office.HubPassword())
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = receiver.Run(ctx) })
	work.Go(func() {
		_ = mqttlink.Run(ctx, r.link(enrolment.HubUser, password, ingest.Subscriptions(nil)), receiver.Session)
	})
	r.stopHub = sync.OnceFunc(func() { cancel(); work.Wait() })
	r.t.Cleanup(r.stopHub)
}

func (r *river) link(user string, password secret.Secret, filters []string) mqttlink.Config {
	return mqttlink.Config{URL: r.broker.URL(), ClientID: user, User: user, Password: password, Subscriptions: filters,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}}
}

// box is a collector and what is on its disk.
type box struct {
	*river
	id       schemas.CollectorID
	bundle   string
	runs     int // of the collector, since the test began
	running  *collector.Collector
	registry *prometheus.Registry
	stop     func()
	sold     uint32
}

func (r *river) newBox(id schemas.CollectorID) *box {
	r.t.Helper()
	b := &box{river: r, id: id, bundle: filepath.Join(r.dir, string(id)+".bundle")}
	_, err := r.office.Issue(r.masters[0], enrolment.Request{Area: riverArea, Collector: id, Bundle: b.bundle})
	r.must(err)
	r.hangUp()
	b.start()
	return b
}

func (b *box) start() {
	b.t.Helper()
	bundle, err := seal.ReadBundle(b.bundle)
	b.must(err)
	b.registry = prometheus.NewRegistry()
	small := spool.Options{Quota: 8 << 20, SegmentBytes: 1 << 16, CommitEvery: time.Millisecond}
	b.running, err = collector.Open(collector.Options{
		Bundle: &bundle, Provider: seal.DefaultProvider(), DataDir: filepath.Join(b.dir, string(b.id)),
		Batch: collector.BatchLimits{MaxReadings: 10, MaxAge: time.Millisecond}, Spool: small, CardSpool: small, EventSpool: small,
		Broker:   mqttlink.Config{URL: b.broker.URL(), Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
		Registry: b.registry, Log: slog.New(slog.DiscardHandler), Version: "test", Random: rand.Reader,
	})
	b.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	running := b.running
	go func() { defer close(ended); _ = running.Run(ctx) }()
	b.runs++
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := running.Close(); err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(b.stop)
}

// sell takes n sales; each is on the box's disk when it returns.
func (b *box) sell(n int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), riverPatience)
	defer cancel()
	for range n {
		b.sold++
		b.must(b.running.TakeCards(ctx, []schemas.CardEntry{{
			Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Power, MeterNumber: "112233445566", Card: "00112233AABBCCDD",
			Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: b.sold}, Amount: schemas.Credit{Value: 5000, Unit: schemas.CreditFen},
			TakenAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		}}))
	}
}

// settled waits until every sale is stored and every receipt has come, and holds each
// sale to once.
func (b *box) settled(when string) {
	b.t.Helper()
	end := time.Now().Add(riverPatience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.running.Summary().CardSpoolRecords > 0 || len(b.sales()) < int(b.sold) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: %s: %d of %d sales are stored, %d records have no receipt", when, b.id, len(b.sales()), b.sold, b.running.Summary().CardSpoolRecords)
		}
		<-tick.C
	}
	for n, times := range b.sales() {
		if times != 1 {
			b.t.Errorf("%s: %s: sale %d is stored %d times", when, b.id, n, times)
		}
	}
}

func (b *box) sales() map[uint32]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.stored[b.id])
}

// sessions counts the connections of the running collector.
func (b *box) sessions() (n float64) {
	b.t.Helper()
	families, err := b.registry.Gather()
	b.must(err)
	for _, f := range families {
		if f.GetName() == "citygrid_collector_broker_sessions_total" {
			n = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return n
}

// rotate gives the box its next bundle, which is not in it yet.
func (b *box) rotate(compromised bool) seal.Bundle {
	b.t.Helper()
	path := filepath.Join(b.dir, rand.Text())
	_, err := b.office.Rotate(b.masters[len(b.masters)-1], enrolment.Rotation{
		Collectors: []schemas.CollectorID{b.id}, Grace: time.Hour, Compromised: compromised, Bundle: func(schemas.CollectorID, uint16) string { return path },
	})
	b.must(err)
	next, err := seal.ReadIssued(path)
	b.must(err)
	return next
}

// accept does what collector enrol accept does.
func (b *box) accept(next seal.Bundle) {
	b.t.Helper()
	old, err := seal.ReadBundle(b.bundle)
	b.must(err)
	placed, err := next.Succeed(&old)
	b.must(err)
	b.must(seal.PlaceBundle(b.bundle, placed))
}

// A collector's key and the master key are rotated while sales go on, with the hub and
// the box killed between: nothing is lost, nothing stored twice, no connection ends
// that need not, and the other box notices nothing.
func TestKeysRotateInMidStream(t *testing.T) {
	r := newRiver(t)
	c1, c2 := r.newBox("c1"), r.newBox("c2")
	r.startHub()
	c1.sell(10)
	c2.sell(10)
	c1.settled("before")
	c2.settled("before")
	sessions, others := c1.sessions(), c2.sessions()
	if sessions == 0 || others == 0 {
		t.Fatal("no connections are counted")
	}

	next := c1.rotate(false)
	r.hangUp()
	c1.sell(10)
	c1.settled("the box has the old bundle")
	if c1.sessions() != sessions {
		t.Error("the rotation ended the connection of the box")
	}
	r.stopHub()
	c1.sell(10) // under the old key, into the spool
	c1.stop()
	c1.accept(next)
	c1.start()
	c1.sell(10) // under the new one, behind them
	c2.sell(10)
	r.startHub()
	c1.settled("the box has the new bundle")
	c2.settled("the hub was killed")

	master, err := r.office.NewMaster(r.ring.Load(), func(g uint8) (*seal.Master, error) { return seal.NewMaster("test", g, rand.Reader) })
	r.must(err)
	r.masters = append(r.masters, master)
	first, second := c1.rotate(false), c2.rotate(false)
	c1.sell(5)
	c1.stop()
	c1.accept(first)
	c1.start()
	c1.sell(5) // under a key that the hub has not heard of
	r.hangUp()
	c2.sell(5)
	c1.settled("a new master key")
	c2.settled("a new master key, the old bundle")
	if c2.sessions() != others {
		t.Errorf("c2 has had %v connections, was %v: the rotation of c1 or of the master key ended one", c2.sessions(), others)
	}
	c2.stop()
	c2.accept(second)
	c2.start()
	c2.sell(5)
	c2.settled("the new bundle")
	for _, id := range []schemas.CollectorID{"c1", "c2"} {
		if _, err := r.office.Destroy(id); err != nil {
			t.Fatal(err)
		}
	}
	r.must(r.office.DestroyMaster(1, false, func() error { return nil }))
	r.hangUp()
	c1.sell(5)
	c2.sell(5)
	c1.settled("the old master key is destroyed")
	c2.settled("the old master key is destroyed")
}

// A box whose key somebody else has is re-keyed alone: the old key and the old
// password are out at once, and the other box stays connected.
func TestKeysCompromised(t *testing.T) {
	r := newRiver(t)
	c1, c2 := r.newBox("c1"), r.newBox("c2")
	r.startHub()
	c1.sell(3)
	c2.sell(3)
	c1.settled("before")
	c2.settled("before")
	others := c2.sessions()
	stolen, err := seal.ReadBundle(c1.bundle)
	r.must(err)

	next := c1.rotate(true)
	c1.stop()
	r.hangUp()
	refused := make(chan error, 1)
	cfg := r.link("c1", stolen.BrokerPassword, nil)
	ctx, cancel := context.WithTimeout(t.Context(), riverPatience)
	defer cancel()
	cfg.OnState = func(s mqttlink.State) {
		if s.Phase == mqttlink.Down && s.Err != nil {
			select {
			case refused <- s.Err:
			default:
			}
		}
	}
	in := make(chan struct{}, 1)
	var work sync.WaitGroup
	work.Go(func() {
		_ = mqttlink.Run(ctx, cfg, func(ctx context.Context, _ *mqttlink.Conn) error { in <- struct{}{}; <-ctx.Done(); return ctx.Err() })
	})
	select {
	case <-refused:
	case <-in:
		t.Error("the broker lets the stolen password in")
	case <-ctx.Done():
		t.Error("the broker does not answer")
	}
	cancel()
	work.Wait()
	if err := r.list.Load().Admit("c1", stolen.Generation, time.Now()); err == nil {
		t.Error("the stolen key still opens")
	}
	c1.accept(next)
	c1.start()
	c1.sell(3)
	c2.sell(3)
	c1.settled("re-keyed")
	c2.settled("the other")
	if c2.sessions() != others {
		t.Errorf("c2 has had %v connections, was %v", c2.sessions(), others)
	}
}
