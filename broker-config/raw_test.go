package brokerconfig_test

import (
	"net"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// raw is a user who speaks MQTT packet by packet.
type raw struct {
	t    testing.TB
	conn net.Conn
}

func dialRaw(t testing.TB, url, user string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &raw{t: t, conn: conn}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession = "MQTT", 4, true
	hello.ClientIdentifier, hello.Username, hello.Password = user, user, []byte(password(user))
	hello.UsernameFlag, hello.PasswordFlag = true, true
	r.send(hello)
	if ack, ok := r.next().(*packets.ConnackPacket); !ok || ack.ReturnCode != packets.Accepted {
		t.Fatalf("connect %s: %v", user, ack)
	}
	return r
}

func (r *raw) send(p packets.ControlPacket) {
	r.t.Helper()
	if err := p.Write(r.conn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) next() packets.ControlPacket {
	r.t.Helper()
	p, err := packets.ReadPacket(r.conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// subscribe returns the broker's code [MQTT 3.1.1, 3.9.3].
func (r *raw) subscribe(filter string) byte {
	r.t.Helper()
	s := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	s.MessageID, s.Topics, s.Qoss = 1, []string{filter}, []byte{1}
	r.send(s)
	ack, ok := r.next().(*packets.SubackPacket)
	if !ok || len(ack.ReturnCodes) != 1 {
		r.t.Fatalf("subscribe to %s: answer %v", filter, ack)
	}
	return ack.ReturnCodes[0]
}

// message returns the payload of the message that must come next.
func (r *raw) message() string {
	r.t.Helper()
	m, ok := r.next().(*packets.PublishPacket)
	if !ok {
		r.t.Fatal("a packet that is no message")
	}
	return string(m.Payload)
}

// beforePong returns the payloads that come before the answer to a ping.
func (r *raw) beforePong() string {
	r.t.Helper()
	r.send(packets.NewControlPacket(packets.Pingreq))
	var got []string
	for {
		switch p := r.next().(type) {
		case *packets.PublishPacket:
			got = append(got, string(p.Payload))
		case *packets.PingrespPacket:
			return strings.Join(got, ", ")
		}
	}
}
