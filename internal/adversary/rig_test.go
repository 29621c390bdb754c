package adversary

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/hub/enrolment"
	"citygrid/hub/ingest"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

const (
	tenant   = "test"
	area     = schemas.AreaCode("310115")
	password = "a password of many letters"
	// patience bounds every wait, so that a fault is a failure and not a hang.
	patience = 5 * time.Minute
)

// The generations of the keys of c1. The others have the active one alone.
const (
	active       = 0x0302
	expired      = 0x0301 // decrypt_only, and its time is over
	destroyed    = 0x0300
	onItsWay     = 0x0201 // decrypt_only
	unnamed      = 0x0200
	masterGone   = 0x0100 // of a master key that is destroyed
	future       = 0x0303
	futureMaster = 0x0400
)

// store keeps readings as the hub gives them.
type store struct{ points atomic.Int64 }

func (s *store) Submit(ctx context.Context, readings []schemas.Reading, done func(error)) error {
	s.points.Add(int64(len(readings)))
	done(nil)
	return ctx.Err()
}

// watcher counts what the hub tells its pages.
type watcher struct{ statuses, online atomic.Int64 }

func (*watcher) Stored([]schemas.Reading, time.Time)                          {}
func (w *watcher) CollectorStatus(schemas.Status)                             { w.statuses.Add(1) }
func (w *watcher) CollectorOnline(_ schemas.CollectorID, _ bool, _ time.Time) { w.online.Add(1) }

// city is a broker with the true access rules, an enrolment list with keys in every
// state, the hub's folder, and an attacker who has taken the broker over: nothing that
// it publishes is refused there.
type city struct {
	t       testing.TB
	masters map[uint8]*seal.Master
	list    *enrolment.List
	broker  *brokertest.Broker
	dir     string
	evil    *mqttlink.Conn
	// receipts are all that the hub sends.
	receipts chan mqttlink.Message
	quiet    *sender
	boots    uint32
}

var members = []schemas.CollectorID{"c1", "c2", "c3", "c4", "c8", "c9"}

func newCity(t testing.TB) *city {
	t.Helper()
	c := &city{t: t, masters: make(map[uint8]*seal.Master), list: enrolled(), dir: t.TempDir(), receipts: make(chan mqttlink.Message, 200_000)}
	for g := uint8(1); g <= 4; g++ {
		m, err := seal.NewMaster(tenant, g, rand.Reader)
		noError(t, err)
		c.masters[g] = m
	}
	hash, err := brokerconfig.HashPassword(password)
	noError(t, err)
	access := &brokerconfig.Access{Users: []brokerconfig.User{
		brokerconfig.HubUser("hub", nil, hash),
		{Name: "evil", PasswordHash: hash, Publish: []string{"citygrid/v1/+/+/+"}, Subscribe: []string{"citygrid/v1/+/+/receipt"}},
		{Name: "evil2", PasswordHash: hash, Publish: []string{"#"}},
	}}
	for _, id := range members {
		access.Users = append(access.Users, brokerconfig.CollectorUser(area, id, hash))
	}
	c.broker = brokertest.NATSProcess(t, access) // so that the memory of this process is the hub's and the clients'
	c.evil = c.join("evil", "citygrid/v1/+/+/receipt")
	c.quiet = c.sender("c9")
	return c
}

// enrolled is the list: c1 has keys in all states, c8 is revoked.
func enrolled() *enrolment.List {
	l := &enrolment.List{Masters: []enrolment.MasterKey{{Generation: 1, State: enrolment.Destroyed}, {Generation: 2, State: enrolment.DecryptOnly}, {Generation: 3, State: enrolment.Active}}}
	for _, id := range members {
		l.Put(enrolment.Collector{ID: id, Area: area, Generation: active, Revoked: id == "c8"})
	}
	l.Put(enrolment.Collector{ID: "c1", Area: area, Generation: active, Old: []enrolment.OldKey{
		{Generation: expired, State: enrolment.DecryptOnly, Until: time.Now().Add(-time.Minute)},
		{Generation: destroyed, State: enrolment.Destroyed},
		{Generation: onItsWay, State: enrolment.DecryptOnly},
	}})
	return l
}

func (c *city) key(generation uint16, id string) (seal.CollectorKey, error) {
	return c.masters[uint8(generation>>8)].CollectorKey(seal.DefaultProvider(), generation, id)
}

// link is the way of a user to the broker.
func (c *city) link(user string, filters ...string) mqttlink.Config {
	return mqttlink.Config{
		URL: c.broker.URL, ClientID: user, User: user, Password: secret.New(password), Subscriptions: filters,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}, PubackTimeout: time.Minute,
	}
}

// join connects a user for as long as the test lasts; what comes is taken and, where
// it is a receipt, kept.
func (c *city) join(user string, filters ...string) *mqttlink.Conn {
	c.t.Helper()
	conns := make(chan *mqttlink.Conn, 1)
	run(c.t, c.link(user, filters...), func(ctx context.Context, conn *mqttlink.Conn) error {
		select {
		case conns <- conn:
		default:
		}
		for {
			select {
			case m, ok := <-conn.Messages():
				if !ok {
					return mqttlink.ErrLost
				}
				m.Ack()
				if strings.HasSuffix(m.Topic, "/receipt") {
					c.receipts <- m
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return receive(c.t, "the link of "+user, conns)
}

// run runs a link until stop, or the end of the test.
func run(t testing.TB, cfg mqttlink.Config, session func(context.Context, *mqttlink.Conn) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := mqttlink.Run(ctx, cfg, session); err != nil {
			t.Errorf("link of %s: %v", cfg.User, err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// hub is one life of the receiving side.
type hub struct {
	*ingest.Receiver
	store   *store
	watcher *watcher
	stop    func()
}

// hub starts the hub on the city's folder. It has the master keys that are not
// destroyed.
func (c *city) hub() *hub {
	c.t.Helper()
	ring, err := seal.NewRing(c.masters[2], c.masters[3])
	noError(c.t, err)
	h := &hub{store: &store{}, watcher: &watcher{}}
	h.Receiver, err = ingest.New(ingest.Options{
		Tenant: tenant, Provider: seal.DefaultProvider(), Master: ring,
		Enrolled: func(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) {
			e, ok := c.list.Find(id)
			return e.Area, e.Generation, ok && !e.Revoked
		},
		Admit: func(id schemas.CollectorID, generation uint16) error { return c.list.Admit(id, generation, time.Now()) },
		Store: h.store, Observer: h.watcher, Dir: c.dir, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), Random: rand.Reader, CrossCheckEvery: 1000,
	})
	noError(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	cfg, up := c.link("hub", ingest.Subscriptions(nil)...), make(chan struct{}, 1000)
	cfg.OnState = func(s mqttlink.State) {
		if s.Phase == mqttlink.Up {
			up <- struct{}{}
		}
	}
	unlink := run(c.t, cfg, h.Session)
	h.stop = sync.OnceFunc(func() { unlink(); cancel(); <-ran })
	c.t.Cleanup(h.stop)
	receive(c.t, "the hub's link", up)
	return h
}

// frame is a message of the attacker.
type frame struct {
	topic   string
	payload []byte
}

// on puts all payloads on one topic.
func on(topic string, payloads ...[]byte) (frames []frame) {
	for _, p := range payloads {
		frames = append(frames, frame{topic, p})
	}
	return frames
}

func topic(id schemas.CollectorID, s schemas.Stream) string {
	return schemas.Topic{Area: area, Collector: id, Stream: s}.String()
}

func readings(id schemas.CollectorID) string { return topic(id, schemas.Readings) }

// mostUnderWay bounds the bytes that the broker has not acknowledged: one that is given
// hundreds of megabytes at once ends the connection on a slow disk.
const mostUnderWay = 4 << 20

// publish sends the frames and returns when the broker has them all.
func (c *city) publish(conn *mqttlink.Conn, frames []frame) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var tokens []*mqttlink.Token
	bytes := 0
	for i, f := range frames {
		tokens = append(tokens, conn.Publish(ctx, f.topic, f.payload, false))
		if bytes += len(f.payload); bytes < mostUnderWay && i+1 < len(frames) {
			continue
		}
		for _, t := range tokens {
			noError(c.t, t.Wait(ctx))
		}
		tokens, bytes = tokens[:0], 0
	}
}

// settle returns when the hub has dealt with all that was published before it began,
// n messages since before: an honest envelope that was sent after them has its receipt.
func (c *city) settle(h *hub, before ingest.Counters, n int) {
	c.t.Helper()
	eventually(c.t, "the hub has taken the messages off the broker", func() bool { return h.Counters().Received >= before.Received+uint64(n) })
	c.drain()
	c.publish(c.evil, on(readings("c9"), c.quiet.batch(1)))
	for {
		if m := receive(c.t, "receipt of an honest envelope", c.receipts); m.Topic == topic("c9", schemas.Receipts) {
			return
		}
	}
}

// drain forgets the receipts so far.
func (c *city) drain() {
	for len(c.receipts) > 0 {
		<-c.receipts
	}
}

// sender seals as a collector does, or almost.
type sender struct {
	t testing.TB
	*seal.Sealer
	id    schemas.CollectorID
	value int64
}

type option func(*seal.SealerConfig)

func generation(g uint16) option { return func(o *seal.SealerConfig) { o.Generation = g } }
func content(ct seal.ContentType) option {
	return func(o *seal.SealerConfig) { o.ContentType, o.Role = ct, ct.Role() }
}
func inContext(s seal.Context) option { return func(o *seal.SealerConfig) { o.Context = s } }
func boot(n uint32) option            { return func(o *seal.SealerConfig) { o.Context.Boot = n } }

// keyOf seals with the key of another collector.
func (c *city) keyOf(id string) option {
	return func(o *seal.SealerConfig) {
		key, err := c.key(o.Generation, id)
		noError(c.t, err)
		o.Key = key
	}
}

// sender opens a session with a boot number of its own.
func (c *city) sender(id schemas.CollectorID, options ...option) *sender {
	c.t.Helper()
	c.boots++
	session, err := seal.NewContext(c.boots, rand.Reader)
	noError(c.t, err)
	o := seal.SealerConfig{
		Provider: seal.DefaultProvider(), Tenant: tenant, Collector: string(id), Generation: active,
		Role: seal.Up, ContentType: seal.Readings, Context: session,
	}
	for _, change := range options {
		change(&o)
	}
	if o.Key.Len() == 0 {
		o.Key, err = c.key(o.Generation, string(id))
		noError(c.t, err)
	}
	s, err := seal.NewSealer(o)
	noError(c.t, err)
	return &sender{t: c.t, Sealer: s, id: id}
}

// seal returns an envelope of any content.
func (s *sender) seal(plain []byte) []byte {
	s.t.Helper()
	envelope, _, err := s.Seal(nil, plain)
	noError(s.t, err)
	return envelope
}

// batch returns an envelope with n readings that were in no other one.
func (s *sender) batch(n int) []byte {
	s.t.Helper()
	s.value += int64(n)
	return s.seal(encode(s.t, batchOf(s.id, area, n, s.value)))
}

// batches returns n envelopes of one reading.
func (s *sender) batches(n int) (all [][]byte) {
	for range n {
		all = append(all, s.batch(1))
	}
	return all
}

func moment() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

func batchOf(id schemas.CollectorID, a schemas.AreaCode, n int, value int64) *schemas.Batch {
	b := &schemas.Batch{Collector: id, Area: a, SealedAt: moment().Add(time.Minute)}
	for i := range n {
		b.Readings = append(b.Readings, schemas.Reading{
			Meter: "W-7", Quantity: "power.voltage.l1", Unit: "V", Value: schemas.Decimal{Mantissa: value + int64(i), Exponent: -1},
			TakenAt: moment().Add(time.Duration(i) * time.Second),
		})
	}
	return b
}

func encode(t testing.TB, b *schemas.Batch) []byte {
	t.Helper()
	plain, err := schemas.EncodeBatch(nil, b)
	noError(t, err)
	return plain
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-from:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing for %s", what, patience)
		panic("unreachable")
	}
}

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

func clone(b []byte) []byte { return slices.Clone(b) }
