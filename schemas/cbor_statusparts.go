package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"citygrid/internal/cbor"
)

const (
	exchangeAt = iota + 1
	exchangeProtocol
	exchangeSent
	exchangeReceived
	exchangeSentCut     // left out when nothing was
	exchangeReceivedCut // left out when nothing was
)

const (
	lineName = iota + 1
	lineKind
	lineAddress
	lineMeters
	linePlanned
	lineRead
	lineUsed
)

var (
	exchangeFields = fieldTable{exchangeAt: "at", exchangeProtocol: "protocol", exchangeSent: "sent",
		exchangeReceived: "received", exchangeSentCut: "sent_cut", exchangeReceivedCut: "received_cut"}
	lineFields = fieldTable{lineName: "name", lineKind: "kind", lineAddress: "address", lineMeters: "meters",
		linePlanned: "planned", lineRead: "read", lineUsed: "used"}
)

func appendFault(dst []byte, f *MeterFault) []byte {
	fields := uint64(faultError)
	if f.Cause != "" {
		fields++
	}
	if f.Exchange != nil {
		fields++
	}
	dst = cbor.AppendHead(dst, cbor.Map, fields)
	dst = cbor.AppendText(appendUint(dst, faultMeter), f.Meter)
	dst = appendTime(appendUint(dst, faultSince), f.Since)
	dst = cbor.AppendText(appendUint(dst, faultError), f.Error)
	if f.Cause != "" {
		dst = cbor.AppendText(appendUint(dst, faultCause), f.Cause)
	}
	if f.Exchange != nil {
		dst = appendExchange(appendUint(dst, faultExchange), f.Exchange)
	}
	return dst
}

func appendExchange(dst []byte, e *Exchange) []byte {
	fields := uint64(exchangeReceived)
	if e.SentCut > 0 {
		fields++
	}
	if e.ReceivedCut > 0 {
		fields++
	}
	dst = cbor.AppendHead(dst, cbor.Map, fields)
	dst = appendTime(appendUint(dst, exchangeAt), e.At)
	dst = cbor.AppendText(appendUint(dst, exchangeProtocol), e.Protocol)
	dst = cbor.AppendBytes(appendUint(dst, exchangeSent), e.Sent)
	dst = cbor.AppendBytes(appendUint(dst, exchangeReceived), e.Received)
	if e.SentCut > 0 {
		dst = appendUint(appendUint(dst, exchangeSentCut), uint64(e.SentCut))
	}
	if e.ReceivedCut > 0 {
		dst = appendUint(appendUint(dst, exchangeReceivedCut), uint64(e.ReceivedCut))
	}
	return dst
}

func appendLines(dst []byte, list []LineStatus) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = cbor.AppendHead(appendUint(dst, statusLines), cbor.Array, uint64(len(list)))
	for i := range list {
		l := &list[i]
		dst = cbor.AppendHead(dst, cbor.Map, uint64(lineUsed))
		dst = cbor.AppendText(appendUint(dst, lineName), l.Name)
		dst = cbor.AppendText(appendUint(dst, lineKind), l.Kind)
		dst = cbor.AppendText(appendUint(dst, lineAddress), l.Address)
		dst = appendUint(appendUint(dst, lineMeters), uint64(l.Meters))
		dst = appendUint(appendUint(dst, linePlanned), l.Planned)
		dst = appendUint(appendUint(dst, lineRead), l.Read)
		dst = appendUint(appendUint(dst, lineUsed), uint64(l.Used))
	}
	return dst
}

// fault reads one entry of the list of failing meters.
func (d *decoder) fault() (MeterFault, error) {
	m := d.openMap(faultFields)
	f := MeterFault{
		Meter: MeterID(m.text(faultMeter, maxID)),
		Since: m.time(faultSince),
		Error: string(m.text(faultError, MaxFaultText)),
	}
	if m.has(faultCause) {
		cause, err := oneText(d, causeTable)
		m.fail(faultCause, err)
		f.Cause = cause
	}
	if m.has(faultExchange) {
		e, err := d.exchange()
		if err != nil {
			m.err = at(faultFields[faultExchange], err)
		}
		f.Exchange = e
	}
	return f, m.close()
}

func (d *decoder) exchange() (*Exchange, error) {
	m := d.openMap(exchangeFields)
	e := &Exchange{
		At:       m.time(exchangeAt),
		Protocol: listed(&m, exchangeProtocol, protocolTable),
		Sent:     m.octets(exchangeSent, MaxFrameBytes),
		Received: m.octets(exchangeReceived, MaxFrameBytes),
	}
	if m.has(exchangeSentCut) {
		e.SentCut = m.count16(exchangeSentCut, MaxFrameCut)
	}
	if m.has(exchangeReceivedCut) {
		e.ReceivedCut = m.count16(exchangeReceivedCut, MaxFrameCut)
	}
	return e, m.close()
}

// lines reads the list whose key has been read.
func (m *mapReader) lines() []LineStatus {
	n, err := m.d.array(MaxLines)
	if err == nil && n == 0 {
		err = errors.New("empty; leave the field out")
	}
	m.fail(statusLines, err)
	var list []LineStatus
	for i := 0; i < n && m.err == nil; i++ {
		f := m.d.openMap(lineFields)
		list = append(list, LineStatus{
			Name:    string(f.text(lineName, MaxLineText)),
			Kind:    listed(&f, lineKind, lineKindTable),
			Address: string(f.text(lineAddress, MaxLineText)),
			Meters:  f.uint32(lineMeters),
			Planned: f.uint(linePlanned, MaxCount),
			Read:    f.uint(lineRead, MaxCount),
			Used:    uint16(f.uint(lineUsed, MaxUsed)),
		})
		if err := f.close(); err != nil {
			m.err = at(fmt.Sprintf("lines[%d]", i), err)
		}
	}
	return list
}

// octets reads a byte string of at most limit bytes, nil for an empty one. The
// result is a copy: the message is its caller's.
func (m *mapReader) octets(key, limit int) []byte {
	if !m.need(key) {
		return nil
	}
	b, err := m.d.bytes(cbor.Bytes, limit)
	m.fail(key, err)
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

// count16 reads the number of a field that is left out rather than 0; its key
// has been read.
func (m *mapReader) count16(key int, limit uint16) uint16 {
	return uint16(m.countHere(key, uint64(limit)))
}

// countHere reads a number from 1 to limit whose key has been read.
func (m *mapReader) countHere(key int, limit uint64) uint64 {
	n, err := m.d.want(cbor.Uint)
	switch {
	case err == nil && n == 0:
		err = errors.New("0; leave the field out")
	case err == nil && n > limit:
		err = fmt.Errorf("%d, want at most %d", n, limit)
	}
	m.fail(key, err)
	if m.err != nil {
		return 0
	}
	return n
}

// timeHere reads a moment whose key has been read.
func (m *mapReader) timeHere(key int) time.Time {
	ms, err := m.d.int64()
	m.fail(key, err)
	return time.UnixMilli(ms).UTC()
}
