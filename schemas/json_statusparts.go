package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// octets are bytes of a line, as lower-case hex digits.
type octets []byte

// MarshalText writes lower-case hex.
func (b octets) MarshalText() ([]byte, error) { return hex.AppendEncode([]byte{}, b), nil }

// UnmarshalText reads what MarshalText writes.
func (b *octets) UnmarshalText(text []byte) error {
	v, err := hex.AppendDecode(nil, text)
	if err != nil || !bytes.Equal(bytes.ToLower(text), text) {
		return fmt.Errorf("%.40q is no bytes in lower-case hex digits", text)
	}
	*b = v
	return nil
}

// cut counts bytes that were left out; it is left out rather than 0.
type cut uint16

type exchangeJSON struct {
	At          moment   `json:"at"`
	Protocol    Protocol `json:"protocol"`
	Sent        octets   `json:"sent"`
	Received    octets   `json:"received"`
	SentCut     cut      `json:"sent_cut,omitempty"`
	ReceivedCut cut      `json:"received_cut,omitempty"`
}

// MarshalJSON writes {"at", "protocol", "sent", "received", "sent_cut",
// "received_cut"}; what was not cut has no count.
func (e Exchange) MarshalJSON() ([]byte, error) {
	return json.Marshal(exchangeJSON{moment(e.At), e.Protocol, octets(e.Sent), octets(e.Received), cut(e.SentCut), cut(e.ReceivedCut)})
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (e *Exchange) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Exchange{
		At:       time.Time(member[moment](o, "at")),
		Protocol: member[Protocol](o, "protocol"),
		Sent:     memberOctets(o, "sent"),
		Received: memberOctets(o, "received"),
	}
	v.SentCut = memberNumber[uint16](o, "sent_cut")
	v.ReceivedCut = memberNumber[uint16](o, "received_cut")
	return o.finish(v.Validate, func() { *e = v })
}

// memberOctets takes bytes; no bytes are nil.
func memberOctets(o *object, name string) []byte {
	if b := member[octets](o, name); len(b) > 0 {
		return b
	}
	return nil
}

// memberNumber takes a number that is left out rather than 0.
func memberNumber[N uint16 | uint64](o *object, name string) N {
	if !o.has(name) {
		return 0
	}
	n := member[N](o, name)
	if o.err == nil && n == 0 {
		o.err = &FieldError{Field: name, Problem: "0; leave the field out"}
	}
	return n
}

type lineJSON struct {
	Name    string   `json:"name"`
	Kind    LineKind `json:"kind"`
	Address string   `json:"address"`
	Meters  uint32   `json:"meters"`
	Planned uint64   `json:"planned"`
	Read    uint64   `json:"read"`
	Used    uint16   `json:"used"`
}

// MarshalJSON writes {"name", "kind", "address", "meters", "planned", "read",
// "used"}.
func (l LineStatus) MarshalJSON() ([]byte, error) { return json.Marshal(lineJSON(l)) }

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (l *LineStatus) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := LineStatus{
		Name:    member[string](o, "name"),
		Kind:    member[LineKind](o, "kind"),
		Address: member[string](o, "address"),
		Meters:  member[uint32](o, "meters"),
		Planned: member[uint64](o, "planned"),
		Read:    member[uint64](o, "read"),
		Used:    member[uint16](o, "used"),
	}
	return o.finish(v.validate, func() { *l = v })
}
