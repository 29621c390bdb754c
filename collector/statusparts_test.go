package collector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/collector/spool"
	"citygrid/schemas"
)

// evident is an error with an exchange.
type evident struct {
	error
	e adapters.Exchange
}

func (e evident) Exchange() adapters.Exchange { return e.e }
func (e evident) Cause() adapters.Cause       { return adapters.CutShort }

func evidence(sent ...byte) error {
	return evident{errors.New("torn"), adapters.Exchange{At: time.Now(), Protocol: "dlt645", Sent: sent}}
}

// TestExchangesTakeTurns: a status holds the exchanges of no more meters than it may,
// the next one those of others, and a new failure goes ahead.
func TestExchangesTakeTurns(t *testing.T) {
	b := newBoard()
	at := time.Now()
	const meters = 2*schemas.MaxExchanges + 3
	for i := range meters {
		b.set(schemas.MeterID(fmt.Sprintf("m%02d", i)), at, evidence(byte(i)))
	}
	told := map[schemas.MeterID]int{}
	for range 3 {
		list, total := b.list()
		if total != meters || len(list) != meters {
			t.Fatalf("%d of %d meters", len(list), total)
		}
		s := schemas.Status{Failing: list}
		n := 0
		for _, f := range s.Failing {
			if f.Exchange != nil {
				n, told[f.Meter] = n+1, told[f.Meter]+1
			}
			if f.Cause != schemas.CauseCutShort {
				t.Errorf("%s: cause %q", f.Meter, f.Cause)
			}
		}
		if n != schemas.MaxExchanges {
			t.Errorf("%d exchanges in a list, want %d", n, schemas.MaxExchanges)
		}
	}
	if len(told) != meters {
		t.Errorf("three lists told of %d meters, want all %d", len(told), meters)
	}
	b.set("m30", at, evidence(200))
	list, _ := b.list()
	if i := slices.IndexFunc(list, func(f schemas.MeterFault) bool { return f.Meter == "m30" }); list[i].Exchange == nil || list[i].Exchange.Sent[0] != 200 {
		t.Errorf("the newest failure is not told: %+v", list[i])
	}
}

// TestExchangeWithinBounds: whatever a driver says, the status can be sent.
func TestExchangeWithinBounds(t *testing.T) {
	for name, c := range map[string]struct {
		e    adapters.Exchange
		kept bool
	}{
		"an unknown protocol": {adapters.Exchange{At: time.Now(), Protocol: "smoke", Sent: []byte{1}}, false},
		"a clock of 1970":     {adapters.Exchange{At: time.Unix(5, 0), Protocol: "cjt188", Sent: []byte{1}}, false},
		"no bytes":            {adapters.Exchange{At: time.Now(), Protocol: "cjt188"}, false},
		"too many bytes":      {adapters.Exchange{At: time.Now(), Protocol: "cjt188", Sent: make([]byte, 300), Received: make([]byte, 256), ReceivedCut: 1 << 20}, true},
	} {
		got := exchangeOf(evident{errors.New("x"), c.e})
		if (got != nil) != c.kept {
			t.Errorf("%s: %+v", name, got)
		}
		if got != nil && (got.Validate() != nil || got.SentCut != 44 || got.ReceivedCut != schemas.MaxFrameCut) {
			t.Errorf("%s: %d and %d cut, %v", name, got.SentCut, got.ReceivedCut, got.Validate())
		}
	}
	if exchangeOf(errors.New("plain")) != nil || causeOf(errors.New("plain")) != "" {
		t.Error("an exchange from an error that tells of none")
	}
}

// TestLineStatus sums up meters, and leaves out what a status cannot say.
func TestLineStatus(t *testing.T) {
	b := newBoard()
	now := time.Now()
	good, bad := b.meter("good"), b.meter("bad")
	good.interval, bad.interval = 10*time.Second, 10*time.Second
	b.line(Line{Name: "cabinet", Kind: schemas.LineSerial, Address: "/dev/ttyS0"}, []*meterHealth{good, bad})
	b.line(Line{Name: "no address"}, nil)
	b.line(Line{Name: "cabinet", Kind: schemas.LineSerial, Address: "/dev/ttyS1"}, nil)
	good.done(now, 4*time.Second, 3, nil)
	bad.done(now, 9*time.Second, 0, errors.New("silent"))
	want := schemas.LineStatus{Name: "cabinet", Kind: schemas.LineSerial, Address: "/dev/ttyS0", Meters: 2, Planned: 2, Read: 1, Used: 400}
	if got := b.lineStatus(now); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	good.done(now, time.Hour, 3, nil)
	if got := b.lineStatus(now); got[0].Used != schemas.MaxUsed {
		t.Errorf("used %d of a line that needs 360 times its time", got[0].Used)
	}
	for i := range schemas.MaxLines {
		h := b.meter(schemas.MeterID(fmt.Sprintf("m%d", i)))
		b.line(Line{Name: fmt.Sprintf("l%d", i), Kind: schemas.LineModbusTCP, Address: "h:502"}, []*meterHealth{h})
	}
	list := b.lineStatus(now)
	if len(list) != schemas.MaxLines || list[0].Name != "cabinet" {
		t.Errorf("%d lines, the first is %s", len(list), list[0].Name)
	}
}

// shown returns a certificate that ends at the given time, and its key.
func shown(t *testing.T, ends time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestCertificateEnds: the first end counts, whoever's it is.
func TestCertificateEnds(t *testing.T) {
	soon, later := time.Now().Add(48*time.Hour).UTC().Truncate(time.Second), time.Now().AddDate(400, 0, 0)
	for _, c := range []struct {
		name      string
		own, peer time.Time
		before    time.Time // known before the first connection
		want      time.Time
	}{
		{"the broker's", later, soon, lastYear, soon},
		{"its own", soon, later, soon, soon},
		{"none of its own", time.Time{}, soon, time.Time{}, soon},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := shown(t, c.peer)
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}})
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				if conn, err := listener.Accept(); err == nil {
					_ = conn.(*tls.Conn).Handshake()
					conn.Close()
				}
			}()
			leaf, err := x509.ParseCertificate(server.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(leaf)
			cfg := &tls.Config{RootCAs: roots}
			if !c.own.IsZero() {
				cfg.Certificates = []tls.Certificate{shown(t, c.own)}
			}
			var k certificates
			watched := k.watch("mqtts://broker:8883", cfg)
			if got := k.firstEnd(); !got.Equal(c.before) {
				t.Errorf("before the connection %s, want %s", got, c.before)
			}
			conn, err := (&tls.Dialer{Config: watched}).DialContext(context.Background(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if got := k.firstEnd(); !got.Equal(c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			if cfg.VerifyConnection != nil {
				t.Error("the caller's configuration was changed")
			}
		})
	}
	var k certificates
	if k.watch("tcp://broker:1883", nil) != nil || !k.firstEnd().IsZero() {
		t.Error("a link without TLS has a certificate")
	}
}

// TestStatusTellsWhatWasDropped: what the spool gave up by the operator's choice is in
// the status, for whatever reason, and a status says nothing where nothing was.
func TestStatusTellsWhatWasDropped(t *testing.T) {
	c := mustOpen(t, alone(t, newKeys(t)))
	defer c.Close()
	if s := c.Status(); s.SpoolDropped != 0 {
		t.Errorf("%d dropped by a spool that dropped nothing", s.SpoolDropped)
	}
	c.metrics.dropped.WithLabelValues(string(spool.DropFull)).Add(3)
	c.metrics.dropped.WithLabelValues(string(spool.DropAge)).Add(4)
	s := c.Status()
	wire, err := schemas.EncodeStatus(nil, &s)
	if err != nil {
		t.Fatal(err)
	}
	if told, err := schemas.DecodeStatus(wire); err != nil || told.SpoolDropped != 7 {
		t.Errorf("%+v, %v; want 7 dropped", told, err)
	}
}
