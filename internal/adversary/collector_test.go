package adversary

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/collector"
	"citygrid/collector/spool"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// box is a true collector without meters, whose spool holds what the test has sealed.
type box struct {
	*collector.Collector
	registry *prometheus.Registry
	stop     func()
}

// bundle is the key of a collector with its password at the broker.
func (c *city) bundle(id schemas.CollectorID) seal.Bundle {
	c.t.Helper()
	b, err := seal.Issue(c.masters[3], area, id, uint8(active&0xff), rand.Reader)
	noError(c.t, err)
	b.BrokerPassword = secret.New(password)
	return b
}

// fill puts envelopes into the spool of a collector that is not running.
func fill(t testing.TB, dir string, envelopes [][]byte) {
	t.Helper()
	s, err := spool.Open(filepath.Join(dir, "spool"), spool.Options{CommitEvery: time.Millisecond})
	noError(t, err)
	for _, e := range envelopes {
		_, err := s.Append(context.Background(), e)
		noError(t, err)
	}
	noError(t, s.Close())
}

// box starts a collector on a data folder.
func (c *city) box(url string, id schemas.CollectorID, dir string) *box {
	c.t.Helper()
	bundle := c.bundle(id)
	quick := spool.Options{CommitEvery: time.Millisecond, StateEvery: time.Millisecond}
	b := &box{registry: prometheus.NewRegistry()}
	var err error
	b.Collector, err = collector.Open(collector.Options{
		Bundle: &bundle, Provider: seal.DefaultProvider(), DataDir: dir, Spool: quick, CardSpool: quick, EventSpool: quick,
		Batch:    collector.BatchLimits{MaxReadings: 10, MaxAge: 5 * time.Millisecond},
		Broker:   mqttlink.Config{URL: url, Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
		Registry: b.registry, Log: slog.New(slog.DiscardHandler), Version: "test", Random: rand.Reader,
	})
	noError(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
		if err := b.Close(); err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(b.stop)
	return b
}

// metric reads a counter or a gauge without labels of the collector.
func (b *box) metric(t testing.TB, name string) uint64 {
	t.Helper()
	families, err := b.registry.Gather()
	noError(t, err)
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) == 1 {
			m := f.GetMetric()[0]
			return uint64(m.GetCounter().GetValue() + m.GetGauge().GetValue())
		}
	}
	t.Fatalf("the collector has no series %s", name)
	return 0
}

const (
	inSpool  = "citygrid_spool_records"
	refusals = "citygrid_collector_receipts_refused_total"
	strays   = "citygrid_collector_receipts_stray_total"
	freed    = "citygrid_collector_receipts_total"
	sent     = "citygrid_collector_published_total"
)

// receiptOf is a sealed receipt for a session.
func receiptOf(s *sender, of seal.Context, id schemas.CollectorID, spans ...schemas.SeqRange) []byte {
	s.t.Helper()
	plain, err := schemas.EncodeReceipt(nil, &schemas.Receipt{Collector: id, Boot: of.Boot, Random: of.Random, Stored: spans})
	noError(s.t, err)
	return s.seal(plain)
}

// atACollector is a broker operator's work on a collector whose spool is full of what
// no hub has stored: nothing of it may be freed.
func atACollector(tab *table, c *city) {
	url, evil := c.otherBroker()
	own, dir := c.sender("c1"), tab.t.TempDir()
	const held = 50
	fill(tab.t, dir, own.batches(held))
	b := c.box(url, "c1", dir)
	eventually(tab.t, "the collector has sent all", func() bool { return b.metric(tab.t, sent) >= held })
	all := schemas.SeqRange{From: 0, To: held - 1}
	down := c.sender("c1", content(seal.Receipt))
	true1 := receiptOf(down, own.Context(), "c1", all)

	try := func(name, counter string, each int, payloads ...[]byte) {
		before := b.metric(tab.t, counter)
		c.publish(evil, on(topic("c1", schemas.Receipts), payloads...))
		want := before + uint64(len(payloads)*each)
		eventually(tab.t, "the collector counts: "+name, func() bool {
			return b.metric(tab.t, counter) >= want || b.metric(tab.t, inSpool) < held
		})
		tab.add(row{name: name, tries: uint64(len(payloads)), accepted: held - b.metric(tab.t, inSpool), counted: (b.metric(tab.t, counter) - before) / uint64(each)})
	}
	var flips, cuts [][]byte
	for i := range len(true1) * 8 {
		f := clone(true1)
		f[i/8] ^= 1 << (i % 8)
		flips = append(flips, f)
	}
	for n := range true1 {
		cuts = append(cuts, true1[:n])
	}
	try("receipt: every single bit turned", refusals, 1, flips...)
	try("receipt: cut at every length", refusals, 1, cuts...)
	try("receipt: sealed for another collector, by another city, upwards, as a command", refusals, 1,
		receiptOf(c.sender("c2", content(seal.Receipt)), own.Context(), "c2", all),
		receiptOf(down, own.Context(), "c2", all),
		receiptOf(c.sender("c1", content(seal.Receipt), c.keyOf("c2")), own.Context(), "c1", all),
		receiptOf(c.sender("c1", content(seal.Receipt), func(o *seal.SealerConfig) { o.Tenant = "other" }), own.Context(), "c1", all),
		receiptOf(c.sender("c1", content(seal.Receipt), generation(future)), own.Context(), "c1", all),
		receiptOf(c.sender("c1", content(seal.Receipt), generation(destroyed)), own.Context(), "c1", all),
		receiptOf(c.sender("c1", content(seal.Command)), own.Context(), "c1", all),
		receiptOf(c.sender("c1"), own.Context(), "c1", all),
	)
	var noise [][]byte
	for n := range 300 {
		p := make([]byte, n)
		_, _ = io.ReadFull(rand.Reader, p)
		noise = append(noise, p)
	}
	try("receipt: random bytes", refusals, 1, noise...)
	other, wrong := c.sender("c1").Context(), own.Context()
	wrong.Random[0] ^= 1
	try("receipt: true ones of other sessions and numbers", strays, held,
		receiptOf(down, other, "c1", all), receiptOf(down, wrong, "c1", all), receiptOf(down, own.Context(), "c1", schemas.SeqRange{From: held, To: 2*held - 1}))

	forgedCommands(tab, c, b, evil)
	c.publish(evil, on(topic("c1", schemas.Receipts), true1))
	eventually(tab.t, "the true receipt frees all", func() bool { return b.metric(tab.t, inSpool) == 0 && b.metric(tab.t, freed) == held })
	tab.add(row{name: "the true receipt", tries: held, accepted: b.metric(tab.t, freed), counted: b.metric(tab.t, freed), control: true})
	before := b.metric(tab.t, strays)
	c.publish(evil, on(topic("c1", schemas.Receipts), true1, true1, true1))
	eventually(tab.t, "the collector counts replayed receipts", func() bool { return b.metric(tab.t, strays) >= before+3*held })
	tab.add(row{name: "receipt: the true one again", tries: 3, accepted: b.metric(tab.t, freed) - held, counted: (b.metric(tab.t, strays) - before) / held})
	b.stop()
}

// forgedCommands asks the collector to read meters' memories. A command that is not
// refused was taken.
func forgedCommands(tab *table, c *city, b *box, evil *mqttlink.Conn) {
	command := func(s *sender, of schemas.CollectorID, at time.Time) []byte {
		span := schemas.Refill{Meter: "m", From: moment(), To: moment().Add(time.Hour)}
		plain, err := schemas.EncodeCommand(nil, &schemas.Command{Collector: of, At: at.UTC().Truncate(time.Millisecond), Refill: []schemas.Refill{span}})
		noError(tab.t, err)
		return s.seal(plain)
	}
	try := func(name string, want int, payloads ...[]byte) {
		before := b.metric(tab.t, refusals)
		c.publish(evil, on(topic("c1", schemas.Commands), payloads...))
		c.publish(evil, on(topic("c1", schemas.Commands), nil)) // refused for certain, after all others
		eventually(tab.t, "the collector has taken in: "+name, func() bool { return b.metric(tab.t, refusals) > before+uint64(want) })
		n := b.metric(tab.t, refusals) - before - 1
		r := row{name: name, tries: uint64(len(payloads)), accepted: uint64(len(payloads)) - n, counted: n}
		if want == 0 {
			r.control, r.counted = true, r.accepted
		}
		tab.add(r)
	}
	down, now := c.sender("c1", content(seal.Command)), time.Now()
	true1 := command(down, "c1", now)
	var forged [][]byte
	for i := range len(true1) * 8 {
		f := clone(true1)
		f[i/8] ^= 1 << (i % 8)
		forged = append(forged, f)
	}
	forged = append(forged,
		command(c.sender("c2", content(seal.Command)), "c2", now), command(down, "c2", now),
		command(c.sender("c1", content(seal.Command), c.keyOf("c2")), "c1", now),
		command(c.sender("c1", content(seal.Command), func(o *seal.SealerConfig) { o.Tenant = "other" }), "c1", now),
		command(c.sender("c1", content(seal.Receipt)), "c1", now), command(c.sender("c1"), "c1", now),
		command(down, "c1", now.Add(-2*time.Hour)), command(down, "c1", now.Add(2*time.Hour)))
	try("command: every single bit turned, another's, as a receipt, upwards, held back two hours", len(forged), forged...)
	try("the true command", 0, true1)
	try("command: the true one again, and an older one", 4, true1, true1, true1, command(down, "c1", now.Add(-time.Minute)))
}

// otherBroker is one without a hub, in the attacker's hands.
func (c *city) otherBroker() (url string, evil *mqttlink.Conn) {
	c.t.Helper()
	hash, err := brokerconfig.HashPassword(password)
	noError(c.t, err)
	broker := brokertest.NATS(c.t, &brokerconfig.Access{Users: []brokerconfig.User{
		brokerconfig.CollectorUser(area, "c1", hash),
		{Name: "evil", PasswordHash: hash, Publish: []string{"citygrid/v1/+/+/+"}, Subscribe: []string{"citygrid/v1/+/+/readings"}},
	}})
	there := *c
	there.broker = broker
	return broker.URL, there.join("evil", "citygrid/v1/+/+/readings")
}

// restoredSpools are boxes whose disk was put back to what it was.
func restoredSpools(tab *table, c *city, h *hub) {
	before, points := h.Counters(), h.store.points.Load()
	own, dir := c.sender("c2"), tab.t.TempDir()
	const held = 40
	fill(tab.t, dir, own.batches(held))
	image := tab.t.TempDir()
	noError(tab.t, os.CopyFS(image, os.DirFS(dir)))
	first := c.box(c.broker.URL, "c2", dir)
	eventually(tab.t, "the hub's receipts free the spool", func() bool { return first.metric(tab.t, inSpool) == 0 })
	first.stop()
	tab.add(row{name: "a collector's spool goes to the hub", tries: held, accepted: uint64(h.store.points.Load() - points), counted: h.Counters().Points - before.Points, control: true})
	again := h.Counters()
	points = h.store.points.Load()
	second := c.box(c.broker.URL, "c2", image)
	eventually(tab.t, "the receipts free the restored spool", func() bool { return second.metric(tab.t, inSpool) == 0 })
	second.stop()
	tab.add(row{name: "a spool restored from an older image: all of it is sent again", tries: held, accepted: uint64(h.store.points.Load() - points), counted: h.Counters().Duplicates - again.Duplicates})
}
