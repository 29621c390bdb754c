package collector

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/collector/spool"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// patience bounds what a test waits for; nothing waits for it to pass.
const patience = 30 * time.Second

// eventually waits until a condition of another goroutine holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// town is the embedded broker, a hub under the test's control, and a wire to
// the broker that can be cut.
type town struct {
	testKeys
	t      testing.TB
	broker string
	wire   *wire
	hub    *hub
}

// retained returns what a hub that comes late is told of the collector.
func (w *town) retained(s schemas.Stream) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	payload := ""
	err := mqttlink.Run(ctx, mqttlink.Config{
		URL: w.broker, ClientID: "late", User: "late", Password: secret.New(hubPassword), CleanSession: true,
		Subscriptions: []string{schemas.Topic{Stream: s}.String()},
	}, func(ctx context.Context, conn *mqttlink.Conn) error {
		defer cancel()
		select {
		case m := <-conn.Messages():
			if m.Retained {
				payload = string(m.Payload)
			}
			m.Ack()
		case <-ctx.Done():
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return payload
}

func newTown(t testing.TB) *town {
	t.Helper()
	keys := newKeys(t)
	hash := func(password string) string {
		h, err := brokerconfig.HashPassword(password)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	broker := brokertest.NATS(t, &brokerconfig.Access{Users: []brokerconfig.User{
		brokerconfig.CollectorUser(testArea, testID, hash(string(keys.bundle.BrokerPassword.Reveal()))),
		brokerconfig.HubUser("hub", nil, hash(hubPassword)),
		brokerconfig.HubUser("late", nil, hash(hubPassword)),
	}})
	return &town{testKeys: keys, t: t, broker: broker.URL, wire: newWire(t, broker.URL[len("tcp://"):]), hub: startHub(t, keys, broker.URL)}
}

// options are those of a collector of the town without any line.
func (w *town) options() Options {
	return Options{
		Bundle: &w.bundle, Provider: seal.DefaultProvider(), DataDir: w.t.TempDir(),
		Batch: BatchLimits{MaxReadings: 10, MaxAge: 5 * time.Millisecond},
		Spool: spool.Options{CommitEvery: time.Millisecond}, CardSpool: spool.Options{CommitEvery: time.Millisecond},
		EventSpool: spool.Options{CommitEvery: time.Millisecond},
		Broker:     mqttlink.Config{URL: "tcp://" + w.wire.address(), Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
		Registry:   prometheus.NewRegistry(), Log: silent, Version: "test", Random: rand.Reader,
		Drain: 0, // a stop waits for no receipt
	}
}

// mustOpen opens a collector that does not lose patience with a silent hub: a
// slow machine must not make it publish again. Tests of that set resendAfter.
func mustOpen(t testing.TB, o Options) *Collector {
	t.Helper()
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range []*outbox{c.pub.readings, c.pub.cards, c.pub.events} {
		if box != nil {
			box.resendAfter = time.Hour
		}
	}
	return c
}

// start runs c until stop is called, which returns what Run returned.
func start(t testing.TB, c *Collector) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(2 * patience):
			t.Error("Run does not end")
			return nil
		}
	})
	t.Cleanup(func() {
		_ = stop()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

// put seals n envelopes in one session, puts them into c's spool, and returns
// them.
func put(t testing.TB, c *Collector, n int) (session seal.Context, envelopes []string) {
	t.Helper()
	s, err := c.newSealer(seal.Readings)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		now := time.Now().UTC().Truncate(time.Millisecond)
		plain, err := schemas.EncodeBatch(nil, &schemas.Batch{
			Collector: c.id, Area: c.area, SealedAt: now, Readings: []schemas.Reading{energy("m", int64(i), now)},
		})
		if err != nil {
			t.Fatal(err)
		}
		envelope, _, err := s.Seal(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.spool.Append(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
		envelopes = append(envelopes, string(envelope))
	}
	return s.Context(), envelopes
}

const hubPassword = "a password of the hub, rather long"

// hub receives what collectors send and answers as the test wants.
type hub struct {
	t      testing.TB
	opener *seal.Opener
	down   *seal.Sealer // for the town's collector
	conns  chan *mqttlink.Conn
	seen   map[schemas.Stream]chan string // payloads

	mu       sync.Mutex
	answers  bool // a receipt for each envelope
	readings map[envelopeKey][]schemas.Reading
	cards    map[envelopeKey][]schemas.CardEntry
	events   map[envelopeKey][]schemas.ComponentEvent
	// mute are the streams whose envelopes get no receipt, whatever answers says.
	mute map[schemas.Stream]bool
}

func startHub(t testing.TB, keys testKeys, url string) *hub {
	t.Helper()
	h := &hub{
		t: t, opener: keys.opener(t), down: keys.sealer(t, seal.Down, seal.Receipt, 1),
		conns: make(chan *mqttlink.Conn, 1), seen: make(map[schemas.Stream]chan string),
		readings: make(map[envelopeKey][]schemas.Reading), cards: make(map[envelopeKey][]schemas.CardEntry),
		events: make(map[envelopeKey][]schemas.ComponentEvent), mute: make(map[schemas.Stream]bool),
	}
	cfg := mqttlink.Config{URL: url, ClientID: "hub", User: "hub", Password: secret.New(hubPassword), CleanSession: true,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}}
	for _, s := range []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events, schemas.Statuses, schemas.Online} {
		h.seen[s] = make(chan string, 10_000)
		cfg.Subscriptions = append(cfg.Subscriptions, schemas.Topic{Stream: s}.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = mqttlink.Run(ctx, cfg, h.session) }()
	t.Cleanup(func() { cancel(); <-ended })
	conn := <-h.conns // it is subscribed
	h.conns <- conn
	return h
}

func (h *hub) session(ctx context.Context, conn *mqttlink.Conn) error {
	h.conns <- conn
	defer func() { <-h.conns }()
	for {
		select {
		case m, ok := <-conn.Messages():
			if !ok {
				return mqttlink.ErrLost
			}
			topic, err := schemas.ParseTopic(m.Topic)
			if err != nil {
				return err
			}
			h.seen[topic.Stream] <- string(m.Payload)
			if topic.Stream != schemas.Statuses && topic.Stream != schemas.Online {
				h.store(ctx, conn, topic.Stream, m.Payload)
			}
			m.Ack()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// store keeps the batch and, when the hub answers, sends its receipt.
func (h *hub) store(ctx context.Context, conn *mqttlink.Conn, stream schemas.Stream, envelope []byte) {
	header, plain, err := h.opener.Open(nil, envelope)
	if err != nil {
		h.t.Errorf("the hub cannot open an envelope: %v", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := envelopeKey{header.Context, header.Seq}
	if header.ContentType.Stream() != stream {
		h.t.Errorf("%s on the topic of %s", header.ContentType, stream)
	}
	switch stream {
	case schemas.Cards:
		batch, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			h.t.Error(err)
			return
		}
		h.cards[key] = batch.Entries
	case schemas.Events:
		batch, err := schemas.DecodeEventBatch(plain)
		if err != nil {
			h.t.Error(err)
			return
		}
		h.events[key] = batch.Events
	default:
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			h.t.Error(err)
			return
		}
		h.readings[key] = batch.Readings
	}
	if h.answers && !h.mute[stream] {
		r := receiptFor(testID, header.Context, schemas.SeqRange{From: header.Seq, To: header.Seq})
		conn.Publish(ctx, receiptTopic, sealReceipt(h.t, h.down, r), false)
	}
}

func (h *hub) answer(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = yes
}

// stored returns how many readings the hub has, each envelope counted once.
func (h *hub) stored() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, readings := range h.readings {
		n += len(readings)
	}
	return n
}

// cardNumbers returns the purchase numbers of the card entries that the hub has,
// each envelope counted once, in no order.
func (h *hub) cardNumbers() (numbers []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, entries := range h.cards {
		for _, e := range entries {
			numbers = append(numbers, int(e.Purchase.Number))
		}
	}
	return numbers
}

// silence has the hub send no receipts for a stream, or send them again.
func (h *hub) silence(s schemas.Stream, yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute[s] = yes
}

// eventNames returns "id phase" of the events that the hub has, each envelope counted
// once, sorted.
func (h *hub) eventNames() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, events := range h.events {
		for _, e := range events {
			names = append(names, nameOf(e))
		}
	}
	slices.Sort(names)
	return names
}

// firstEvent returns the event of a hub that has one.
func (h *hub) firstEvent() schemas.ComponentEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, events := range h.events {
		return events[0]
	}
	h.t.Fatal("the hub has no event")
	panic("unreachable")
}

// next returns the next payload of a stream.
func (h *hub) next(s schemas.Stream) string {
	h.t.Helper()
	select {
	case payload := <-h.seen[s]:
		return payload
	case <-time.After(patience):
		h.t.Fatalf("no message on %s", s)
		return ""
	}
}

var receiptTopic = schemas.Topic{Area: testArea, Collector: testID, Stream: schemas.Receipts}.String()

// send publishes on the collector's receipt topic.
func (h *hub) send(payload []byte) {
	h.t.Helper()
	conn := <-h.conns
	h.conns <- conn
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.Publish(ctx, receiptTopic, payload, false).Wait(ctx); err != nil {
		h.t.Fatal(err)
	}
}

func receiptFor(id schemas.CollectorID, session seal.Context, stored ...schemas.SeqRange) *schemas.Receipt {
	return &schemas.Receipt{Collector: id, Boot: session.Boot, Random: session.Random, Stored: stored}
}

func sealReceipt(t testing.TB, s *seal.Sealer, r *schemas.Receipt) []byte {
	t.Helper()
	plain, err := schemas.EncodeReceipt(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	envelope, _, err := s.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// wire forwards connections to the broker.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	work  sync.WaitGroup
}

func newWire(t testing.TB, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, target: target}
	w.work.Go(w.accept)
	t.Cleanup(func() { _ = l.Close(); w.cut(true); w.work.Wait() })
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.forward(near)
	}
}

func (w *wire) forward(near net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	far, err := net.Dial("tcp", w.target)
	if err != nil || w.down {
		if err == nil {
			_ = far.Close()
		}
		_ = near.Close()
		return
	}
	w.conns = append(w.conns, near, far)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		w.work.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
}

// cut breaks every connection; with down true new ones are refused, too.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}
