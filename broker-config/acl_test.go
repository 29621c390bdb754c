package brokerconfig_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// Each row publishes a probe, and then the auditor a marker on the same topic.
// The reader gets both or the marker alone. NATS acknowledges the forbidden
// ones too; Mosquitto 2.0.11 does, and with max_queued_messages 0 ends the
// connection as well, so the publisher connects anew.
func TestWhoMayPublishWhat(t *testing.T) {
	rows := []struct {
		by, reader, topic string
		allowed           bool
	}{
		{"c-1", "hub-1", topicOf("310115", "c-1", schemas.Readings), true},
		{"c-1", "hub-1", topicOf("310115", "c-1", schemas.Cards), true},
		{"c-1", "hub-1", topicOf("310115", "c-1", schemas.Events), true},
		{"c-1", "hub-1", topicOf("310115", "c-1", schemas.Statuses), true},
		{"c-1", "hub-1", topicOf("310115", "c-1", schemas.Online), true},
		{"c-2", "hub-1", topicOf("310104", "c-2", schemas.Readings), true},
		{"c-1", "hub-1", topicOf("310104", "c-2", schemas.Readings), false},
		{"c-1", "hub-1", topicOf("310115", "c-9", schemas.Readings), false},
		{"c-1", "hub-1", topicOf("310104", "c-1", schemas.Readings), false},
		{"c-1", "hub-1", topicOf("310104", "c-2", schemas.Online), false},
		{"c-1", "watcher", topicOf("310115", "c-1", schemas.Receipts), false},
		{"c-1", "c-2", topicOf("310104", "c-2", schemas.Commands), false},
		{"hub-1", "c-1", topicOf("310115", "c-1", schemas.Receipts), true},
		{"hub-1", "c-2", topicOf("310104", "c-2", schemas.Commands), true},
		{"hub-1", "c-3", topicOf("310101", "c-3", schemas.Receipts), false},
		{"hub-1", "watcher", topicOf("310115", "c-1", schemas.Readings), false},
		{"watcher", "hub-1", topicOf("310115", "c-1", schemas.Readings), false}, // no list of topics to write
		{"watcher", "c-1", topicOf("310115", "c-1", schemas.Commands), false},
		{"writer", "hub-1", topicOf("310115", "c-1", schemas.Readings), true},
	}
	onBothBrokers(t, func(t *testing.T, _, url string) {
		users := map[string][]string{"auditor": nil}
		clients := map[string]*client{"auditor": mustDial(t, config(url, "auditor"))}
		for _, u := range testAccess(t).Users {
			if u.Name != "auditor" {
				users[u.Name] = u.Subscribe
				clients[u.Name] = mustDial(t, config(url, u.Name, u.Subscribe...))
			}
		}
		for i, row := range rows {
			probe, marker := fmt.Sprintf("probe %d", i), fmt.Sprintf("marker %d", i)
			by := clients[row.by]
			err := by.Publish(by.ctx, row.topic, []byte(probe), false).Wait(t.Context())
			if err != nil && (row.allowed || !errors.Is(err, mqttlink.ErrLost)) {
				t.Fatalf("%s publishes to %s: %v", row.by, row.topic, err)
			}
			if !row.allowed {
				by.stop()
				clients[row.by] = mustDial(t, config(url, row.by, users[row.by]...))
			}
			clients["auditor"].publish(t, row.topic, marker)
			got := clients[row.reader].collect(t, marker)
			if slices.Contains(got, row.topic+" "+probe) != row.allowed {
				t.Errorf("%s publishes to %s: %s got %q, allowed is %v", row.by, row.topic, row.reader, got, row.allowed)
			}
		}
	})
}

// NATS refuses a foreign filter outright; Mosquitto grants it and delivers
// nothing.
func TestWhoMaySubscribeToWhat(t *testing.T) {
	rows := []struct{ user, foreign, own string }{
		{"c-1", topicOf("310104", "c-2", schemas.Receipts), topicOf("310115", "c-1", schemas.Receipts)},
		{"c-1", topicOf("310115", "", schemas.Commands), topicOf("310115", "c-1", schemas.Receipts)},
		{"c-1", topicOf("310115", "c-1", schemas.Readings), topicOf("310115", "c-1", schemas.Receipts)},
		{"c-1", "citygrid/#", topicOf("310115", "c-1", schemas.Commands)},
		{"c-1", "#", topicOf("310115", "c-1", schemas.Commands)},
		{"hub-1", topicOf("310101", "", schemas.Readings), topicOf("310115", "", schemas.Readings)},
		{"hub-1", topicOf("", "", schemas.Readings), topicOf("310115", "", schemas.Readings)},
	}
	onBothBrokers(t, func(t *testing.T, kind, url string) {
		auditor := mustDial(t, config(url, "auditor"))
		for _, row := range rows {
			c, err := dial(t, config(url, row.user, row.foreign, row.own))
			if kind == "nats" {
				if !errors.Is(err, mqttlink.ErrNotAuthorized) || !strings.Contains(err.Error(), row.foreign) {
					t.Errorf("%s subscribes to %s: %v, want a refusal that names it", row.user, row.foreign, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, area := range []schemas.AreaCode{"310101", "310104"} {
				auditor.publish(t, topicOf(area, "c-3", schemas.Readings), "foreign")
				auditor.publish(t, topicOf(area, "c-2", schemas.Receipts), "foreign")
			}
			if row.user == "c-1" {
				auditor.publish(t, topicOf("310115", "c-1", schemas.Readings), "foreign")
				auditor.publish(t, topicOf("310115", "c-2", schemas.Commands), "foreign")
			}
			auditor.publish(t, strings.Replace(row.own, "+", "c-1", 1), "marker")
			for _, m := range c.collect(t, "marker") {
				if row.user == "hub-1" && strings.HasPrefix(m, "citygrid/v1/310104/c-3/readings") {
					continue // an area that it serves
				}
				if strings.HasSuffix(m, "foreign") {
					t.Errorf("%s subscribed to %s and got %s", row.user, row.foreign, m)
				}
			}
			c.stop()
		}
	})
}

// A user with an empty list of topics to read reads nothing, not everything.
// Spoken in packets, because silence needs an end: the answer to a ping comes
// after what Mosquitto had to deliver before. NATS refuses the filter.
func TestWhoHasNoTopicsToReadReadsNothing(t *testing.T) {
	topic := topicOf("310115", "c-1", schemas.Readings)
	onBothBrokers(t, func(t *testing.T, kind, url string) {
		auditor := mustDial(t, config(url, "auditor"))
		deaf, ear := dialRaw(t, url, "writer"), dialRaw(t, url, "watcher")
		ear.subscribe(topic)
		for _, filter := range []string{topic, "citygrid/#", "#"} {
			if granted := deaf.subscribe(filter); kind == "nats" && granted < 0x80 {
				t.Errorf("writer subscribes to %s: granted %#x, want a refusal", filter, granted)
			}
			auditor.publish(t, topic, "probe")
			if m := deaf.beforePong(); m != "" {
				t.Errorf("writer subscribed to %s and got %q", filter, m)
			}
			if m := ear.message(); m != "probe" {
				t.Errorf("watcher got %q", m)
			}
		}
	})
}

// NATS would grant a shared subscription and deliver nothing; the access list
// cannot express one, so it is refused and seen.
func TestSharedSubscriptionsAreRefused(t *testing.T) {
	url := brokertest.NATS(t, testAccess(t)).URL
	filter := "$share/g/" + topicOf("310115", "c-1", schemas.Receipts)
	if _, err := dial(t, config(url, "c-1", filter)); !errors.Is(err, mqttlink.ErrNotAuthorized) {
		t.Errorf("shared subscription: %v, want a refusal", err)
	}
	a := &brokerconfig.Access{Users: []brokerconfig.User{{Name: "x", Subscribe: []string{filter}}}}
	if err := a.Validate(); err == nil || !strings.Contains(err.Error(), "split the hubs by area") {
		t.Errorf("access list with a shared subscription: %v", err)
	}
}

func TestWhoMayConnect(t *testing.T) {
	rows := []struct {
		name, user, password, clientID string
		ok                             bool
	}{
		{"enrolled", "c-1", password("c-1"), "c-1", true},
		{"wrong password", "c-1", password("c-2"), "c-1", false},
		{"no password", "c-1", "", "c-1", false},
		{"unknown user", "c-9", password("c-9"), "c-9", false},
		{"anonymous", "", "", "c-1", false},
	}
	onBothBrokers(t, func(t *testing.T, _, url string) {
		for _, row := range rows {
			cfg := config(url, row.user)
			cfg.ClientID, cfg.Password = row.clientID, secret.New(row.password)
			_, err := dial(t, cfg)
			if row.ok && err != nil || !row.ok && !errors.Is(err, mqttlink.ErrNotAuthorized) {
				t.Errorf("%s: %v", row.name, err)
			}
			if err != nil && row.password != "" && strings.Contains(err.Error(), row.password) {
				t.Errorf("%s: the password is printed: %v", row.name, err)
			}
		}
	})
}

// A collector that connects under another's client id must neither end that
// one's link nor inherit its session.
func TestNobodyTakesAnothersClientID(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, kind, url string) {
		victim := mustDial(t, config(url, "c-2"))
		thief := config(url, "c-1")
		thief.ClientID = "c-2"
		if _, err := dial(t, thief); kind == "nats" && !errors.Is(err, mqttlink.ErrNotAuthorized) {
			t.Errorf("connected under another's client id: %v", err)
		}
		victim.publish(t, topicOf("310104", "c-2", schemas.Readings), "still here")
	})
}

// The broker's own topics are nobody's: no $SYS, no shared subscription around the access
// list, and no word to JetStream, which keeps the messages of NATS.
func TestTheBrokersOwnTopicsAreNobodys(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, kind, url string) {
		auditor := mustDial(t, config(url, "auditor"))
		victim := config(url, "c-2", topicOf("310104", "c-2", schemas.Receipts))
		victim.CleanSession = false
		mustDial(t, victim).stop()
		auditor.publish(t, topicOf("310104", "c-2", schemas.Receipts), "kept for c-2")
		for _, filter := range []string{"$SYS/#", "$SYS/broker/clients/connected", "$JS/#", "$MQTT/#", "$share/g/" + topicOf("310104", "c-2", schemas.Receipts), "$share/g/#", "+/+/+/+/+"} {
			if kind == "nats" { // refuses, or ends the link
				if _, err := dial(t, config(url, "c-1", filter)); err == nil {
					t.Errorf("c-1 subscribes to %s: granted, want a refusal", filter)
				}
				continue
			}
			thief := dialRaw(t, url, "c-1")
			thief.subscribe(filter)
			auditor.publish(t, topicOf("310104", "c-2", schemas.Commands), "probe")
			if m := thief.beforePong(); m != "" {
				t.Errorf("c-1 subscribed to %s and got %q", filter, m)
			}
		}
		for _, topic := range []string{"$JS/API/STREAM/PURGE/$MQTT_msgs", "$JS/API/STREAM/DELETE/$MQTT_msgs", "$MQTT/msgs/x", "$SYS/REQ/SERVER/PING"} {
			thief := mustDial(t, config(url, "c-1"))
			_ = thief.Publish(thief.ctx, topic, []byte("{}"), false).Wait(thief.ctx)
			thief.stop()
		}
		if got := mustDial(t, victim).collect(t, "kept for c-2"); len(got) != 1 {
			t.Errorf("c-2 got %q", got)
		}
	})
}
