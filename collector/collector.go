// Package collector is the field side: it reads meters on schedule, judges,
// seals, spools and publishes.
//
//	line loop (one a line) --readings--> sealStage --envelopes--> spool
//	                                                                |
//	broker <--publish-- publisher <---------------------------------+
//	broker --receipts-> publisher --release-> spool
//
// Card entries, from the card slots of meters and from card readers
// (Collector.TakeCards), and component events, from an EventSource that is shown
// every read, go the same way, each through a stage, a spool and an outbox of their
// own, so that a spool full of the ones keeps nothing from the others.
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
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/collector/spool"
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
	// DropAfter is the age at which readings that wait in the spool are dropped; 0:
	// never. With it, or Spool.DropWhenFull, what is dropped is noted first.
	DropAfter time.Duration
	// CardSpool is the spool of the card entries. Theirs is a quota of its own:
	// no reading takes a sale its room.
	CardSpool spool.Options
	// EventSpool is the spool of the component events, with a quota of its own, too.
	EventSpool spool.Options
	// Events makes the EventSource of this run with what the State of the last one
	// returned; nil: there was none. An error refuses that state. Without Events nothing
	// is decided, and what was decided before still goes out.
	Events   func(state []byte) (EventSource, error)
	Broker   mqttlink.Config // URL and TLS; Run fills in the rest
	Registry prometheus.Registerer
	Log      *slog.Logger
	Version  string
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
	spool   *spool.Spool             // of the readings
	cards   *desk[schemas.CardEntry] // with their spool
	events  *eventPipe               // with theirs
	drops   *dropper
	slots   *Accounts
	unlock  func() error
	metrics *metrics
	board   *board
	memory  *memory
	moments *moments
	pub     *publisher
	started time.Time
	statusS *seal.Sealer
	// certificates are those of the link to the broker.
	certificates certificates
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
	if c.drops, err = newDropper(c.o.Bundle, c.o.Provider, c.metrics, c.o.Log); err != nil {
		return err
	}
	c.slots = openAccounts(filepath.Join(c.o.DataDir, "accounts.state"), c.o.Lines, c.o.Log, time.Now())
	c.drops.notes = c.slots
	if err := errors.Join(mayNotDrop(c.o.CardSpool), mayNotDrop(c.o.EventSpool)); err != nil {
		return err
	}
	var spools []*spool.Spool
	for _, s := range []struct {
		folder  string
		options spool.Options
	}{{"spool", c.readingsSpool()}, {"cards", c.o.CardSpool}, {"events", c.o.EventSpool}} {
		var opened *spool.Spool
		if opened, err = c.openSpool(s.folder, s.options); err != nil {
			break
		}
		spools = append(spools, opened)
	}
	if err == nil {
		c.spool = spools[0]
		err = c.outfit(spools[1], spools[2])
	}
	if err != nil {
		for _, s := range spools {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// openSpool opens the spool in a folder of the data folder.
func (c *Collector) openSpool(folder string, o spool.Options) (*spool.Spool, error) {
	log := c.o.Log
	o.OnEvent = func(e spool.Event) {
		if e.Kind == spool.Dropped {
			c.drops.done(e)
			return
		}
		log.Error("spool", "folder", folder, "event", e.String())
	}
	s, err := spool.Open(filepath.Join(c.o.DataDir, folder), o)
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", folder, err)
	}
	return s, nil
}

// outfit makes what works on the open spools.
func (c *Collector) outfit(cards, events *spool.Spool) error {
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
	registerSpool(o.Registry, "event_spool", events)
	o.Registry.MustRegister(newMeterSeries(c.board))
	c.memory = openMemory(filepath.Join(o.DataDir, "meters.state"), o.Log, time.Now())
	c.moments = openMoments(filepath.Join(o.DataDir, "moments.state"), o.Log, time.Now())
	c.pub = &publisher{
		id: c.id, area: c.area, opener: opener, status: c.sealedStatus,
		metrics: c.metrics, log: o.Log, statusEvery: defaultStatusEvery, refills: &refillDesk{},
	}
	c.pub.readings = c.newOutbox(schemas.Readings, c.spool, &c.metrics.flow)
	c.pub.readings.lanes.on = true
	c.drops.freed = c.pub.readings.prune
	c.pub.cards = c.newOutbox(schemas.Cards, cards, &c.metrics.cards)
	c.pub.events = c.newOutbox(schemas.Events, events, &c.metrics.events)
	c.cards = newDesk(&sealStage[schemas.CardEntry]{
		kind: cardsKind(c.id, c.area), limits: cardLimits(), spool: cards, metrics: &c.metrics.cards, log: o.Log,
		session: func() (sealer, error) { return c.newSealer(seal.Cards) },
	})
	decided := newDesk(&sealStage[schemas.ComponentEvent]{
		kind: eventsKind(c.id, c.area), limits: eventLimits(), spool: events, metrics: &c.metrics.events, log: o.Log,
		session: func() (sealer, error) { return c.newSealer(seal.Events) },
	})
	c.events, err = c.openEvents(filepath.Join(o.DataDir, "events.state"), decided, time.Now())
	return err
}

func (c *Collector) newOutbox(stream schemas.Stream, s *spool.Spool, m *flow) *outbox {
	return newOutbox(c.pub.topic(stream), s, m, c.o.Log.With("stream", string(stream)))
}

// ownKey lets the opener accept envelopes for this collector only.
func (c *Collector) ownKey(generation uint16, collector string) (seal.CollectorKey, error) {
	return answerKey(c.o.Bundle, generation, collector)
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
	defer c.events.close()
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
	accounting, stopAccounting := context.WithCancel(sealing)
	defer stopAccounting()
	go func() {
		err := c.sealStage(readings).run(sealing)
		stopAccounting()
		if err != nil {
			stop()
		}
		sealed <- err
	}()
	beside := c.runBeside(sealing, stop)
	loops := c.lineLoops(readings)
	c.pub.refills.lines(loops)
	var lines, keeping sync.WaitGroup
	for _, loop := range loops {
		lines.Go(func() { loop.run(ctx) })
	}
	keeping.Go(func() { c.memory.keep(ctx, loops, c.durableValues) })
	keeping.Go(func() { c.dropOld(ctx) })
	told := make(chan struct{})
	go func() { defer close(told); c.slots.run(ctx, loops, c.durableValues) }()

	select {
	case <-ctx.Done():
	case err := <-linked: // a permanent fault of the broker's configuration
		linked <- err
	}
	stop() // after a fault, too, the time to drain begins now
	go func() {
		lines.Wait()
		<-told
		c.slots.finish(accounting, loops, c.durableValues, time.Now())
		close(readings)
		c.cards.close()
		c.events.close()
	}()
	err := errors.Join(<-sealed, unsealed(readings), beside())
	keeping.Wait()
	c.moments.finish()
	c.memory.save(sealing, loops, c.durableValues)
	c.waitEmpty(drain)
	stopLink()
	return errors.Join(err, <-linked)
}

// runBeside runs the stages of the streams beside the readings until their desks are
// closed, or ctx is done. A stage that fails calls stop. wait returns what they
// returned.
func (c *Collector) runBeside(ctx context.Context, stop func()) (wait func() error) {
	var work sync.WaitGroup
	var carded, evented error
	ended := func(err error) error {
		if err != nil {
			stop()
		}
		return err
	}
	work.Go(func() { carded = ended(c.cards.stage.run(ctx)) })
	work.Go(func() { evented = ended(c.events.desk.stage.run(ctx)) })
	work.Go(func() { c.events.run(ctx) })
	return func() error {
		work.Wait()
		return errors.Join(carded, c.events.finish(evented))
	}
}

// lineLoops makes the loops of the lines, with what is remembered of their
// meters.
func (c *Collector) lineLoops(out chan<- []schemas.Reading) (loops []*lineLoop) {
	for _, l := range c.o.Lines {
		loop := newLineLoop(l, c.started, out, c.metrics, c.board, c.o.Log)
		loop.events, loop.moments = c.events, c.moments
		loop.cards, loop.terminal = c.cards, schemas.TerminalText(string(c.id)+"/"+l.Name)
		c.memory.recall(loop)
		for _, m := range loop.meters {
			m.slots = c.slots.books[m.ID]
		}
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
	left := func() (n int) {
		for _, o := range c.pub.outboxes() {
			n += o.spool.Stats().Records
		}
		return n
	}
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
	kind := readingsKind(c.id, c.area)
	kind.accounts = c.slots.out
	return &sealStage[schemas.Reading]{
		kind: kind, limits: c.o.Batch, in: in,
		session: func() (sealer, error) { return c.newSealer(seal.Readings) },
		spool:   c.spool, metrics: &c.metrics.flow, log: c.o.Log,
	}
}

func (c *Collector) linkConfig() mqttlink.Config {
	cfg := c.o.Broker
	cfg.TLS = c.certificates.watch(cfg.URL, cfg.TLS)
	cfg.ClientID = string(c.id)
	cfg.User = c.o.Bundle.BrokerUser
	cfg.Password = c.o.Bundle.BrokerPassword
	cfg.CleanSession = true
	cfg.Will = &mqttlink.Will{Topic: c.pub.topic(schemas.Online), Payload: []byte("0"), Retained: true}
	cfg.Subscriptions = []string{c.pub.topic(schemas.Receipts), c.pub.topic(schemas.Commands)}
	cfg.Log = c.o.Log
	return cfg
}

// Close closes the spools and frees the data folder. Call it after Run.
func (c *Collector) Close() error {
	var errs []error
	for _, l := range c.o.Lines {
		if l.Close != nil {
			errs = append(errs, l.Close())
		}
	}
	for _, o := range c.pub.outboxes() {
		errs = append(errs, o.spool.Close())
	}
	return errors.Join(append(errs, c.unlock())...)
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
