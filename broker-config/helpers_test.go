package brokerconfig_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func password(user string) string { return "password-of-" + user + "-0123456789" }

func mustHash(t testing.TB, user string) string {
	t.Helper()
	h, err := brokerconfig.HashPassword(password(user))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// testAccess has a hub for two of three areas, a collector in each, and an
// auditor who may do everything, a watcher who may read everything and write
// nothing, and a writer who may write everything and read nothing.
func testAccess(t testing.TB) *brokerconfig.Access {
	t.Helper()
	return &brokerconfig.Access{Users: []brokerconfig.User{
		brokerconfig.HubUser("hub-1", []schemas.AreaCode{"310115", "310104"}, mustHash(t, "hub-1")),
		brokerconfig.CollectorUser("310115", "c-1", mustHash(t, "c-1")),
		brokerconfig.CollectorUser("310104", "c-2", mustHash(t, "c-2")),
		brokerconfig.CollectorUser("310101", "c-3", mustHash(t, "c-3")),
		{Name: "auditor", PasswordHash: mustHash(t, "auditor"), Publish: []string{"citygrid/#"}, Subscribe: []string{"citygrid/#"}},
		{Name: "watcher", PasswordHash: mustHash(t, "watcher"), Subscribe: []string{"citygrid/#"}},
		{Name: "writer", PasswordHash: mustHash(t, "writer"), Publish: []string{"citygrid/#"}},
	}}
}

// client is a connected user.
type client struct {
	*mqttlink.Conn
	ctx  context.Context // done when the link is lost
	stop func()          // ends the link in order
}

func config(url, user string, filters ...string) mqttlink.Config {
	return mqttlink.Config{
		URL: url, ClientID: user, User: user, Password: secret.New(password(user)),
		CleanSession: true, Subscriptions: filters,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 100 * time.Millisecond},
	}
}

// dial returns a connected client, or why the first attempt failed.
func dial(t testing.TB, cfg mqttlink.Config) (*client, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	stop := func() { cancel(); wait.Wait() }
	t.Cleanup(stop)
	up, down := make(chan *client, 1), make(chan error, 1)
	cfg.OnState = func(s mqttlink.State) {
		if s.Phase == mqttlink.Down {
			select {
			case down <- s.Err:
			default:
			}
			cancel()
		}
	}
	wait.Go(func() {
		err := mqttlink.Run(ctx, cfg, func(ctx context.Context, c *mqttlink.Conn) error {
			up <- &client{Conn: c, ctx: ctx, stop: stop}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if err != nil {
			down <- err
		}
	})
	select {
	case c := <-up:
		return c, nil
	case err := <-down:
		return nil, err
	}
}

func mustDial(t testing.TB, cfg mqttlink.Config) *client {
	t.Helper()
	c, err := dial(t, cfg)
	if err != nil {
		t.Fatalf("connect %s: %v", cfg.User, err)
	}
	return c
}

func (c *client) publish(t testing.TB, topic, payload string) {
	t.Helper()
	if err := c.Publish(c.ctx, topic, []byte(payload), false).Wait(c.ctx); err != nil {
		t.Fatal(err)
	}
}

// collect acknowledges and returns "topic payload" of what arrives, up to and
// with the first payload last.
func (c *client) collect(t testing.TB, last string) []string {
	t.Helper()
	var got []string
	for m := range c.Messages() {
		m.Ack()
		got = append(got, m.Topic+" "+string(m.Payload))
		if string(m.Payload) == last {
			return got
		}
	}
	t.Fatalf("link lost (%v) before %q; got %s", context.Cause(c.ctx), last, strings.Join(got, ", "))
	return nil
}

// onBothBrokers runs a test over the embedded broker and over Mosquitto.
func onBothBrokers(t *testing.T, test func(t *testing.T, kind, url string)) {
	brokers := map[string]func(testing.TB, *brokerconfig.Access) *brokertest.Broker{
		"nats": brokertest.NATS, "mosquitto": brokertest.Mosquitto,
	}
	for kind, start := range brokers {
		t.Run(kind, func(t *testing.T) { test(t, kind, start(t, testAccess(t)).URL) })
	}
}

func topicOf(area schemas.AreaCode, c schemas.CollectorID, s schemas.Stream) string {
	return schemas.Topic{Area: area, Collector: c, Stream: s}.String()
}

func numbered(i int) string { return fmt.Sprintf("%06d", i) }
