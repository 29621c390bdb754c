package schemas

import (
	"errors"
	"fmt"

	"citygrid/internal/cbor"
)

// formatVersion is the version of the wire forms of Batch, CardBatch, EventBatch,
// Status and Receipt that this build writes and reads.
const formatVersion = 1

// VersionError says that a message is of a contract that this build does not
// know. The message may be sound; a newer build can read it.
type VersionError struct {
	// Message is "batch", "card batch", "event batch", "status" or "receipt", Reader the
	// program that reads it: "hub" or "collector".
	Message, Reader string
	// Got is the version in the message.
	Got uint64
}

// Error names both versions and, when the message is newer, what to update.
func (e *VersionError) Error() string {
	s := fmt.Sprintf("%s version %d: this %s knows %d", e.Message, e.Got, e.Reader, formatVersion)
	if e.Got > formatVersion {
		s += "; update the " + e.Reader
	}
	return s
}

// The keys of citygrid.cddl. They are part of the wire format and never
// change their meaning.
const (
	batchCollector = iota + 1
	batchArea
	batchSealedAt
	batchItems    // the groups of readings, the card entries, the events
	batchAccounts // of readings alone; left out where there are none
)

const (
	groupMeter = iota + 1
	groupTakenAt
	groupReadings
	groupOrigin // left out for live readings
)

const (
	readingQuantity = iota + 1
	readingUnit
	readingQuality
	readingReason
	readingValue
)

var (
	batchFields = fieldTable{keyVersion: "format", batchCollector: "collector", batchArea: "area",
		batchSealedAt: "sealed_at", batchItems: "groups", batchAccounts: "accounts"}
	groupFields = fieldTable{groupMeter: "meter", groupTakenAt: "taken_at", groupReadings: "readings",
		groupOrigin: "origin"}
	// A reading carries no meter and no moment: they are its group's.
	readingFields = fieldTable{readingQuantity: "quantity", readingUnit: "unit", readingQuality: "quality",
		readingReason: "reason", readingValue: "value"}
)

// Limits on texts, in bytes; they bound what a decoder looks at before it
// knows better.
const (
	maxAreaCode = 12
	maxName     = 64 // of a quantity, a unit or a reason
)

// EncodeBatch appends the wire form of b to dst and returns the longer slice.
// It refuses a batch that Validate refuses and then returns dst unchanged.
// Equal batches have equal bytes. Neighbouring readings of one meter, moment
// and origin share a group, so that these are written once.
func EncodeBatch(dst []byte, b *Batch) ([]byte, error) {
	if err := b.Validate(); err != nil {
		return dst, fmt.Errorf("encode batch: %w", err)
	}
	head := batchHead{b.Collector, b.Area, b.SealedAt}
	if len(b.Accounts) > 0 {
		dst = head.appendWith(dst, 1, countGroups(b.Readings))
	} else {
		dst = head.append(dst, countGroups(b.Readings))
	}
	for rest := b.Readings; len(rest) > 0; {
		n := groupLen(rest)
		dst = appendGroup(dst, rest[:n])
		rest = rest[n:]
	}
	if len(b.Accounts) == 0 {
		return dst, nil
	}
	dst = cbor.AppendHead(appendUint(dst, batchAccounts), cbor.Array, uint64(len(b.Accounts)))
	for i := range b.Accounts {
		dst = appendAccount(dst, &b.Accounts[i])
	}
	return dst, nil
}

// sameGroup reports whether two neighbours belong to one group.
func sameGroup(a, b *Reading) bool {
	return a.Meter == b.Meter && a.TakenAt.Equal(b.TakenAt) && a.Origin == b.Origin
}

// groupLen returns how many of the first readings form one group. A group is
// as long as it can be; otherwise one batch would have several encodings.
func groupLen(rs []Reading) int {
	n := 1
	for n < len(rs) && sameGroup(&rs[0], &rs[n]) {
		n++
	}
	return n
}

func countGroups(rs []Reading) int {
	groups := 0
	for ; len(rs) > 0; groups++ {
		rs = rs[groupLen(rs):]
	}
	return groups
}

func appendGroup(dst []byte, rs []Reading) []byte {
	live := rs[0].Origin == Live
	fields := uint64(4)
	if live {
		fields = 3
	}
	dst = cbor.AppendHead(dst, cbor.Map, fields)
	dst = cbor.AppendText(appendUint(dst, groupMeter), rs[0].Meter)
	dst = appendTime(appendUint(dst, groupTakenAt), rs[0].TakenAt)
	dst = cbor.AppendHead(appendUint(dst, groupReadings), cbor.Array, uint64(len(rs)))
	for i := range rs {
		dst = appendReading(dst, &rs[i])
	}
	if !live {
		dst = cbor.AppendText(appendUint(dst, groupOrigin), rs[0].Origin)
	}
	return dst
}

func appendReading(dst []byte, r *Reading) []byte {
	fields := uint64(3)
	if r.Quality != Good {
		fields++
	}
	if r.HasValue() {
		fields++
	}
	dst = cbor.AppendHead(dst, cbor.Map, fields)
	dst = cbor.AppendText(appendUint(dst, readingQuantity), r.Quantity)
	dst = cbor.AppendText(appendUint(dst, readingUnit), r.Unit)
	dst = appendUint(appendUint(dst, readingQuality), uint64(r.Quality))
	if r.Quality != Good {
		dst = cbor.AppendText(appendUint(dst, readingReason), r.Reason)
	}
	if r.HasValue() {
		dst = appendDecimal(appendUint(dst, readingValue), r.Value)
	}
	return dst
}

// DecodeBatch reads what EncodeBatch writes and nothing else: every batch it
// returns is valid and encodes to the same bytes again. An error is a
// *FieldError that names the field ("readings[3].unit: missing") or a
// *VersionError. The batch shares no memory with data.
func DecodeBatch(data []byte) (*Batch, error) {
	b, err := decodeBatch(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = b.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode batch: %w", err)
	}
	return b, nil
}

func decodeBatch(d *decoder) (*Batch, error) {
	m := d.openMap(batchFields)
	h := m.head("batch")
	b := &Batch{Collector: h.collector, Area: h.area, SealedAt: h.sealedAt}
	groups := m.array(batchItems, MaxReadings)
	// A reading mostly takes more than 32 bytes, so that one allocation serves.
	if groups > 0 {
		b.Readings = make([]Reading, 0, min(MaxReadings, d.Rest()/32+1))
	}
	for i := 0; i < groups && m.err == nil; i++ {
		m.err = b.decodeGroup(d, i)
	}
	b.Accounts = m.accounts()
	return b, m.finish()
}

// decodeGroup appends the readings of group i.
func (b *Batch) decodeGroup(d *decoder, i int) error {
	m := d.openMap(groupFields)
	first := Reading{Meter: b.meter(m.text(groupMeter, maxID)), TakenAt: m.time(groupTakenAt)}
	n := m.array(groupReadings, MaxReadings-len(b.Readings))
	if m.err == nil && n == 0 {
		m.fail(groupReadings, errors.New("empty"))
	}
	if m.err != nil {
		return at(fmt.Sprintf("groups[%d]", i), m.err)
	}
	start := len(b.Readings)
	for range n {
		k := len(b.Readings)
		b.Readings = append(b.Readings, first)
		if err := decodeReading(d, &b.Readings[k]); err != nil {
			return at(fmt.Sprintf("readings[%d]", k), err)
		}
	}
	if m.has(groupOrigin) {
		origin := m.origin()
		for k := start; k < len(b.Readings); k++ {
			b.Readings[k].Origin = origin
		}
	}
	if err := m.close(); err != nil {
		return at(fmt.Sprintf("groups[%d]", i), err)
	}
	if start > 0 && sameGroup(&b.Readings[start-1], &b.Readings[start]) {
		return &FieldError{Field: fmt.Sprintf("groups[%d]", i), Problem: "same meter, taken_at and origin as the group before it; they must be one group"}
	}
	return nil
}

// origin reads the value of an origin's field, whose key has been read. The
// name comes from the table.
func (m *mapReader) origin() Origin {
	s, err := m.d.bytes(cbor.Text, maxName)
	if err == nil && len(s) == 0 {
		err = errors.New("empty; leave the field out for live readings")
	}
	m.fail(groupOrigin, err)
	for _, known := range originTable {
		if string(known) == string(s) {
			return known
		}
	}
	m.fail(groupOrigin, fmt.Errorf("unknown origin %q", s))
	return Live
}

// meter returns id as a string, the one of the last reading where they are
// equal.
func (b *Batch) meter(id []byte) MeterID {
	if n := len(b.Readings); n > 0 && string(b.Readings[n-1].Meter) == string(id) {
		return b.Readings[n-1].Meter
	}
	return MeterID(id)
}

// decodeReading fills in what differs inside a group. Names come from the
// tables, so that a reading allocates nothing.
func decodeReading(d *decoder, r *Reading) error {
	m := d.openMap(readingFields)
	if q := m.text(readingQuantity, maxName); m.err == nil {
		info, ok := quantityIndex[Quantity(q)]
		if !ok {
			m.fail(readingQuantity, fmt.Errorf("unknown quantity %q", q))
			return m.err
		}
		r.Quantity, r.Unit = quantityTable[info].Quantity, quantityTable[info].Unit
	}
	if u := m.text(readingUnit, maxName); m.err == nil && string(u) != string(r.Unit) {
		m.fail(readingUnit, unitProblem(Unit(u), r.Quantity, r.Unit))
	}
	r.Quality = Quality(m.uint(readingQuality, uint64(Missing)))
	if r.Quality != Good {
		r.Reason = m.reason()
	}
	if r.HasValue() && m.need(readingValue) {
		v, err := d.decimal()
		r.Value = v
		m.fail(readingValue, err)
	}
	return m.close()
}

func (m *mapReader) reason() Reason {
	s := m.text(readingReason, maxName)
	if m.err != nil {
		return ""
	}
	for _, row := range reasonTable {
		if string(row.reason) == string(s) {
			return row.reason
		}
	}
	m.fail(readingReason, fmt.Errorf("unknown reason %q", s))
	return ""
}

func unitProblem(u Unit, q Quantity, want Unit) error {
	return fmt.Errorf("%q is not the unit of %s, which is %q", u, q, want)
}
