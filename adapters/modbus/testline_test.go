package modbus

import (
	"context"
	"net"
	"testing"
	"time"

	"citygrid/adapters/line"
)

// lineConfig is what the tests say of a line and of Modbus on it.
type lineConfig struct {
	Name, Address      string
	Serial             *line.Serial
	Timeout, QuietTime time.Duration
	NoTransactionID    bool
	Retries            int
	Dial               func(ctx context.Context, network, address string) (net.Conn, error)
	Open               func(device string, s line.Serial) (line.Port, error)
	Now                func() time.Time
	Monitor            func(line.Event)
}

// testLine is a line with Modbus on it.
type testLine struct {
	*line.Line
	*Bus
}

func openLine(c lineConfig) *testLine {
	l := line.New(line.Config{
		Name: c.Name, Address: c.Address, Serial: c.Serial, Timeout: c.Timeout, QuietTime: c.QuietTime,
		Dial: c.Dial, Open: c.Open, Now: c.Now, Monitor: c.Monitor,
	})
	return &testLine{l, New(l, Config{NoTransactionID: c.NoTransactionID, Retries: c.Retries, Now: c.Now})}
}

func newTestLine(t testing.TB, c lineConfig) *testLine {
	t.Helper()
	l := openLine(c)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// ask reads one request once, without a meter.
func (l *testLine) ask(ctx context.Context, unit uint8, r Request, dst []byte) error {
	turn, err := l.Begin(ctx)
	if err != nil {
		return err
	}
	defer turn.End()
	p := spread(125, 0, nil, r.At)
	b := newBlock(p, Request{Function: r.Function, At: r.At, Count: r.Count})
	_, err = l.request(ctx, turn, unit, &b, dst, 0)
	return err
}

// recordDials keeps the newest connection of a line.
type recordDials struct{ conn net.Conn }

func (r *recordDials) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	r.conn = conn
	return conn, err
}
