package schemas

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citygrid/internal/cbor"
)

// All from entryMeter on are left out where they say nothing, but entryTakenAt.
const (
	entryEvent = iota + 1
	entrySource
	entryUtility
	entryMeter
	entryMeterNumber
	entryInstalledAt
	entryIssuer
	entryCard
	entryReplaces
	entryCustomer
	entryPurchase
	entryAmount
	entryResidual
	entryOverdraft
	entryBought
	entryUsed
	entryCounters
	entryFault
	entryTerminal
	entryTakenAt
	entryRecordedAt
	entryPurchaseModulus
)

const (
	counterIllegalCards = iota + 1
	counterPulses
	counterStatusWord
)

var (
	cardsFields = fieldTable{keyVersion: "format", batchCollector: "collector", batchArea: "area",
		batchSealedAt: "sealed_at", batchItems: "entries"}
	entryFields = fieldTable{entryEvent: "event", entrySource: "source", entryUtility: "utility",
		entryMeter: "meter", entryMeterNumber: "meter_number", entryInstalledAt: "installed_at",
		entryIssuer: "issuer", entryCard: "card", entryReplaces: "replaces", entryCustomer: "customer",
		entryPurchase: "purchase", entryAmount: "amount", entryResidual: "residual", entryOverdraft: "overdraft",
		entryBought: "bought", entryUsed: "used", entryCounters: "counters", entryFault: "fault",
		entryTerminal: "terminal", entryTakenAt: "taken_at", entryRecordedAt: "recorded_at",
		entryPurchaseModulus: "purchase_modulus"}
	// A counter's key is its place in cardCounterTable, from 1.
	counterFields = fieldTable{counterIllegalCards: string(IllegalCards), counterPulses: string(Pulses),
		counterStatusWord: string(StatusWord)}
)

// EncodeCardBatch appends the wire form of b to dst and returns the longer
// slice. It refuses a batch that Validate refuses and then returns dst
// unchanged. Equal batches have equal bytes.
func EncodeCardBatch(dst []byte, b *CardBatch) ([]byte, error) {
	if err := b.Validate(); err != nil {
		return dst, fmt.Errorf("encode card batch: %w", err)
	}
	dst = batchHead{b.Collector, b.Area, b.SealedAt}.append(dst, len(b.Entries))
	for i := range b.Entries {
		dst = appendEntry(dst, &b.Entries[i])
	}
	return dst, nil
}

func appendEntry(dst []byte, e *CardEntry) []byte {
	dst = cbor.AppendHead(dst, cbor.Map, e.fields())
	dst = cbor.AppendText(appendUint(dst, entryEvent), e.Event)
	dst = cbor.AppendText(appendUint(dst, entrySource), e.Source)
	dst = cbor.AppendText(appendUint(dst, entryUtility), e.Utility)
	dst = appendGiven(dst, entryMeter, e.Meter)
	dst = appendGiven(dst, entryMeterNumber, e.MeterNumber)
	dst = appendGivenTime(dst, entryInstalledAt, e.InstalledAt)
	dst = appendGiven(dst, entryIssuer, e.Issuer)
	dst = appendGiven(dst, entryCard, e.Card)
	dst = appendGiven(dst, entryReplaces, e.Replaces)
	dst = appendGiven(dst, entryCustomer, e.Customer)
	if e.Purchase != (PurchaseRef{}) {
		dst = cbor.AppendHead(appendUint(dst, entryPurchase), cbor.Array, 2)
		dst = appendUint(cbor.AppendText(dst, e.Purchase.Scheme), uint64(e.Purchase.Number))
	}
	for _, c := range e.credits() {
		if c.credit.Known() {
			dst = cbor.AppendHead(appendUint(dst, uint64(c.key)), cbor.Array, 2)
			dst = appendInt(cbor.AppendText(dst, c.credit.Unit), c.credit.Value)
		}
	}
	dst = appendCounters(dst, e.Counters)
	if e.Fault != FaultNone {
		dst = appendUint(appendUint(dst, entryFault), uint64(e.Fault))
	}
	dst = appendGiven(dst, entryTerminal, e.Terminal)
	dst = appendTime(appendUint(dst, entryTakenAt), e.TakenAt)
	dst = appendGivenTime(dst, entryRecordedAt, e.RecordedAt)
	if e.PurchaseModulus != 0 {
		dst = appendUint(appendUint(dst, entryPurchaseModulus), uint64(e.PurchaseModulus))
	}
	return dst
}

// fields counts the fields of e on the wire.
func (e *CardEntry) fields() (n uint64) {
	n = 4 // event, source, utility, taken_at
	for _, given := range [...]bool{
		e.Meter != "", e.MeterNumber != "", !e.InstalledAt.IsZero(), e.Issuer != "", e.Card != "", e.Replaces != "",
		e.Customer != "", e.Purchase != PurchaseRef{}, len(e.Counters) > 0, e.Fault != FaultNone, e.Terminal != "",
		!e.RecordedAt.IsZero(), e.PurchaseModulus != 0,
	} {
		if given {
			n++
		}
	}
	for _, c := range e.credits() {
		if c.credit.Known() {
			n++
		}
	}
	return n
}

func appendGiven[T ~string](dst []byte, key uint64, s T) []byte {
	if s == "" {
		return dst
	}
	return cbor.AppendText(appendUint(dst, key), s)
}

func appendGivenTime(dst []byte, key uint64, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return appendTime(appendUint(dst, key), t)
}

func appendCounters(dst []byte, counters map[CardCounter]uint32) []byte {
	if len(counters) == 0 {
		return dst
	}
	dst = cbor.AppendHead(appendUint(dst, entryCounters), cbor.Map, uint64(len(counters)))
	for i, name := range cardCounterTable {
		if n, ok := counters[name]; ok {
			dst = appendUint(appendUint(dst, uint64(i)+1), uint64(n))
		}
	}
	return dst
}

// DecodeCardBatch reads what EncodeCardBatch writes and nothing else, with the
// promises of DecodeBatch. Counters is nil when an entry has none.
func DecodeCardBatch(data []byte) (*CardBatch, error) {
	b, err := decodeCardBatch(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = b.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode card batch: %w", err)
	}
	return b, nil
}

func decodeCardBatch(d *decoder) (*CardBatch, error) {
	m := d.openMap(cardsFields)
	h := m.head("card batch")
	b := &CardBatch{Collector: h.collector, Area: h.area, SealedAt: h.sealedAt}
	n := m.array(batchItems, MaxCardEntries)
	b.Entries = make([]CardEntry, n)
	for i := 0; i < n && m.err == nil; i++ {
		if err := decodeEntry(d, &b.Entries[i]); err != nil {
			m.err = at(fmt.Sprintf("entries[%d]", i), err)
		}
	}
	return b, m.finish()
}

func decodeEntry(d *decoder, e *CardEntry) error {
	m := d.openMap(entryFields)
	e.Event = listed(&m, entryEvent, cardEventTable)
	e.Source = listed(&m, entrySource, cardSourceTable)
	e.Utility = listed(&m, entryUtility, utilityTable)
	e.Meter = MeterID(m.given(entryMeter, maxID))
	e.MeterNumber = m.given(entryMeterNumber, meterDigits)
	e.InstalledAt = m.givenTime(entryInstalledAt)
	e.Issuer = IssuerID(m.given(entryIssuer, issuerDigits))
	e.Card = CardID(m.given(entryCard, cardDigits))
	e.Replaces = CardID(m.given(entryReplaces, cardDigits))
	e.Customer = CustomerID(m.given(entryCustomer, maxID))
	if m.has(entryPurchase) {
		e.Purchase = m.purchase()
	}
	for _, c := range e.credits() {
		if m.has(c.key) {
			*c.credit = m.credit(c.key)
		}
	}
	if m.has(entryCounters) {
		e.Counters = m.counters()
	}
	if m.has(entryFault) {
		e.Fault = m.fault()
	}
	e.Terminal = m.given(entryTerminal, MaxTerminal)
	e.TakenAt = m.time(entryTakenAt)
	e.RecordedAt = m.givenTime(entryRecordedAt)
	if m.has(entryPurchaseModulus) {
		e.PurchaseModulus = m.modulus()
	}
	return m.close()
}

// listed reads a text of a closed list.
func listed[T ~string](m *mapReader, key int, list []T) T {
	if !m.need(key) {
		return ""
	}
	v, err := oneText(m.d, list)
	m.fail(key, err)
	return v
}

// oneText reads a text that must be in the list. What it returns comes from the
// list, so that it allocates nothing.
func oneText[T ~string](d *decoder, list []T) (T, error) {
	s, err := d.bytes(cbor.Text, maxName)
	if err != nil {
		return "", err
	}
	for _, known := range list {
		if string(known) == string(s) {
			return known, nil
		}
	}
	return "", fmt.Errorf("unknown %q, want one of %q", s, list)
}

var errEmptyField = errors.New("empty; leave the field out")

// given reads a text that is left out rather than empty.
func (m *mapReader) given(key, limit int) string {
	if !m.has(key) {
		return ""
	}
	s, err := m.d.bytes(cbor.Text, limit)
	if err == nil && len(s) == 0 {
		err = errEmptyField
	}
	m.fail(key, err)
	return string(s)
}

// givenTime reads a moment that may be left out. It is judged here: the zero
// time, written out, would be taken for one that was left out.
func (m *mapReader) givenTime(key int) time.Time {
	if !m.has(key) {
		return time.Time{}
	}
	ms, err := m.d.int64()
	m.fail(key, err)
	t := time.UnixMilli(ms).UTC()
	if m.err == nil {
		m.err = validTime(m.names[key], t)
	}
	return t
}

// pair reads the head of an array of two.
func (d *decoder) pair(of string) error {
	n, err := d.array(2)
	if err == nil && n != 2 {
		err = fmt.Errorf("%d elements, want %s", n, of)
	}
	return err
}

// purchase reads the value of the field, whose key has been read.
func (m *mapReader) purchase() (p PurchaseRef) {
	err := m.d.pair("scheme and number")
	if err == nil {
		p.Scheme, err = oneText(m.d, schemeTable)
	}
	var n uint64
	if err == nil {
		n, err = m.d.want(cbor.Uint)
	}
	if err == nil && n > math.MaxUint32 {
		err = fmt.Errorf("%d, want at most %d", n, uint32(math.MaxUint32))
	}
	p.Number = uint32(n)
	m.fail(entryPurchase, err)
	return p
}

// modulus reads the value of the field, whose key has been read.
func (m *mapReader) modulus() uint32 {
	n, err := m.d.want(cbor.Uint)
	if err == nil && (n == 0 || n > math.MaxUint32) {
		err = fmt.Errorf("%d, want %d to %d; leave it out where the number is absolute", n, minModulus, uint32(math.MaxUint32))
	}
	m.fail(entryPurchaseModulus, err)
	return uint32(n)
}

// credit reads the value of a field whose key has been read.
func (m *mapReader) credit(key int) (c Credit) {
	err := m.d.pair("unit and value")
	if err == nil {
		c.Unit, err = oneText(m.d, creditUnitTable)
	}
	if err == nil {
		c.Value, err = m.d.int64()
	}
	m.fail(key, err)
	return c
}

// counters reads the value of the field, whose key has been read.
func (m *mapReader) counters() map[CardCounter]uint32 {
	f := m.d.openMap(counterFields)
	if f.err == nil && f.left == 0 {
		f.err = &FieldError{Problem: errEmptyField.Error()}
	}
	counters := make(map[CardCounter]uint32, len(cardCounterTable))
	for i, name := range cardCounterTable {
		if f.has(i + 1) {
			n, err := f.d.want(cbor.Uint)
			if err == nil && n > math.MaxUint32 {
				err = fmt.Errorf("%d, want at most %d", n, uint32(math.MaxUint32))
			}
			f.fail(i+1, err)
			counters[name] = uint32(n)
		}
	}
	if err := f.close(); err != nil && m.err == nil {
		m.err = at("counters", err)
	}
	return counters
}

// fault reads the value of the field, whose key has been read.
func (m *mapReader) fault() CardFault {
	n, err := m.d.want(cbor.Uint)
	switch {
	case err == nil && n == 0:
		err = errors.New("0; leave the field out")
	case err == nil && n > uint64(FaultHoard):
		err = fmt.Errorf("unknown fault %d, want at most %d", n, FaultHoard)
	}
	m.fail(entryFault, err)
	return CardFault(n)
}
