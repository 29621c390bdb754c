// Package collector is the field side: it reads meters on schedule, judges,
// seals, spools and publishes.
//
//	line loop (one a line) --readings--> sealStage --envelopes--> spool
//	                                                                |
//	broker <--publish-- publisher <---------------------------------+
//	broker --receipts-> publisher --release-> spool
//
// Card entries, from the card slots of meters and from card readers
// (Collector.TakeCards), go the same way through a stage, a spool and an outbox
// of their own, so that a spool full of the ones keeps nothing from the others.
//
// Nothing counts as read before it is on disk, and nothing leaves the disk
// before the hub has said that it is in the store. What a line knows of its
// meters (baselines of the verdicts, records read from their memory) is kept in
// meters.state, which never runs ahead of the spool.
package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/internal/durable"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Options are everything a collector is made of.
type Options struct {
	Bundle   *seal.Bundle
	Provider seal.Provider
	DataDir  string
	Lines    []Line
	Batch    BatchLimits
	Spool    spool.Options
	// CardSpool is the spool of the card entries. Theirs is a quota of its own:
	// no reading takes a sale its room.
	CardSpool spool.Options
	Broker    mqttlink.Config // URL and TLS; Run fills in the rest
	Registry  prometheus.Registerer
	Log       *slog.Logger
	Version   string
	// Drain bounds how long Run goes on publishing after ctx is done.
	Drain time.Duration
	// Random fills the session contexts (crypto/rand.Reader).
	Random io.Reader
}

// Collector is one running collector.
type Collector struct {
	o       Options
	id      schemas.CollectorID
	area    schemas.AreaCode
	boots   bootCounter
	spool   *spool.Spool // of the readings
	cards   *cardDesk    // with their spool
	unlock  func() error
	metrics *metrics
	board   *board
	memory  *memory
	pub     *publisher
	started time.Time
	statusS *seal.Sealer
}

// Open locks the data folder and opens the spool. The collector does nothing
// until Run. A folder that another collector holds, a spool that cannot be
// opened or a failed self-test of the ciphers is an error.
func Open(o Options) (*Collector, error) {
	if err := seal.SelfTest(); err != nil {
		return nil, fmt.Errorf("the SM4 self-test failed; this machine must not seal readings: %w", err)
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	unlock, err := durable.Lock(filepath.Join(o.DataDir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", o.DataDir, err)
	}
	c := &Collector{
		o: o, id: o.Bundle.Collector, area: o.Bundle.Area,
		boots:  bootCounter{path: filepath.Join(o.DataDir, "boot")},
		unlock: unlock, metrics: newMetrics(o.Registry), board: newBoard(), started: time.Now(),
	}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return c, nil
}

// open opens the spools and closes them again on an error.
func (c *Collector) open() (err error) {
	if c.spool, err = c.openSpool("spool", c.o.Spool); err != nil {
		return err
	}
	cards, err := c.openSpool("cards", c.o.CardSpool)
	if err != nil {
		return errors.Join(err, c.spool.Close())
	}
	if err := c.outfit(cards); err != nil {
		return errors.Join(err, cards.Close(), c.spool.Close())
	}
	return nil
}

// openSpool opens the spool in a folder of the data folder.
func (c *Collector) openSpool(folder string, o spool.Options) (*spool.Spool, error) {
	log := c.o.Log
	o.OnEvent = func(e spool.Event) { log.Error("spool", "folder", folder, "event", e.String()) }
	s, err := spool.Open(filepath.Join(c.o.DataDir, folder), o)
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", folder, err)
	}
	return s, nil
}

// outfit makes what works on the open spools.
func (c *Collector) outfit(cards *spool.Spool) error {
	o := c.o
	if _, err := c.boots.last(); err != nil {
		return err
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{
		Provider: o.Provider, Tenant: o.Bundle.Tenant, Role: seal.Down,
		Keys: c.ownKey,
	})
	if err != nil {
		return err
	}
	registerSpool(o.Registry, "spool", c.spool)
	registerSpool(o.Registry, "card_spool", cards)
	o.Registry.MustRegister(newMeterSeries(c.board))
	c.memory = openMemory(filepath.Join(o.DataDir, "meters.state"), o.Log, time.Now())
	c.pub = &publisher{
		id: c.id, area: c.area, opener: opener, status: c.sealedStatus,
		metrics: c.metrics, log: o.Log, statusEvery: defaultStatusEvery,
	}
	c.pub.readings = newOutbox(c.pub.topic(schemas.Readings), c.spool, &c.metrics.flow, o.Log.With("stream", string(schemas.Readings)))
	c.pub.cards = newOutbox(c.pub.topic(schemas.Cards), cards, &c.metrics.cards, o.Log.With("stream", string(schemas.Cards)))
	c.cards = newCardDesk(&sealStage[schemas.CardEntry]{
		kind: cardsKind(c.id, c.area), limits: cardLimits(), spool: cards, metrics: &c.metrics.cards, log: o.Log,
		session: func() (sealer, error) { return c.newSealer(seal.Cards) },
	})
	return nil
}

// ownKey lets the opener accept envelopes for this collector only.
func (c *Collector) ownKey(generation uint16, collector string) (seal.CollectorKey, error) {
	switch {
	case collector != string(c.id):
		return seal.CollectorKey{}, &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("sealed for collector %s, this is %s", collector, c.id)}
	case generation != c.o.Bundle.Generation:
		return seal.CollectorKey{}, &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("key generation %#04x, this bundle has %#04x", generation, c.o.Bundle.Generation)}
	}
	return c.o.Bundle.Key, nil
}

// newSealer opens a session of its own for one stream: a new boot number and
// fresh randomness, so that no nonce can come twice whatever the disk forgot.
func (c *Collector) newSealer(content seal.ContentType) (*seal.Sealer, error) {
	boot, err := c.boots.next()
	if err != nil {
		return nil, err
	}
	sealContext, err := seal.NewContext(boot, c.o.Random)
	if err != nil {
		return nil, err
	}
	return seal.NewSealer(seal.SealerConfig{
		Provider: c.o.Provider, Key: c.o.Bundle.Key, Tenant: c.o.Bundle.Tenant,
		Collector: string(c.id), Generation: c.o.Bundle.Generation,
		Role: seal.Up, ContentType: content, Context: sealContext,
	})
}

// Run reads, seals, spools and publishes until ctx is done. Then it stops
// reading, makes durable what it has read, and goes on publishing until the
// spools are empty or Options.Drain has passed; what is left goes out after the
// next start. It returns nil after such a stop. It may be called once.
func (c *Collector) Run(ctx context.Context) error {
	defer c.cards.close()
	if err := c.waitForClock(ctx, clockFloor); err != nil {
		return nil // told to stop before there was anything to do
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drain, stopDrain := afterDone(ctx, c.o.Drain)
	defer stopDrain()
	sealing, stopSealing := afterDone(ctx, max(c.o.Drain, sealWithin))
	defer stopSealing()
	link, stopLink := context.WithCancel(drain)
	linked := make(chan error, 1)
	go func() { linked <- mqttlink.Run(link, c.linkConfig(), c.pub.session) }()

	readings := make(chan []schemas.Reading, len(c.o.Lines))
	sealed := make(chan error, 1)
	go func() { sealed <- c.sealStage(readings).run(sealing) }()
	carded := make(chan error, 1)
	go func() { carded <- c.cards.stage.run(sealing) }()
	loops := c.lineLoops(readings)
	var lines, keeping sync.WaitGroup
	for _, loop := range loops {
		lines.Go(func() { loop.run(ctx) })
	}
	keeping.Go(func() { c.memory.keep(ctx, loops, c.durableValues) })

	select {
	case <-ctx.Done():
	case err := <-linked: // a permanent fault of the broker's configuration
		linked <- err
	case err := <-sealed:
		sealed <- err
	case err := <-carded:
		carded <- err
	}
	stop() // after a fault, too, the time to drain begins now
	go func() { lines.Wait(); close(readings); c.cards.close() }()
	err := errors.Join(<-sealed, unsealed(readings), <-carded)
	keeping.Wait()
	c.memory.save(sealing, loops, c.durableValues)
	c.waitEmpty(drain)
	stopLink()
	return errors.Join(err, <-linked)
}

// lineLoops makes the loops of the lines, with what is remembered of their
// meters.
func (c *Collector) lineLoops(out chan<- []schemas.Reading) (loops []*lineLoop) {
	for _, l := range c.o.Lines {
		loop := newLineLoop(l, c.started, out, c.metrics, c.board, c.o.Log)
		loop.cards, loop.terminal = c.cards, schemas.TerminalText(string(c.id)+"/"+l.Name)
		c.memory.recall(loop)
		loops = append(loops, loop)
	}
	return loops
}

// sealWithin is the least time that a stop leaves for making durable what was
// read, however short Options.Drain is. Only a full disk takes it.
const sealWithin = 5 * time.Second

// clockFloor is a moment that every right clock has passed. A box without a
// battery clock starts in 1970 and learns the time from the network; what it
// read before would carry a false taken_at.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// waitForClock returns when the clock is past floor, and so can be right.
func (c *Collector) waitForClock(ctx context.Context, floor time.Time) error {
	if time.Now().After(floor) {
		return nil
	}
	c.o.Log.Error("the clock is wrong; reading begins when it is set. Look whether NTP runs", "clock", time.Now(), "want_after", floor)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Now().Before(floor) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	c.started = time.Now()
	c.o.Log.Info("the clock is set; reading begins")
	return nil
}

// unsealed takes what the lines still give after the seal stage has ended,
// until they have ended too. Only a stage that failed leaves anything.
func unsealed(readings <-chan []schemas.Reading) error {
	lost := 0
	for r := range readings {
		lost += len(r)
	}
	if lost > 0 {
		return fmt.Errorf("%d more readings were not sealed", lost)
	}
	return nil
}

// waitEmpty waits until every record has its receipt, or ctx is done.
func (c *Collector) waitEmpty(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	left := func() int { return c.spool.Stats().Records + c.cards.stage.spool.Stats().Records }
	for left() > 0 {
		select {
		case <-ctx.Done():
			c.o.Log.Warn("stopping with envelopes in the spool; they are sent after the next start", "records", left())
			return
		case <-tick.C:
		}
	}
}

func (c *Collector) sealStage(in <-chan []schemas.Reading) *sealStage[schemas.Reading] {
	return &sealStage[schemas.Reading]{
		kind: readingsKind(c.id, c.area), limits: c.o.Batch, in: in,
		session: func() (sealer, error) { return c.newSealer(seal.Readings) },
		spool:   c.spool, metrics: &c.metrics.flow, log: c.o.Log,
	}
}

func (c *Collector) linkConfig() mqttlink.Config {
	cfg := c.o.Broker
	cfg.ClientID = string(c.id)
	cfg.User = c.o.Bundle.BrokerUser
	cfg.Password = c.o.Bundle.BrokerPassword
	cfg.CleanSession = true
	cfg.Will = &mqttlink.Will{Topic: c.pub.topic(schemas.Online), Payload: []byte("0"), Retained: true}
	cfg.Subscriptions = []string{c.pub.topic(schemas.Receipts)}
	cfg.Log = c.o.Log
	return cfg
}

// sealedStatus returns the status message of this moment as an envelope.
func (c *Collector) sealedStatus() ([]byte, error) {
	if c.statusS == nil {
		s, err := c.newSealer(seal.Status)
		if err != nil {
			return nil, err
		}
		c.statusS = s
	}
	status := c.Status()
	plain, err := schemas.EncodeStatus(nil, &status)
	if err != nil {
		return nil, err
	}
	envelope, _, err := c.statusS.Seal(nil, plain)
	if err != nil {
		c.statusS = nil // used up: the next status opens a session of its own
	}
	return envelope, err
}

// Status returns the collector's account of itself at this moment.
func (c *Collector) Status() schemas.Status {
	s := c.Summary()
	stats := c.spool.Stats()
	now := time.Now().UTC().Truncate(time.Millisecond)
	failing, total := c.board.list()
	return schemas.Status{
		Collector: c.id, Area: c.area, Version: c.o.Version,
		At:           now,
		StartedAt:    c.started.UTC().Truncate(time.Millisecond),
		ReadsPlanned: s.ReadsDone + s.ReadsFailed + s.ReadsMissed + s.ReadsSkipped,
		ReadsDone:    s.ReadsDone, ReadsFailed: s.ReadsFailed, ReadsMissed: s.ReadsMissed + s.ReadsSkipped,
		ValuesRead:      s.ValuesRead,
		EnvelopesSealed: s.BatchesSealed, EnvelopesPublished: s.Published, EnvelopesFreed: s.Receipts,
		SpoolRecords: uint64(stats.Records), SpoolBytes: uint64(stats.Bytes), SpoolQuota: uint64(stats.Quota),
		SpoolFull:    counters.Level(c.metrics.full) > 0,
		FailingTotal: uint32(total), Failing: failing,
		Health: c.board.worst(now),
	}
}

// Summary is the collector's work since its start.
type Summary struct {
	ReadsDone     uint64 `json:"reads_done"`
	ReadsFailed   uint64 `json:"reads_failed"`
	ReadsMissed   uint64 `json:"reads_missed"`
	ReadsSkipped  uint64 `json:"reads_skipped"`
	ValuesRead    uint64 `json:"values_read"`
	BatchesSealed uint64 `json:"batches_sealed"`
	SealedBytes   uint64 `json:"sealed_bytes"`
	Published     uint64 `json:"published"`
	Resent        uint64 `json:"resent"`
	Receipts      uint64 `json:"receipts"`
	SpoolRecords  uint64 `json:"spool_records"`
	// Of the card entries: those that are durable, their envelopes, those of
	// them that receipts have freed, and those that wait.
	CardEntries      uint64 `json:"card_entries"`
	CardBatches      uint64 `json:"card_batches_sealed"`
	CardReceipts     uint64 `json:"card_receipts"`
	CardSpoolRecords uint64 `json:"card_spool_records"`
}

// Summary reads the counters.
func (c *Collector) Summary() Summary {
	m := c.metrics
	var failed uint64
	for _, class := range failureClasses {
		failed += counters.Count(m.failed(class))
	}
	return Summary{
		ReadsDone: counters.Count(m.done), ReadsFailed: failed, ReadsMissed: counters.Count(m.missed), ReadsSkipped: counters.Count(m.skipped),
		ValuesRead: counters.Count(m.values), BatchesSealed: counters.Count(m.batches), SealedBytes: counters.Count(m.sealedBytes),
		Published: counters.Count(m.published), Resent: counters.Count(m.resent), Receipts: counters.Count(m.receipts),
		SpoolRecords: uint64(c.spool.Stats().Records),
		CardEntries:  counters.Count(m.cards.values), CardBatches: counters.Count(m.cards.batches),
		CardReceipts: counters.Count(m.cards.receipts), CardSpoolRecords: uint64(c.cards.stage.spool.Stats().Records),
	}
}

// Problems lists, for the operator, what keeps the collector from its whole
// job at this moment; it is empty when all is well.
func (c *Collector) Problems() (problems []string) {
	if counters.Level(c.metrics.full) > 0 {
		problems = append(problems, "spool: full, reading has stopped; mend the way to the hub or make room")
	}
	if counters.Level(c.metrics.cards.full) > 0 {
		problems = append(problems, "card spool: full, no more card entries are taken; mend the way to the hub or make room")
	}
	problems = append(problems, c.pub.problems()...)
	if !c.pub.connected.Load() {
		problems = append(problems, "broker: not connected; readings wait in the spool")
	}
	return problems
}

// Close closes the spools and frees the data folder. Call it after Run.
func (c *Collector) Close() error {
	var errs []error
	for _, l := range c.o.Lines {
		if l.Close != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(append(errs, c.spool.Close(), c.cards.stage.spool.Close(), c.unlock())...)
}

// afterDone returns a context that is done d after ctx is, or when stop is
// called.
func afterDone(ctx context.Context, d time.Duration) (later context.Context, stop context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { end(); cancel() }
}

// bootCounter numbers the sessions of one collector, across restarts.
type bootCounter struct {
	mu   sync.Mutex
	path string
}

// errBootUnwritten: the next boot number could not be made durable; when the
// disk has room again it can.
var errBootUnwritten = errors.New("the boot counter cannot be written")

// next returns a number greater than every one before, after it is on disk.
func (b *bootCounter) next() (uint32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, err := b.last()
	if err != nil {
		return 0, err
	}
	if err := durable.WriteFile(b.path, fmt.Appendln(nil, last+1), 0o600); err != nil {
		return 0, fmt.Errorf("%w: %w", errBootUnwritten, err)
	}
	return last + 1, nil
}

// last returns the number used last, 0 for none. A file that holds no number,
// or the last one that there is, is an error.
func (b *bootCounter) last() (uint32, error) {
	data, err := os.ReadFile(b.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("boot counter: %w", err)
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("boot counter %s is damaged (%q): enrol the collector anew, or restore the number from the hub's page of collectors", b.path, data)
	}
	if last == math.MaxUint32 {
		return 0, fmt.Errorf("boot counter %s is used up: enrol the collector anew", b.path)
	}
	return uint32(last), nil
}
