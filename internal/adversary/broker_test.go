package adversary

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"citygrid/schemas"
)

// raw is a user who speaks MQTT packet by packet, and keeps to no rule.
type raw struct {
	t    testing.TB
	conn net.Conn
}

// dial connects and says hello; ok is whether the broker took it.
func (c *city) dial(user, clientID, secret string) (r *raw, ok bool) {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.broker.URL, "tcp://"))
	noError(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	noError(c.t, conn.SetDeadline(time.Now().Add(patience)))
	r = &raw{c.t, conn}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession = "MQTT", 4, true
	hello.ClientIdentifier, hello.Username, hello.Password = clientID, user, []byte(secret)
	hello.UsernameFlag, hello.PasswordFlag = user != "", secret != ""
	noError(c.t, hello.Write(conn))
	ack, taken := r.next().(*packets.ConnackPacket)
	return r, taken && ack.ReturnCode == packets.Accepted
}

// login connects a user with its own password. A broker keeps one out for a moment
// whose last connection has not ended yet.
func (c *city) login(user string) (r *raw) {
	c.t.Helper()
	eventually(c.t, user+" is let in", func() (ok bool) {
		r, ok = c.dial(user, user, password)
		return ok
	})
	return r
}

// next returns the next packet, or nil when the broker has closed the connection.
func (r *raw) next() packets.ControlPacket {
	r.t.Helper()
	p, err := packets.ReadPacket(r.conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		r.t.Fatal("the broker neither answers nor closes")
	}
	if err != nil {
		return nil
	}
	return p
}

// subscribed reports whether the broker granted the filter.
func (r *raw) subscribed(filter string) bool {
	r.t.Helper()
	s := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	s.MessageID, s.Topics, s.Qoss = 1, []string{filter}, []byte{1}
	if s.Write(r.conn) != nil {
		return false
	}
	ack, ok := r.next().(*packets.SubackPacket)
	return ok && len(ack.ReturnCodes) == 1 && ack.ReturnCodes[0] < 0x80
}

// published reports whether the broker acknowledged the message. A broker may
// acknowledge what it drops [MQTT 3.1.1, 3.3.5].
func (r *raw) published(topic string, payload []byte) bool {
	r.t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.MessageID, p.Qos = topic, payload, 7, 1
	if err := p.Write(r.conn); err != nil && !errors.Is(err, io.ErrShortWrite) {
		return false
	}
	_, ok := r.next().(*packets.PubackPacket)
	return ok
}

// atTheBroker is what a collector with a true account tries beyond its rights.
func atTheBroker(tab *table, c *city, h *hub) {
	strange := row{name: "connecting with a wrong password, none, another's id, no name, odd names"}
	for _, who := range [][3]string{
		{"c1", "c1", "a guess"}, {"c1", "c1", ""}, {"", "c1", ""}, {"", "", ""}, {"c1", "c2", password}, {"c1", "", password},
		{"c5", "c5", password}, {"admin", "admin", "admin"}, {"admin", "admin", "public"}, {"hub", "hub", "hub"}, {"c1/../hub", "hub", password}, {"#", "#", password}, {"c1\x00", "c1", password},
	} {
		strange.tries++
		if _, ok := c.dial(who[0], who[1], who[2]); ok {
			strange.accepted++
		} else {
			strange.counted++
		}
	}
	tab.add(strange)
	c.listening(tab)
	c.speaking(tab, h)
	c.oddTopics(tab, h)
}

// listening subscribes to what is another's.
func (c *city) listening(tab *table) {
	r := row{name: "subscribing to others' receipts, wildcards, $SYS, $share, the broker's inside"}
	for _, filter := range []string{
		topic("c2", schemas.Receipts), topic("c2", schemas.Commands), "citygrid/v1/+/+/receipt", "citygrid/v1/310115/+/receipt", "citygrid/v1/+/c1/receipt",
		"#", "+/#", "citygrid/#", "citygrid/v1/#", "+/+/+/+/+", "+/+/+/c2/+", readings("c1"), readings("c2"), "citygrid/v1/310115/c1/+", "citygrid/v1/310115/c1/#",
		"$SYS/#", "$SYS/broker/clients/connected", "$MQTT/#", "$JS/#", "$share/g/citygrid/v1/+/+/readings", "$share/g/#", "$queue/#",
		"citygrid.v1.310115.c2.receipt", "citygrid/v1/310115/c2/receipt/#", "/citygrid/v1/310115/c2/receipt", "", "citygrid/v1/310115/c1/receipt\x00", "citygrid/v1/>", ">", "*", "_INBOX/>", "$JS.API.>",
	} {
		r.tries++
		client := c.login("c1")
		if client.subscribed(filter) {
			tab.t.Errorf("c1 may subscribe to %q", filter)
			r.accepted++
		} else {
			r.counted++
		}
		client.conn.Close()
	}
	tab.add(r)
	own := row{name: "subscribing to the own receipts and commands", control: true}
	for _, s := range schemas.DownStreams() {
		client := c.login("c1")
		own.tries++
		if client.subscribed(topic("c1", s)) {
			own.accepted, own.counted = own.accepted+1, own.counted+1
		}
		client.conn.Close()
	}
	tab.add(own)
}

// speaking publishes true envelopes of another, and what only a hub may send.
func (c *city) speaking(tab *table, h *hub) {
	other := c.sender("c2")
	var frames []frame
	for _, s := range schemas.UpStreams() {
		for _, id := range []schemas.CollectorID{"c2", "c3"} {
			frames = append(frames, frame{topic(id, s), other.batch(1)})
		}
	}
	for _, at := range []string{topic("c1", schemas.Receipts), topic("c1", schemas.Commands), topic("c2", schemas.Receipts), "citygrid/v1/310116/c1/readings", "$SYS/x", "$MQTT/x", "x", "citygrid/v1/310115/c1", "citygrid/v1/310115/c1/readings/x"} {
		frames = append(frames, frame{at, other.batch(1)})
	}
	c.overheard(tab, h, "c1", "publishing on others' topics, receipts, commands, $SYS: at the broker", frames)
}

// oddTopics publishes from the one whom no rule holds back.
func (c *city) oddTopics(tab *table, h *hub) {
	s := c.sender("c1")
	var frames []frame
	for _, at := range []string{
		"citygrid/v1/310115/c1 /readings", "citygrid/v1/310115/ c1/readings", "citygrid/v1/310115//readings", "citygrid/v1//c1/readings", "citygrid/v1/310115/c1/", "citygrid/v1/310115/c1/READINGS",
		"citygrid/v1/310115/c1\n/readings", "citygrid/v1/310115/c1\x7f/readings", "citygrid/v1/310115/c1\u202e/readings", "citygrid/v1/310115/水表/readings", "citygrid/v1/310115/c1.c2/readings",
		"citygrid/v1/310115/*/readings", "citygrid/v1/310115/>/readings", "citygrid/v1/310115/c1%2e/readings", "citygrid/v1/../c1/readings", "citygrid/v1/310115/../readings",
		"citygrid/v1/310115/" + strings.Repeat("c", 33) + "/readings", "citygrid/v1/" + strings.Repeat("3", 13) + "/c1/readings", "citygrid/v1/310115/" + strings.Repeat("c", 60_000) + "/readings",
		"citygrid/v1/310115/c1/nothing", "citygrid/v1/3101 15/c1/readings", "citygrid/v1/31O115/c1/readings",
		"citygrid/v1/310115/c1/readings\x00", "citygrid/v1/310115/\xff\xfe/readings", "citygrid/v1/310115/+/readings", "citygrid/v1/310115/c1/#", "", "/citygrid/v1/310115/c1/readings", "citygrid/v2/310115/c1/readings",
	} {
		frames = append(frames, frame{at, s.batch(1)})
	}
	c.overheard(tab, h, "evil2", "topics with spaces, controls, NUL, other letters, wildcards, endless levels", frames)
}

// overheard publishes each frame on a connection of its own. What the broker refuses
// or keeps from the hub counts, and what the hub refuses.
func (c *city) overheard(tab *table, h *hub, user, name string, frames []frame) {
	tab.t.Helper()
	before, points := h.Counters(), h.store.points.Load()
	seen := h.watcher.statuses.Load() + h.watcher.online.Load()
	for _, f := range frames {
		client := c.login(user)
		client.published(f.topic, f.payload)
		client.conn.Close()
	}
	c.settle(h, before, 0)
	after := h.Counters()
	r := row{name: name, tries: uint64(len(frames)), accepted: uint64(h.store.points.Load()-points) - 1}
	r.accepted += uint64(h.watcher.statuses.Load() + h.watcher.online.Load() - seen)
	arrived := after.Received - before.Received - 1
	r.counted = refused(before, after, nil) + r.tries - arrived
	tab.add(r)
}

// oversized are messages beyond what brokers take: the connection ends, and the next
// one of the same user is let in.
func oversized(tab *table, c *city, h *hub) {
	before := h.Counters()
	r := row{name: "messages of 1 MiB to 64 MiB: the broker ends the connection"}
	for _, n := range []int{1<<20 + 1, 2 << 20, 16 << 20, 64 << 20} {
		client := c.login("c4")
		r.tries++
		if client.published(readings("c4"), make([]byte, n)) {
			r.accepted++
		} else {
			r.counted++
		}
		client.conn.Close()
	}
	c.settle(h, before, 0)
	tab.add(r)
}
