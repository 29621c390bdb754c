package config

import (
	"fmt"
	"time"

	"citygrid/adapters/cjt188"
	"citygrid/adapters/dlt645"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/collector"
)

// BuildMonitored returns the line of that name as BuildLines does, but without a
// schedule and with a monitor on it (see line.Config.Monitor): for people who
// watch a line. It opens no port and no socket.
func (c *Config) BuildMonitored(name string, monitor func(line.Event)) (collector.Line, error) {
	sets, err := c.loadProfiles()
	if err != nil {
		return collector.Line{}, err
	}
	for i := range c.Lines {
		l := &c.Lines[i]
		if l.Name != name {
			continue
		}
		w := newMonitoredWire(l, monitor)
		out := collector.Line{Name: l.Name, Close: w.line.Close}
		for j, m := range l.Meters {
			built, key, err := w.meter(m, sets)
			if err != nil {
				return collector.Line{}, c.at(err, append([]any{"lines", i, "meters", j}, key...)...)
			}
			out.Meters = append(out.Meters, built)
		}
		return out, nil
	}
	return collector.Line{}, fmt.Errorf("no line %q in the configuration", name)
}

// newMonitoredWire is newWire with a monitor.
func newMonitoredWire(l *Line, monitor func(line.Event)) *wire {
	at := line.New(line.Config{
		Name: l.Name, Address: l.Address, Serial: l.settings(),
		Timeout: time.Duration(l.Timeout), QuietTime: time.Duration(l.QuietTime), Monitor: monitor,
	})
	return &wire{
		line:   at,
		modbus: modbus.New(at, modbus.Config{NoTransactionID: l.NoTransactionID}),
		dlt645: dlt645.New(at, dlt645.Config{}),
		cjt188: cjt188.New(at, cjt188.Config{IgnoreSequence: l.IgnoreSequence}),
	}
}
