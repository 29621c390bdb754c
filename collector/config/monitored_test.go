package config

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"citygrid/adapters/line"
)

// What goes over a monitored line is told.
func TestBuildMonitoredTells(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan []byte, 1)
	go func() {
		defer close(asked)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request := make([]byte, 12)
		if _, err := io.ReadFull(conn, request); err == nil {
			asked <- request
		}
		_ = ln.Close() // nothing answers what follows
	}()
	c, err := Parse(fmt.Appendf(nil, `{collector: c, bundle: b, data_dir: d, interval: 1m, broker: {url: "tcp://h"},
lines: [{name: a, address: %q, quiet_time: 1ms, meters: [{id: m, unit: 7, profile: eastron-sdm630}]}]}`, ln.Addr()), ".")
	if err != nil {
		t.Fatal(err)
	}
	var told []byte
	l, err := c.BuildMonitored("a", func(e line.Event) {
		if e.What == line.Sent && told == nil {
			told = bytes.Clone(e.Bytes)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Meters[0].Source.Read(t.Context()); err == nil {
		t.Error("a line that hangs up gives readings")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if request := <-asked; len(told) == 0 || !bytes.Equal(told, request) {
		t.Errorf("told % X, sent % X", told, request)
	}
}
