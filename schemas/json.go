package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/internal/strictjson"
)

// The JSON forms are for the API and for people. They are as strict as the
// wire forms: what a Marshal writes is valid, and an Unmarshal refuses unknown,
// missing and repeated fields, null, and names in another case. Exact numbers
// are strings, because most readers of JSON hold a number as a float64.

// timeLayout is RFC 3339 with milliseconds, always in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// moment is a time in its JSON form.
type moment time.Time

// MarshalText writes RFC 3339 with milliseconds and Z.
func (m moment) MarshalText() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(nil, timeLayout), nil
}

// UnmarshalText reads what MarshalText writes and no other form.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(timeLayout, string(text))
	if err != nil || t.Format(timeLayout) != string(text) {
		return fmt.Errorf("%q is no time of the form %s", text, timeLayout)
	}
	*m = moment(t)
	return nil
}

// MarshalText writes the decimal as String does.
func (d Decimal) MarshalText() ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes and no other spelling of the
// number. A whole number comes back with exponent 0 where it fits.
func (d *Decimal) UnmarshalText(text []byte) error {
	v, err := ParseDecimal(string(text))
	if err != nil {
		return err
	}
	if v.String() != string(text) {
		return fmt.Errorf("decimal %q: write it as %q", text, v)
	}
	*d = v
	return nil
}

// MarshalText writes the quality's name.
func (q Quality) MarshalText() ([]byte, error) {
	if q > Missing {
		return nil, fmt.Errorf("unknown quality %d", uint8(q))
	}
	return []byte(q.String()), nil
}

// UnmarshalText reads a quality's name.
func (q *Quality) UnmarshalText(text []byte) error {
	for _, known := range []Quality{Good, Suspect, Missing} {
		if known.String() == string(text) {
			*q = known
			return nil
		}
	}
	return fmt.Errorf("unknown quality %q, want good, suspect or missing", text)
}

// readingJSON is the JSON form of a Reading, in the order in which it is
// written. Pointers are absent fields.
type readingJSON struct {
	Meter    MeterID  `json:"meter"`
	Quantity Quantity `json:"quantity"`
	Value    *Decimal `json:"value,omitempty"`
	Unit     Unit     `json:"unit"`
	TakenAt  moment   `json:"taken_at"`
	Quality  Quality  `json:"quality"`
	Reason   *Reason  `json:"reason,omitempty"`
	Origin   *Origin  `json:"origin,omitempty"`
}

// MarshalJSON writes the JSON form [reading.schema.json]. A missing reading
// has no "value", a good one no "reason", a live one no "origin". A reading
// that Validate refuses is an error.
func (r Reading) MarshalJSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := readingJSON{Meter: r.Meter, Quantity: r.Quantity, Unit: r.Unit, TakenAt: moment(r.TakenAt), Quality: r.Quality}
	if r.HasValue() {
		j.Value = &r.Value
	}
	if r.Quality != Good {
		j.Reason = &r.Reason
	}
	if r.Origin != Live {
		j.Origin = &r.Origin
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (r *Reading) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Reading{
		Meter:    member[MeterID](o, "meter"),
		Quantity: member[Quantity](o, "quantity"),
		Unit:     member[Unit](o, "unit"),
		TakenAt:  time.Time(member[moment](o, "taken_at")),
		Quality:  member[Quality](o, "quality"),
	}
	if v.Quality != Good {
		v.Reason = member[Reason](o, "reason")
	}
	if v.HasValue() {
		v.Value = member[Decimal](o, "value")
	}
	if o.has("origin") {
		v.Origin = Origin(memberText(o, "origin"))
	}
	return o.finish(v.Validate, func() { *r = v })
}

type batchJSON struct {
	Collector CollectorID `json:"collector"`
	Area      AreaCode    `json:"area"`
	SealedAt  moment      `json:"sealed_at"`
	Readings  []Reading   `json:"readings"`

	Accounts []SlotAccount `json:"accounts,omitempty"`
}

// MarshalJSON writes the JSON form [batch.schema.json].
func (b Batch) MarshalJSON() ([]byte, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	readings := b.Readings
	if readings == nil {
		readings = []Reading{} // an empty list, not null
	}
	return json.Marshal(batchJSON{b.Collector, b.Area, moment(b.SealedAt), readings, b.Accounts})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (b *Batch) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Batch{
		Collector: member[CollectorID](o, "collector"),
		Area:      member[AreaCode](o, "area"),
		SealedAt:  time.Time(member[moment](o, "sealed_at")),
		Readings:  members[Reading](o, "readings", MaxReadings),
	}
	if o.has("accounts") {
		v.Accounts = memberList[SlotAccount](o, "accounts", MaxAccounts)
	}
	return o.finish(v.Validate, func() { *b = v })
}

type rangeJSON struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

// MarshalJSON writes {"from":1,"to":5}.
func (s SeqRange) MarshalJSON() ([]byte, error) { return json.Marshal(rangeJSON(s)) }

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (s *SeqRange) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := SeqRange{From: member[uint32](o, "from"), To: member[uint32](o, "to")}
	return o.finish(nil, func() { *s = v })
}

// random8 is the random part of a session, as 16 lower-case hex digits.
type random8 [8]byte

// MarshalText writes lower-case hex.
func (r random8) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, r[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (r *random8) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil || len(b) != len(r) || !bytes.Equal(bytes.ToLower(text), text) {
		return fmt.Errorf("%q is not 16 lower-case hex digits", text)
	}
	copy(r[:], b)
	return nil
}

type receiptJSON struct {
	Collector CollectorID `json:"collector"`
	Boot      uint32      `json:"boot"`
	Random    random8     `json:"random"`
	Stored    []SeqRange  `json:"stored"`
}

// MarshalJSON writes the JSON form [receipt.schema.json].
func (r Receipt) MarshalJSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(receiptJSON{r.Collector, r.Boot, r.Random, r.Stored})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (r *Receipt) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Receipt{
		Collector: member[CollectorID](o, "collector"),
		Boot:      member[uint32](o, "boot"),
		Random:    member[random8](o, "random"),
		Stored:    members[SeqRange](o, "stored", MaxSeqRanges),
	}
	return o.finish(v.Validate, func() { *r = v })
}

// object holds the members of a JSON object until they are taken. The first
// error sticks.
type object struct {
	members map[string]json.RawMessage
	err     error
}

func openObject(data []byte) *object {
	members, err := strictjson.Members(data)
	if e, ok := errors.AsType[*strictjson.Error](err); ok {
		err = &FieldError{Field: e.Field, Problem: e.Problem}
	}
	return &object{members, err}
}

// take removes a member that must be there and must not be null.
func (o *object) take(name string) (json.RawMessage, bool) {
	if o.err != nil {
		return nil, false
	}
	raw, ok := o.members[name]
	delete(o.members, name)
	switch {
	case !ok:
		o.err = &FieldError{Field: name, Problem: "missing"}
	case string(raw) == "null":
		o.err = &FieldError{Field: name, Problem: "null is not allowed"}
	}
	return raw, o.err == nil
}

// member takes a member of the object as a T.
func member[T any](o *object, name string) (v T) {
	if raw, ok := o.take(name); ok {
		o.err = unmarshalAt(name, raw, &v)
	}
	return v
}

// has reports whether the object has a member that may be absent.
func (o *object) has(name string) bool {
	_, ok := o.members[name]
	return ok && o.err == nil
}

// memberText takes a member that is left out rather than empty.
func memberText(o *object, name string) string {
	s := member[string](o, name)
	if o.err == nil && s == "" {
		o.err = &FieldError{Field: name, Problem: "empty; leave the field out"}
	}
	return s
}

// members takes an array of at most limit elements.
func members[T any](o *object, name string, limit int) []T {
	raw := member[[]json.RawMessage](o, name)
	if o.err == nil && len(raw) > limit {
		o.err = &FieldError{Field: name, Problem: fmt.Sprintf("%d elements, want at most %d", len(raw), limit)}
	}
	if o.err != nil || len(raw) == 0 {
		return nil
	}
	vs := make([]T, len(raw))
	for i := range raw {
		if o.err = unmarshalAt(fmt.Sprintf("%s[%d]", name, i), raw[i], &vs[i]); o.err != nil {
			return nil
		}
	}
	return vs
}

// unmarshalAt decodes one value and puts its place before any error.
func unmarshalAt(place string, raw json.RawMessage, v any) error {
	err := json.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		return at(place, fe)
	}
	return &FieldError{Field: place, Problem: err.Error()}
}

// finish refuses members that nobody took, validates, and only then accepts.
func (o *object) finish(validate func() error, accept func()) error {
	if o.err != nil {
		return o.err
	}
	if len(o.members) > 0 {
		names := make([]string, 0, len(o.members))
		for name := range o.members {
			names = append(names, name)
		}
		return &FieldError{Field: slices.Min(names), Problem: "unknown field, or one that must not be given here"}
	}
	if validate != nil {
		if err := validate(); err != nil {
			return err
		}
	}
	accept()
	return nil
}
