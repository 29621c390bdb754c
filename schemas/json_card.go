package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// exact64 is an integer of 64 bits as a string.
type exact64 int64

// MarshalText writes decimal digits.
func (n exact64) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(n), 10), nil }

// UnmarshalText reads what MarshalText writes and no other spelling.
func (n *exact64) UnmarshalText(text []byte) error {
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || strconv.FormatInt(v, 10) != string(text) {
		return fmt.Errorf("%q is no whole number of 64 bits", text)
	}
	*n = exact64(v)
	return nil
}

type creditJSON struct {
	Value exact64    `json:"value"`
	Unit  CreditUnit `json:"unit"`
}

// MarshalJSON writes {"value":"5000","unit":"fen"}.
func (c Credit) MarshalJSON() ([]byte, error) {
	return json.Marshal(creditJSON{exact64(c.Value), c.Unit})
}

// UnmarshalJSON reads what MarshalJSON writes of a known credit, strictly.
func (c *Credit) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Credit{Value: int64(member[exact64](o, "value")), Unit: CreditUnit(memberText(o, "unit"))}
	return o.finish(nil, func() { *c = v })
}

type purchaseJSON struct {
	Scheme PurchaseScheme `json:"scheme"`
	Number uint32         `json:"number"`
}

// MarshalJSON writes {"scheme":"seq","number":7}.
func (p PurchaseRef) MarshalJSON() ([]byte, error) { return json.Marshal(purchaseJSON(p)) }

// UnmarshalJSON reads what MarshalJSON writes of a purchase, strictly.
func (p *PurchaseRef) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := PurchaseRef{Scheme: PurchaseScheme(memberText(o, "scheme")), Number: member[uint32](o, "number")}
	return o.finish(nil, func() { *p = v })
}

// cardJSON is the JSON form of a CardEntry, in the order in which it is
// written. Pointers and empty texts are absent fields.
type cardJSON struct {
	Event       CardEvent              `json:"event"`
	Source      CardSource             `json:"source"`
	Utility     Medium                 `json:"utility"`
	Meter       MeterID                `json:"meter,omitempty"`
	MeterNumber string                 `json:"meter_number,omitempty"`
	InstalledAt *moment                `json:"installed_at,omitempty"`
	Issuer      IssuerID               `json:"issuer,omitempty"`
	Card        CardID                 `json:"card,omitempty"`
	Replaces    CardID                 `json:"replaces,omitempty"`
	Customer    CustomerID             `json:"customer,omitempty"`
	Purchase    *PurchaseRef           `json:"purchase,omitempty"`
	Amount      *Credit                `json:"amount,omitempty"`
	Residual    *Credit                `json:"residual,omitempty"`
	Overdraft   *Credit                `json:"overdraft,omitempty"`
	Bought      *Credit                `json:"bought,omitempty"`
	Used        *Credit                `json:"used,omitempty"`
	Counters    map[CardCounter]uint32 `json:"counters,omitempty"`
	Fault       CardFault              `json:"fault,omitempty"`
	Terminal    string                 `json:"terminal,omitempty"`
	TakenAt     moment                 `json:"taken_at"`
	RecordedAt  *moment                `json:"recorded_at,omitempty"`
	// Last, as its key is the last.
	PurchaseModulus uint32 `json:"purchase_modulus,omitempty"`
}

// present returns a pointer to v, or nil when it says nothing.
func present[T comparable](v T) *T {
	var nothing T
	if v == nothing {
		return nil
	}
	return &v
}

func presentTime(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	m := moment(t)
	return &m
}

// MarshalJSON writes the JSON form [card.schema.json]. What says nothing is left
// out. An entry that Validate refuses is an error.
func (e CardEntry) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(cardJSON{
		Event: e.Event, Source: e.Source, Utility: e.Utility, Meter: e.Meter, MeterNumber: e.MeterNumber,
		InstalledAt: presentTime(e.InstalledAt), Issuer: e.Issuer, Card: e.Card, Replaces: e.Replaces, Customer: e.Customer,
		Purchase: present(e.Purchase), Amount: present(e.Amount), Residual: present(e.Residual), Overdraft: present(e.Overdraft),
		Bought: present(e.Bought), Used: present(e.Used), Counters: e.Counters, Fault: e.Fault, Terminal: e.Terminal,
		TakenAt: moment(e.TakenAt), RecordedAt: presentTime(e.RecordedAt), PurchaseModulus: e.PurchaseModulus,
	})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (e *CardEntry) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := CardEntry{
		Event:   CardEvent(member[string](o, "event")),
		Source:  CardSource(member[string](o, "source")),
		Utility: Medium(member[string](o, "utility")),
		Meter:   MeterID(textIfGiven(o, "meter")), MeterNumber: textIfGiven(o, "meter_number"),
		InstalledAt: momentIfGiven(o, "installed_at"),
		Issuer:      IssuerID(textIfGiven(o, "issuer")), Card: CardID(textIfGiven(o, "card")),
		Replaces: CardID(textIfGiven(o, "replaces")), Customer: CustomerID(textIfGiven(o, "customer")),
		Purchase: ifGiven[PurchaseRef](o, "purchase"),
		Amount:   ifGiven[Credit](o, "amount"), Residual: ifGiven[Credit](o, "residual"),
		Overdraft: ifGiven[Credit](o, "overdraft"), Bought: ifGiven[Credit](o, "bought"), Used: ifGiven[Credit](o, "used"),
		Counters: countersIfGiven(o), Fault: faultIfGiven(o), Terminal: textIfGiven(o, "terminal"),
		TakenAt: time.Time(member[moment](o, "taken_at")), RecordedAt: momentIfGiven(o, "recorded_at"), PurchaseModulus: modulusIfGiven(o),
	}
	return o.finish(v.Validate, func() { *e = v })
}

// ifGiven takes a member that may be absent.
func ifGiven[T any](o *object, name string) (v T) {
	if o.has(name) {
		v = member[T](o, name)
	}
	return v
}

func textIfGiven(o *object, name string) string {
	if !o.has(name) {
		return ""
	}
	return memberText(o, name)
}

// momentIfGiven refuses the zero time in its own form, which means "left out".
func momentIfGiven(o *object, name string) time.Time {
	if !o.has(name) {
		return time.Time{}
	}
	t := time.Time(member[moment](o, name))
	if o.err == nil {
		o.err = validTime(name, t)
	}
	return t
}

func countersIfGiven(o *object) map[CardCounter]uint32 {
	if !o.has("counters") {
		return nil
	}
	raw, ok := o.take("counters")
	if !ok {
		return nil
	}
	inner := openObject(raw)
	counters := make(map[CardCounter]uint32)
	for _, name := range cardCounterTable {
		if inner.has(string(name)) {
			counters[name] = member[uint32](inner, string(name))
		}
	}
	err := inner.finish(nil, func() {})
	if err == nil && len(counters) == 0 {
		err = &FieldError{Problem: errEmptyField.Error()}
	}
	o.err = at("counters", err)
	return counters
}

func faultIfGiven(o *object) CardFault {
	given := o.has("fault")
	f := ifGiven[CardFault](o, "fault")
	if given && o.err == nil && f == FaultNone {
		o.err = &FieldError{Field: "fault", Problem: "0; leave the field out"}
	}
	return f
}

// modulusIfGiven refuses 0, which means "left out".
func modulusIfGiven(o *object) uint32 {
	given := o.has("purchase_modulus")
	m := ifGiven[uint32](o, "purchase_modulus")
	if given && o.err == nil && m == 0 {
		o.err = &FieldError{Field: "purchase_modulus", Problem: "0; leave the field out"}
	}
	return m
}

type cardsJSON struct {
	Collector CollectorID `json:"collector"`
	Area      AreaCode    `json:"area"`
	SealedAt  moment      `json:"sealed_at"`
	Entries   []CardEntry `json:"entries"`
}

// MarshalJSON writes the JSON form [cards.schema.json].
func (b CardBatch) MarshalJSON() ([]byte, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(cardsJSON{b.Collector, b.Area, moment(b.SealedAt), b.Entries})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (b *CardBatch) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := CardBatch{
		Collector: member[CollectorID](o, "collector"),
		Area:      member[AreaCode](o, "area"),
		SealedAt:  time.Time(member[moment](o, "sealed_at")),
		Entries:   members[CardEntry](o, "entries", MaxCardEntries),
	}
	return o.finish(v.Validate, func() { *b = v })
}
