package ingest

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// This file holds the workshop of the tests: a broker, a field that seals, a
// store that does as it is told, and hubs that come and go on one folder.

func TestMain(m *testing.M) { brokertest.Main(m) }

const (
	testTenant   = "test"
	testArea     = schemas.AreaCode("310115")
	testPassword = "a password of many letters"
	// secretMeter must not be found in any file of the hub.
	secretMeter = schemas.MeterID("W-household-7")
)

// enrolledGeneration is in force for c1, c2 and c3. c8 had it, and was revoked.
var enrolledGeneration = seal.Generation(1, 2)

func enrolledForTest(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) {
	switch id {
	case "c1", "c2", "c3":
		return testArea, enrolledGeneration, true
	case "c8":
		return testArea, enrolledGeneration, false
	}
	return "", 0, false
}

// patience bounds every wait, so that a fault is a failure and not a hang.
const patience = 10 * time.Second

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing for %s", what, patience)
		panic("unreachable")
	}
}

// submission is a call of the store that waits for the test's answer.
type submission struct {
	readings []schemas.Reading
	done     func(error)
}

// fakeStore answers every submission at once, or hands it to the test.
type fakeStore struct {
	hold atomic.Bool
	held chan submission
	// answer is what a submission gets at once.
	answer func([]schemas.Reading) error
	calls  atomic.Int64
}

func newFakeStore() *fakeStore {
	return &fakeStore{held: make(chan submission, 100), answer: func([]schemas.Reading) error { return nil }}
}

func (s *fakeStore) Submit(ctx context.Context, readings []schemas.Reading, done func(error)) error {
	s.calls.Add(1)
	if !s.hold.Load() {
		done(s.answer(readings))
		return ctx.Err()
	}
	select {
	case s.held <- submission{readings, done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fakeLedger answers every call as answer says, and notes what it was given.
type fakeLedger struct {
	answer func(entries []schemas.CardEntry) error
	given  chan []schemas.CardEntry
	calls  atomic.Int64
}

func newFakeLedger() *fakeLedger {
	return &fakeLedger{given: make(chan []schemas.CardEntry, 10_000), answer: func([]schemas.CardEntry) error { return nil }}
}

func (l *fakeLedger) StoreCards(_ context.Context, _ schemas.CollectorID, entries []schemas.CardEntry) error {
	l.calls.Add(1)
	l.given <- entries
	return l.answer(entries)
}

// fakeEvents does the same with component events.
type fakeEvents struct {
	answer func(events []schemas.ComponentEvent) error
	given  chan []schemas.ComponentEvent
	calls  atomic.Int64
}

func newFakeEvents() *fakeEvents {
	return &fakeEvents{given: make(chan []schemas.ComponentEvent, 10_000), answer: func([]schemas.ComponentEvent) error { return nil }}
}

func (l *fakeEvents) StoreEvents(_ context.Context, _ schemas.CollectorID, events []schemas.ComponentEvent) error {
	l.calls.Add(1)
	l.given <- events
	return l.answer(events)
}

// fakeObserver passes on what it is told. A gate, when set, holds Stored up.
type fakeObserver struct {
	stored   chan []schemas.Reading
	statuses chan schemas.Status
	online   chan bool
	gate     chan struct{}
}

func newFakeObserver() *fakeObserver {
	return &fakeObserver{stored: make(chan []schemas.Reading, 1000), statuses: make(chan schemas.Status, 100), online: make(chan bool, 100)}
}

func (o *fakeObserver) Stored(r []schemas.Reading, _ time.Time) {
	o.stored <- r
	if o.gate != nil {
		<-o.gate
	}
}
func (o *fakeObserver) CollectorStatus(s schemas.Status)                            { o.statuses <- s }
func (o *fakeObserver) CollectorOnline(_ schemas.CollectorID, on bool, _ time.Time) { o.online <- on }

// errorLog passes on the errors that are logged.
type errorLog struct {
	slog.Handler
	errors chan string
}

func (l errorLog) Enabled(context.Context, slog.Level) bool { return true }
func (l errorLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		select {
		case l.errors <- text:
		default:
		}
	}
	return nil
}

// badProvider is the fast provider until it is told to fail or to lie.
type badProvider struct {
	seal.Provider
	refuse, lie atomic.Bool
}

func (p *badProvider) NewAEAD(key []byte) (cipher.AEAD, error) {
	if p.refuse.Load() {
		return nil, os.ErrDeadlineExceeded
	}
	a, err := p.Provider.NewAEAD(key)
	return lyingAEAD{a, p}, err
}

type lyingAEAD struct {
	cipher.AEAD
	p *badProvider
}

func (a lyingAEAD) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	out, err := a.AEAD.Open(dst, nonce, sealed, aad)
	if err == nil && a.p.lie.Load() {
		out[len(out)-1] ^= 1
	}
	return out, err
}

// town is what outlives a hub: the broker, the keys, the hub's folder, and the
// field, one client that speaks for all collectors and may publish anything.
type town struct {
	t        *testing.T
	master   *seal.Master
	broker   *brokertest.Broker
	dir      string
	provider *badProvider
	field    *mqttlink.Conn
	receipts chan schemas.Receipt
	// renewed is true once all collectors were given the next key.
	renewed atomic.Bool
}

func (w *town) enrolled(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) {
	area, generation, ok := enrolledForTest(id)
	if w.renewed.Load() {
		generation++
	}
	return area, generation, ok
}

// newTown uses a Mosquitto, which sends what was not acknowledged again with
// every new connection; the embedded broker waits half a minute first.
func newTown(t *testing.T) *town {
	t.Helper()
	return newTownOn(t, brokertest.Mosquitto)
}

func newTownOn(t *testing.T, start func(testing.TB, *brokerconfig.Access) *brokertest.Broker) *town {
	t.Helper()
	hash, err := brokerconfig.HashPassword(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	access := &brokerconfig.Access{Users: []brokerconfig.User{
		brokerconfig.HubUser("hub", nil, hash),
		{Name: "field", PasswordHash: hash, Publish: []string{"citygrid/v1/+/+/+"}, Subscribe: []string{"citygrid/v1/+/+/receipt"}},
	}}
	w := &town{
		t: t, master: newTestMaster(t), broker: start(t, access), dir: t.TempDir(),
		provider: &badProvider{Provider: seal.DefaultProvider()}, receipts: make(chan schemas.Receipt, 1000),
	}
	conns := make(chan *mqttlink.Conn, 1)
	opener, err := seal.NewOpener(seal.OpenerConfig{Provider: seal.DefaultProvider(), Tenant: testTenant, Role: seal.Down, Keys: w.key})
	if err != nil {
		t.Fatal(err)
	}
	runLink(t, w.link("field", "citygrid/v1/+/+/receipt"), func(ctx context.Context, c *mqttlink.Conn) error {
		conns <- c
		for {
			select {
			case m, ok := <-c.Messages():
				if !ok {
					return mqttlink.ErrLost
				}
				w.takeReceipt(opener, m)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	w.field = receive(t, "the field's link", conns)
	return w
}

func newTestMaster(t testing.TB) *seal.Master {
	t.Helper()
	m, err := seal.NewMaster(testTenant, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *town) key(generation uint16, collector string) (seal.CollectorKey, error) {
	return w.master.CollectorKey(seal.DefaultProvider(), generation, collector)
}

func (w *town) link(user string, filters ...string) mqttlink.Config {
	return mqttlink.Config{
		URL: w.broker.URL, ClientID: user, User: user, Password: secret.New(testPassword), Subscriptions: filters,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	}
}

// runLink runs a link until stop, or the end of the test.
func runLink(t *testing.T, cfg mqttlink.Config, session func(context.Context, *mqttlink.Conn) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := mqttlink.Run(ctx, cfg, session); err != nil {
			t.Errorf("link: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// takeReceipt opens a receipt as its collector does.
func (w *town) takeReceipt(opener *seal.Opener, m mqttlink.Message) {
	defer m.Ack()
	h, plain, err := opener.Open(nil, m.Payload)
	if err != nil {
		w.t.Errorf("receipt on %s: %v", m.Topic, err)
		return
	}
	r, err := schemas.DecodeReceipt(plain)
	if err != nil {
		w.t.Errorf("receipt on %s: %v", m.Topic, err)
		return
	}
	want := schemas.Topic{Area: testArea, Collector: schemas.CollectorID(h.Collector), Stream: schemas.Receipts}
	if m.Topic != want.String() || r.Collector != want.Collector || h.ContentType != seal.Receipt {
		w.t.Errorf("receipt for %s sealed for %s as %s on %s", r.Collector, h.Collector, h.ContentType, m.Topic)
	}
	w.receipts <- *r
}

// publish sends a message and waits until the broker has it.
func (w *town) publish(topic string, payload []byte) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.field.Publish(ctx, topic, payload, false).Wait(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func readingsTopic(id schemas.CollectorID) string {
	return schemas.Topic{Area: testArea, Collector: id, Stream: schemas.Readings}.String()
}

// sender seals as a collector does.
type sender struct {
	t testing.TB
	*seal.Sealer
	id schemas.CollectorID
}

// sender opens a session. Options change the usual configuration.
func (w *town) sender(id schemas.CollectorID, options ...func(*seal.SealerConfig)) *sender {
	w.t.Helper()
	return newSender(w.t, w.master, id, options...)
}

func newSender(t testing.TB, master *seal.Master, id schemas.CollectorID, options ...func(*seal.SealerConfig)) *sender {
	t.Helper()
	session, err := seal.NewContext(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := seal.SealerConfig{
		Provider: seal.DefaultProvider(), Tenant: testTenant, Collector: string(id), Generation: enrolledGeneration,
		Role: seal.Up, ContentType: seal.Readings, Context: session,
	}
	for _, o := range options {
		o(&cfg)
	}
	if cfg.Key, err = master.CollectorKey(cfg.Provider, cfg.Generation, string(id)); err != nil {
		t.Fatal(err)
	}
	s, err := seal.NewSealer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t, s, id}
}

func inContext(c seal.Context) func(*seal.SealerConfig) {
	return func(cfg *seal.SealerConfig) { cfg.Context = c }
}

func bootNumber(n uint32) func(*seal.SealerConfig) {
	return func(cfg *seal.SealerConfig) { cfg.Context.Boot = n }
}

// seal returns an envelope of any content.
func (s *sender) seal(plain []byte) []byte {
	s.t.Helper()
	envelope, _, err := s.Seal(nil, plain)
	if err != nil {
		s.t.Fatal(err)
	}
	return envelope
}

// batch returns an envelope with n readings that begin at value.
func (s *sender) batch(n int, value int64) []byte {
	s.t.Helper()
	return s.seal(encodeBatch(s.t, s.id, testArea, n, value))
}

var testMoment = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func encodeBatch(t testing.TB, id schemas.CollectorID, area schemas.AreaCode, n int, value int64) []byte {
	t.Helper()
	b := schemas.Batch{Collector: id, Area: area, SealedAt: testMoment.Add(time.Minute)}
	for i := range n {
		b.Readings = append(b.Readings, schemas.Reading{
			Meter: secretMeter, Quantity: "power.voltage.l1", Unit: "V", Value: schemas.Decimal{Mantissa: value + int64(i), Exponent: -1},
			TakenAt: testMoment.Add(time.Duration(i) * time.Second),
		})
	}
	plain, err := schemas.EncodeBatch(nil, &b)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// hub is one life of a receiver.
type hub struct {
	*Receiver
	w        *town
	store    *fakeStore
	observer *fakeObserver
	ledger   *fakeLedger
	events   *fakeEvents
	errors   chan string
	// downs tells why the link was lost.
	downs chan error
	// unlink and stop end the session, and everything.
	unlink, stop func()
}

// hub starts a receiver on the town's folder.
func (w *town) hub(prepare ...func(*hub)) *hub {
	w.t.Helper()
	h := &hub{w: w, store: newFakeStore(), observer: newFakeObserver(), errors: make(chan string, 100), downs: make(chan error, 1000)}
	h.ledger, h.events = newFakeLedger(), newFakeEvents()
	var err error
	h.Receiver, err = New(Options{
		Tenant: testTenant, Provider: w.provider, Master: w.master, Enrolled: w.enrolled,
		Store: h.store, Cards: h.ledger, Events: h.events, Observer: h.observer, Dir: w.dir, Registry: prometheus.NewRegistry(),
		Log: slog.New(errorLog{slog.DiscardHandler, h.errors}), Random: rand.Reader, CrossCheckEvery: 1,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range prepare {
		p(h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	cfg := w.link("hub", Subscriptions(nil)...)
	subscribed := make(chan struct{})
	up := sync.OnceFunc(func() { close(subscribed) })
	cfg.OnState = func(s mqttlink.State) {
		switch s.Phase {
		case mqttlink.Up:
			up()
		case mqttlink.Down:
			h.downs <- s.Err
		}
	}
	h.unlink = runLink(w.t, cfg, h.Session)
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err == nil || !strings.Contains(err.Error(), "canceled") {
			w.t.Errorf("Run: %v", err)
		}
		h.unlink()
	})
	w.t.Cleanup(h.stop)
	receive(w.t, "the hub's link", subscribed)
	return h
}

// sentinel sends a good batch and waits for its receipt: all
// that was published before has been dealt with then.
func (w *town) sentinel(s *sender) {
	w.t.Helper()
	w.publish(readingsTopic(s.id), s.batch(1, 1))
	if r := receive(w.t, "receipt of the sentinel", w.receipts); r.Collector != s.id {
		w.t.Errorf("a receipt for %s %v, want none but the sentinel's", r.Collector, r.Stored)
	}
}

// file returns what a file of the hub holds, nothing where there is none.
func (w *town) file(name ...string) string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{w.dir}, name...)...))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(data)
}

// letters returns the lines of one of the hub's files of letters.
func (w *town) letters(name string) []string {
	w.t.Helper()
	if data := w.file(name); data != "" {
		return strings.Split(strings.TrimSuffix(data, "\n"), "\n")
	}
	return nil
}

func wantReceipt(t *testing.T, w *town, s *sender, spans ...schemas.SeqRange) {
	t.Helper()
	r := receive(t, "receipt", w.receipts)
	if r.Collector != s.id || r.Boot != s.Context().Boot || r.Random != s.Context().Random {
		t.Errorf("receipt for %s %d:%x, want %s %s", r.Collector, r.Boot, r.Random, s.id, s.Context())
	}
	if len(r.Stored) != len(spans) {
		t.Fatalf("receipt names %v, want %v", r.Stored, spans)
	}
	for i := range spans {
		if r.Stored[i] != spans[i] {
			t.Errorf("receipt names %v, want %v", r.Stored, spans)
		}
	}
}
