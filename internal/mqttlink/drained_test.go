package mqttlink

import (
	"context"
	"errors"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// losingClient loses the link while it sends: when Publish returns, the tokens
// under way were finished, and nobody waits for further ones.
type losingClient struct {
	paho.Client
	conn  *Conn
	token paho.Token
}

func (l losingClient) Publish(string, byte, bool, any) paho.Token {
	l.conn.lose(errGoodbye)
	l.conn.drain()
	return l.token
}

// unheard is a link whose loss the sender has not noticed yet. It stands for
// the moment in which a real sender got its token just before the news.
type unheard struct{ context.Context }

func (unheard) Done() <-chan struct{} { return nil }

// The link falls after the client took the message and before its token is in
// the queue, whose reader is gone. The token must be finished all the same.
func TestLossBetweenSendingAndQueueing(t *testing.T) {
	for name, tt := range map[string]struct {
		token paho.Token
		want  error
	}{
		"unacknowledged": {&paho.PublishToken{}, ErrLost}, // its zero value is never done
		"acknowledged":   {&paho.DummyToken{}, nil},       // is done at once
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newSettings(newFake(t, script{}).config())
			if err != nil {
				t.Fatal(err)
			}
			c := newConn(s)
			c.link = unheard{c.link}
			c.client = losingClient{conn: c, token: tt.token}
			tok := c.Publish(t.Context(), "a/b", nil, false)
			select {
			case <-tok.Done():
			default:
				t.Fatal("the token is never finished")
			}
			if err := tok.Err(); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
