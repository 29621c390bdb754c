package brokerconfig_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
)

// What was acknowledged while the hub was away survives kill -9 of the broker,
// whole and in order.
func TestAcknowledgedMessagesSurviveAKill(t *testing.T) {
	const n = 2000
	b := brokertest.NATSProcess(t, testAccess(t))
	topic := topicOf("310115", "c-1", schemas.Readings)
	hub := config(b.URL, "hub-1", topicOf("310115", "", schemas.Readings))
	hub.CleanSession = false
	mustDial(t, hub).stop()

	c := mustDial(t, config(b.URL, "c-1"))
	var tokens []*mqttlink.Token
	for i := range n {
		tokens = append(tokens, c.Publish(c.ctx, topic, []byte(numbered(i)), false))
	}
	for _, tok := range tokens {
		if err := tok.Wait(c.ctx); err != nil {
			t.Fatal(err)
		}
	}
	b.Kill()
	b.Start()

	got := mustDial(t, hub).collect(t, numbered(n-1))
	if len(got) != n {
		t.Errorf("%d of %d acknowledged messages arrived", len(got), n)
	}
	for i, m := range got {
		if want := topic + " " + numbered(i); m != want {
			t.Fatalf("message %d is %q, want %q", i, m, want)
		}
	}
}

func startNATS(t *testing.T, o brokerconfig.Options) *brokerconfig.Broker {
	t.Helper()
	o.Dir = t.TempDir()
	b, err := brokerconfig.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestSetAccessWhileRunning(t *testing.T) {
	a := testAccess(t)
	b := startNATS(t, brokerconfig.Options{Access: a})
	stays, leaves := mustDial(t, config(b.URL(), "c-1")), mustDial(t, config(b.URL(), "c-2"))
	if _, err := dial(t, config(b.URL(), "c-4")); !errors.Is(err, mqttlink.ErrNotAuthorized) {
		t.Fatalf("before enrolment: %v", err)
	}
	next := &brokerconfig.Access{}
	for _, u := range a.Users {
		if u.Name != "c-2" {
			next.Users = append(next.Users, u)
		}
	}
	next.Users = append(next.Users, brokerconfig.CollectorUser("310115", "c-4", mustHash(t, "c-4")))
	if err := b.SetAccess(next); err != nil {
		t.Fatal(err)
	}
	mustDial(t, config(b.URL(), "c-4"))
	<-leaves.ctx.Done()
	if _, err := dial(t, config(b.URL(), "c-2")); !errors.Is(err, mqttlink.ErrNotAuthorized) {
		t.Errorf("a removed collector may connect: %v", err)
	}
	stays.publish(t, topicOf("310115", "c-1", schemas.Readings), "undisturbed")
}

// The server's limit of 65,535 unacknowledged messages a session holds for all
// filters together: at 20,000 each, the fourth would be refused.
func TestHubOfManyAreasGetsAllItsFilters(t *testing.T) {
	for _, areas := range [][]schemas.AreaCode{nil, manyAreas(3), manyAreas(13)} {
		hub := brokerconfig.HubUser("hub-1", areas, mustHash(t, "hub-1"))
		b := startNATS(t, brokerconfig.Options{Access: &brokerconfig.Access{Users: []brokerconfig.User{hub}}})
		if _, err := dial(t, config(b.URL(), "hub-1", hub.Subscribe...)); err != nil {
			t.Errorf("%d areas: %v", len(areas), err)
		}
	}
	hub := brokerconfig.HubUser("hub-1", manyAreas(14), "")
	_, err := brokerconfig.Start(t.Context(), brokerconfig.Options{Dir: t.TempDir(), Access: &brokerconfig.Access{Users: []brokerconfig.User{hub}}})
	if err == nil || !strings.Contains(err.Error(), "several hubs") {
		t.Errorf("14 areas: %v, want an error that says what to do", err)
	}
	small := startNATS(t, brokerconfig.Options{Access: testAccess(t)})
	many := brokerconfig.HubUser("hub-2", manyAreas(13), mustHash(t, "hub-2"))
	if err := small.SetAccess(&brokerconfig.Access{Users: []brokerconfig.User{many}}); err == nil {
		t.Error("SetAccess took a hub whose filters the running broker would refuse")
	}
}

func manyAreas(n int) []schemas.AreaCode {
	var areas []schemas.AreaCode
	for i := range n {
		areas = append(areas, schemas.AreaCode(strconv.Itoa(310100+i)))
	}
	return areas
}

func TestStartRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	running := t.TempDir()
	b, err := brokerconfig.Start(t.Context(), brokerconfig.Options{Dir: running, Access: testAccess(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		o    brokerconfig.Options
	}{
		{"no folder", t.Context(), brokerconfig.Options{Access: testAccess(t)}},
		{"no access list", t.Context(), brokerconfig.Options{Dir: t.TempDir()}},
		{"bad access list", t.Context(), brokerconfig.Options{Dir: t.TempDir(), Access: &brokerconfig.Access{Users: []brokerconfig.User{{Name: "a b"}}}}},
		{"port in use", t.Context(), brokerconfig.Options{Dir: t.TempDir(), Port: taken, Access: testAccess(t)}},
		{"folder in use", t.Context(), brokerconfig.Options{Dir: running, Access: testAccess(t)}},
		{"cancelled while waiting", cancelled, brokerconfig.Options{Dir: t.TempDir(), Port: taken, Access: testAccess(t)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := brokerconfig.Start(tt.ctx, tt.o)
			if err == nil {
				b.Close()
				t.Error("started")
			}
		})
	}
}

func TestUsage(t *testing.T) {
	b := startNATS(t, brokerconfig.Options{Access: testAccess(t), MaxStore: 1 << 30})
	c := mustDial(t, config(b.URL(), "c-1"))
	if err := c.Publish(c.ctx, topicOf("310115", "c-1", schemas.Online), []byte("1"), true).Wait(c.ctx); err != nil {
		t.Fatal(err)
	}
	stored, limit, err := b.Usage()
	if err != nil || stored == 0 || limit != 1<<30 {
		t.Errorf("Usage() = %d, %d, %v", stored, limit, err)
	}
}
