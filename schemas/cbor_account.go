package schemas

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citygrid/internal/cbor"
)

// Offset, first, missing and since are left out where they say nothing.
const (
	accountMeter = iota + 1
	accountHour
	accountInterval
	accountOffset
	accountFirst
	accountPlanned
	accountMissing
	accountSince
)

var accountFields = fieldTable{accountMeter: "meter", accountHour: "hour", accountInterval: "interval_ms",
	accountOffset: "offset_ms", accountFirst: "first", accountPlanned: "planned", accountMissing: "missing", accountSince: "since"}

// appendAccount appends an account that Validate has passed.
func appendAccount(dst []byte, a *SlotAccount) []byte {
	fields := uint64(4)
	for _, given := range [...]bool{a.Offset > 0, a.First > 0, len(a.Missing) > 0, !a.Since.IsZero()} {
		if given {
			fields++
		}
	}
	dst = cbor.AppendHead(dst, cbor.Map, fields)
	dst = cbor.AppendText(appendUint(dst, accountMeter), a.Meter)
	dst = appendTime(appendUint(dst, accountHour), a.Hour)
	dst = appendUint(appendUint(dst, accountInterval), uint64(a.Interval.Milliseconds()))
	if a.Offset > 0 {
		dst = appendUint(appendUint(dst, accountOffset), uint64(a.Offset.Milliseconds()))
	}
	if a.First > 0 {
		dst = appendUint(appendUint(dst, accountFirst), uint64(a.First))
	}
	dst = appendUint(appendUint(dst, accountPlanned), uint64(a.Planned))
	if len(a.Missing) > 0 {
		dst = appendSpans(appendUint(dst, accountMissing), a.Missing)
	}
	if !a.Since.IsZero() {
		dst = appendTime(appendUint(dst, accountSince), a.Since)
	}
	return dst
}

func appendSpans(dst []byte, spans []SlotSpan) []byte {
	dst = cbor.AppendHead(dst, cbor.Array, uint64(len(spans)))
	for _, s := range spans {
		dst = cbor.AppendHead(dst, cbor.Array, 3)
		dst = appendUint(appendUint(dst, uint64(s.From)), uint64(s.Slots))
		dst = cbor.AppendText(dst, s.Loss)
	}
	return dst
}

// accounts reads the field of a batch that may be left out.
func (m *mapReader) accounts() []SlotAccount {
	if !m.has(batchAccounts) {
		return nil
	}
	n, err := m.d.array(MaxAccounts)
	if err == nil && n == 0 {
		err = errors.New("empty; leave the field out")
	}
	m.fail(batchAccounts, err)
	if m.err != nil {
		return nil
	}
	list := make([]SlotAccount, n)
	for i := range list {
		if err := decodeAccount(m.d, &list[i]); err != nil {
			m.err = at(fmt.Sprintf("accounts[%d]", i), err)
			return nil
		}
	}
	return list
}

func decodeAccount(d *decoder, a *SlotAccount) error {
	m := d.openMap(accountFields)
	a.Meter = MeterID(m.text(accountMeter, maxID))
	a.Hour = m.time(accountHour)
	a.Interval = m.millis(accountInterval)
	if m.has(accountOffset) {
		a.Offset = m.millisNow(accountOffset)
		m.notZero(accountOffset, uint64(a.Offset))
	}
	if m.has(accountFirst) {
		a.First = m.uint32Now(accountFirst)
		m.notZero(accountFirst, uint64(a.First))
	}
	a.Planned = m.uint32(accountPlanned)
	if m.has(accountMissing) {
		a.Missing = m.spans()
	}
	if m.has(accountSince) {
		a.Since = m.timeHere(accountSince)
	}
	return m.close()
}

// notZero refuses a field that is given although it says nothing.
func (m *mapReader) notZero(key int, n uint64) {
	if m.err == nil && n == 0 {
		m.fail(key, errors.New("0; leave the field out"))
	}
}

// millis reads a length of time that must be there, millisNow one whose key was read.
func (m *mapReader) millis(key int) time.Duration {
	if !m.need(key) {
		return 0
	}
	return m.millisNow(key)
}

func (m *mapReader) millisNow(key int) time.Duration {
	ms := m.uintNow(key, uint64(MaxInterval/time.Millisecond))
	return time.Duration(ms) * time.Millisecond
}

func (m *mapReader) uint32Now(key int) uint32 { return uint32(m.uintNow(key, math.MaxUint32)) }

// uintNow reads the number of a field whose key was read.
func (m *mapReader) uintNow(key int, limit uint64) uint64 {
	n, err := m.d.want(cbor.Uint)
	if err == nil && n > limit {
		err = fmt.Errorf("%d, want at most %d", n, limit)
	}
	m.fail(key, err)
	return n
}

// spans reads the runs of an account.
func (m *mapReader) spans() []SlotSpan {
	n, err := m.d.array(MaxSpans)
	if err == nil && n == 0 {
		err = errors.New("empty; leave the field out")
	}
	m.fail(accountMissing, err)
	if m.err != nil {
		return nil
	}
	list := make([]SlotSpan, n)
	for i := range list {
		if list[i], err = m.d.span(); err != nil {
			m.err = &FieldError{Field: fmt.Sprintf("missing[%d]", i), Problem: err.Error()}
			return nil
		}
	}
	return list
}

func (d *decoder) span() (s SlotSpan, err error) {
	n, err := d.array(3)
	if err != nil {
		return s, err
	}
	if n != 3 {
		return s, fmt.Errorf("%d elements, want from, slots and loss", n)
	}
	for _, to := range []*uint32{&s.From, &s.Slots} {
		arg, err := d.want(cbor.Uint)
		if err != nil {
			return s, err
		}
		if arg > uint64(MaxSlots) {
			return s, fmt.Errorf("%d, want at most %d", arg, MaxSlots)
		}
		*to = uint32(arg)
	}
	name, err := d.bytes(cbor.Text, maxName)
	if err != nil {
		return s, err
	}
	for _, known := range lossTable {
		if string(known) == string(name) {
			s.Loss = known
			return s, nil
		}
	}
	return s, fmt.Errorf("unknown loss %q", name)
}
