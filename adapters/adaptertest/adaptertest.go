// Package adaptertest is the suite that every meter driver passes: it holds an
// adapters.Source to its contract by way of a device double that the driver's
// test builds and the suite commands.
//
// The double speaks the driver's protocol and knows nothing else: for each
// request that reaches it, it asks the Device what to do, and for each quantity
// what to show. So the suite is the same for every protocol.
package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// Meter is the id that every Source under test must carry.
const Meter schemas.MeterID = "METER-1"

// Subject is a driver under test.
type Subject struct {
	// Quantities are what the Source reads, each by a request of its own, in
	// this order. Two requests of one shape make the hardest test. Neither may
	// be a State.
	Quantities [2]schemas.Quantity
	// Patience bounds Read on a device that does not answer: connecting,
	// repetitions and pauses included. A few times 100 ms is enough.
	Patience time.Duration
	// Open starts a double that obeys d and returns a Source that reads it,
	// with time.Now as its clock. It ends both with t.Cleanup.
	Open func(t *testing.T, d *Device) adapters.Source
}

// Act is what the double does with a request.
type Act int

// The acts.
const (
	// Answer at once.
	Answer Act = iota
	// Silence: never answer.
	Silence
	// Hold the answer back, and send it right before the answer to the next
	// request on the same connection; drop it if the connection ends first.
	Hold
)

// Device is what the suite has ordered and the double obeys. Its methods may be
// called from any goroutine.
type Device struct {
	mu     sync.Mutex
	script []Act
	rest   Act
	values map[schemas.Quantity]schemas.Decimal
	asked  chan struct{}
}

func newDevice() *Device {
	return &Device{values: map[schemas.Quantity]schemas.Decimal{}, asked: make(chan struct{}, 1)}
}

// Next says what to do with the request that has just arrived. The double calls
// it once for each.
func (d *Device) Next() Act {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.asked <- struct{}{}:
	default:
	}
	if len(d.script) == 0 {
		return d.rest
	}
	act := d.script[0]
	d.script = d.script[1:]
	return act
}

// Value returns what the meter shows for q: a whole number from 0 to 9999. ok
// is false when it has no value to give and must send the protocol's code for
// that.
func (d *Device) Value(q schemas.Quantity) (value int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.values[q]
	return v.Mantissa, ok
}

// show sets what the meter shows; a negative value is none.
func (d *Device) show(q schemas.Quantity, value int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.values, q)
	if value >= 0 {
		d.values[q] = schemas.Decimal{Mantissa: value}
	}
}

// order sets what happens to the next requests, and to all after those.
func (d *Device) order(rest Act, script ...Act) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script, d.rest = script, rest
	select {
	case <-d.asked:
	default:
	}
}

// Run holds the subject to the contract of adapters.Source.
func Run(t *testing.T, s Subject) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(newBench(t, s)); err != nil {
				t.Error(err)
			}
		})
	}
}

type check struct {
	name  string
	check func(*bench) error
}

func checks() []check {
	return []check{
		{"reads what the meter shows", (*bench).reads},
		{"tells zero from absent", (*bench).absent},
		{"gives up on a silent meter", (*bench).silent},
		{"keeps what it got before a failure", (*bench).partial},
		{"never takes a late answer for another", (*bench).late},
		{"ends with its context", (*bench).cancelled},
		{"keeps to the deadline of its context", (*bench).deadline},
	}
}

func newBench(t *testing.T, s Subject) *bench {
	b := &bench{Subject: s, device: newDevice()}
	for i, q := range s.Quantities {
		b.device.show(q, int64(1000*(i+1)))
	}
	b.source = s.Open(t, b.device)
	return b
}

// bench is one Source with its device.
type bench struct {
	Subject
	device *Device
	source adapters.Source
}

// read reads once and checks everything that holds for any outcome.
func (b *bench) read(ctx context.Context) ([]schemas.Reading, error, error) {
	start := time.Now()
	readings, readErr := b.source.Read(ctx)
	end := time.Now()
	seen := map[schemas.Quantity]bool{}
	for _, r := range readings {
		if seen[r.Quantity] {
			return nil, nil, fmt.Errorf("%s came twice", r.Quantity)
		}
		seen[r.Quantity] = true
		if err := b.checkReading(r, start, end); err != nil {
			return nil, nil, err
		}
	}
	if readErr == nil && len(readings) != len(b.Quantities) {
		return nil, nil, fmt.Errorf("%d of %d readings and no error", len(readings), len(b.Quantities))
	}
	if readErr != nil && len(readings) == len(b.Quantities) {
		return nil, nil, fmt.Errorf("every reading, and yet an error: %w", readErr)
	}
	return readings, readErr, checkError(readErr)
}

// checkReading reports what makes r no true reading of the meter between start
// and end.
func (b *bench) checkReading(r schemas.Reading, start, end time.Time) error {
	if err := r.Validate(); err != nil {
		return fmt.Errorf("%s: %w", r.Quantity, err)
	}
	switch {
	case r.Meter != Meter:
		return fmt.Errorf("%s is of meter %q, want %q", r.Quantity, r.Meter, Meter)
	case r.TakenAt.Location() != time.UTC:
		return fmt.Errorf("%s was taken at %s, which is not UTC", r.Quantity, r.TakenAt)
	case r.TakenAt.Before(start.Truncate(time.Millisecond)) || r.TakenAt.After(end):
		return fmt.Errorf("%s was taken at %s, the call lasted from %s to %s", r.Quantity, r.TakenAt, start, end)
	case r.Quality == schemas.Suspect:
		return fmt.Errorf("%s is suspect (%s): that verdict is the collector's", r.Quantity, r.Reason)
	}
	value, ok := b.device.Value(r.Quantity)
	switch {
	case ok && r.Quality != schemas.Good:
		return fmt.Errorf("%s is %s (%s), the meter shows %d", r.Quantity, r.Quality, r.Reason, value)
	case !ok && r.HasValue():
		return fmt.Errorf("%s is %s, the meter has no value for it", r.Quantity, r.Value)
	case ok && r.Value.Cmp(schemas.Decimal{Mantissa: value}) != 0:
		return fmt.Errorf("%s is %s, the meter shows %d", r.Quantity, r.Value, value)
	}
	return nil
}

// checkError reports an error that tells the operator too little.
func checkError(err error) error {
	if err == nil {
		return nil
	}
	var e *adapters.Error
	switch {
	case !errors.As(err, &e):
		return fmt.Errorf("error %q is no *adapters.Error", err)
	case e.Meter != Meter:
		return fmt.Errorf("error %q names meter %q, want %q", err, e.Meter, Meter)
	case e.Request == "" || e.Err == nil:
		return fmt.Errorf("error %q does not say what was asked and what came back", err)
	}
	return nil
}

// whole reads once and wants everything.
func (b *bench) whole() error {
	_, readErr, bad := b.read(context.Background())
	return errors.Join(readErr, bad)
}

func (b *bench) reads() error {
	for n := range int64(3) {
		for i, q := range b.Quantities {
			b.device.show(q, 1234*int64(i+1)+n)
		}
		if err := b.whole(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) absent() error {
	b.device.show(b.Quantities[0], 0)
	b.device.show(b.Quantities[1], -1)
	if err := b.whole(); err != nil {
		return err
	}
	b.device.show(b.Quantities[1], 7)
	return b.whole()
}

// silent wants a transient error in time, no reading, and recovery.
func (b *bench) silent() error {
	b.device.order(Silence)
	start := time.Now()
	readings, readErr, bad := b.read(context.Background())
	if took := time.Since(start); took > b.Patience {
		return fmt.Errorf("took %s, want at most %s", took, b.Patience)
	}
	if bad != nil {
		return bad
	}
	if readErr == nil || len(readings) != 0 || adapters.ClassOf(readErr) != adapters.Transient {
		return fmt.Errorf("a silent meter gave %d readings and error %v", len(readings), readErr)
	}
	b.device.order(Answer)
	return b.whole()
}

func (b *bench) partial() error {
	b.device.order(Silence, Answer)
	readings, readErr, bad := b.read(context.Background())
	if bad != nil {
		return bad
	}
	if len(readings) != 1 || readings[0].Quantity != b.Quantities[0] {
		return fmt.Errorf("the answer to the first request is lost: %v, %v", readings, readErr)
	}
	b.device.order(Answer)
	return b.whole()
}

// late holds back the answer to each request in turn. Whatever the driver does
// then, no quantity may get another's value, and it must come right soon.
func (b *bench) late() error {
	for _, script := range [][]Act{{Hold}, {Answer, Hold}, {Hold, Hold}, {Hold, Silence, Hold}} {
		b.device.order(Answer, script...)
		for range 4 {
			if _, _, bad := b.read(context.Background()); bad != nil {
				return fmt.Errorf("after %v: %w", script, bad)
			}
		}
		if err := b.whole(); err != nil {
			return fmt.Errorf("not recovered after %v: %w", script, err)
		}
	}
	return nil
}

// cancelled ends the context before, and while the meter keeps silent.
func (b *bench) cancelled() error {
	b.device.order(Silence)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-b.device.asked:
		case <-ctx.Done():
		}
		cancel()
	}()
	_, during, bad := b.read(ctx)
	cancel()
	<-done
	if bad != nil {
		return bad
	}
	_, before, bad := b.read(ctx)
	if bad != nil {
		return bad
	}
	if !errors.Is(during, context.Canceled) || !errors.Is(before, context.Canceled) {
		return fmt.Errorf("a cancelled read gave %v, and with the context already done %v", during, before)
	}
	b.device.order(Answer)
	return b.whole()
}

func (b *bench) deadline() error {
	b.device.order(Silence)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, readErr, bad := b.read(ctx)
	if bad != nil {
		return bad
	}
	if !errors.Is(readErr, context.DeadlineExceeded) {
		return fmt.Errorf("a read past its deadline gave %v", readErr)
	}
	b.device.order(Answer)
	return b.whole()
}
