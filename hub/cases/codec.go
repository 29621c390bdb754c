package cases

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// MaxEntry bounds the JSON form of an entry, in bytes.
const MaxEntry = 64 << 10

// moment is a time in its JSON form.
type moment struct{ time.Time }

// MarshalText writes RFC 3339 with milliseconds and Z.
func (m moment) MarshalText() ([]byte, error) { return m.UTC().AppendFormat(nil, timeLayout), nil }

// MarshalJSON keeps the one of time.Time from being taken.
func (m moment) MarshalJSON() ([]byte, error) {
	return m.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON reads what MarshalJSON writes and no other form.
func (m *moment) UnmarshalJSON(data []byte) error {
	t, err := time.Parse(`"`+timeLayout+`"`, string(data))
	if err != nil {
		return fmt.Errorf("%s is no time of the form %s", data, timeLayout)
	}
	m.Time = t
	return nil
}

// The JSON forms, in the order in which they are written. What says nothing is left
// out.
type entryJSON struct {
	Case           CaseID              `json:"case"`
	Number         uint32              `json:"number"`
	Act            Act                 `json:"act"`
	Person         PersonID            `json:"person"`
	Role           Role                `json:"role"`
	Department     DepartmentID        `json:"department,omitempty"`
	At             moment              `json:"at"`
	ReceivedAt     moment              `json:"received_at"`
	CountsAt       moment              `json:"counts_at"`
	ClockRefused   bool                `json:"clock_refused,omitempty"`
	ClientID       string              `json:"client_id,omitempty"`
	Device         string              `json:"device,omitempty"`
	Position       *positionJSON       `json:"position,omitempty"`
	Reason         string              `json:"reason,omitempty"`
	Text           string              `json:"text,omitempty"`
	Media          []mediaJSON         `json:"media,omitempty"`
	Report         *reportJSON         `json:"report,omitempty"`
	Classification *classificationJSON `json:"classification,omitempty"`
	Filing         *filingJSON         `json:"filing,omitempty"`
	Inspector      PersonID            `json:"inspector,omitempty"`
	Outcome        Outcome             `json:"outcome,omitempty"`
	DuplicateOf    CaseID              `json:"duplicate_of,omitempty"`
	Departments    []DepartmentID      `json:"departments,omitempty"`
	Amount         int64               `json:"amount,omitempty"`
	Request        uint32              `json:"request,omitempty"`
	Event          schemas.EventID     `json:"event,omitempty"`
	Previous       string              `json:"previous,omitempty"`
}

type positionJSON struct {
	Lon      float64     `json:"lon"`
	Lat      float64     `json:"lat"`
	CRS      schemas.CRS `json:"crs"`
	Accuracy float64     `json:"accuracy,omitempty"`
}

type mediaJSON struct {
	SM3   string    `json:"sm3"`
	Kind  MediaKind `json:"kind"`
	Stage Stage     `json:"stage"`
}

type reportJSON struct {
	Source        Source              `json:"source"`
	Type          CaseType            `json:"type"`
	Task          string              `json:"task,omitempty"`
	Class         codes.Ref           `json:"class"`
	ClassName     string              `json:"class_name"`
	Component     schemas.ComponentID `json:"component,omitempty"`
	Condition     string              `json:"condition,omitempty"`
	Description   string              `json:"description,omitempty"`
	Location      string              `json:"location,omitempty"`
	Position      *positionJSON       `json:"position,omitempty"`
	Cell          codes.CellCode      `json:"cell,omitempty"`
	Duty          codes.DutyCode      `json:"duty,omitempty"`
	Urgency       Urgency             `json:"urgency"`
	SelfHandled   bool                `json:"self_handled,omitempty"`
	Event         schemas.EventID     `json:"event,omitempty"`
	ReplyWanted   bool                `json:"reply_wanted,omitempty"`
	PetitionerSM3 string              `json:"petitioner_sm3,omitempty"`
}

type classificationJSON struct {
	Class     codes.Ref `json:"class"`
	ClassName string    `json:"class_name"`
	Condition string    `json:"condition,omitempty"`
}

type filingJSON struct {
	Condition string         `json:"condition"`
	Cell      codes.CellCode `json:"cell,omitempty"`
	NoCell    string         `json:"no_cell,omitempty"`
	AreaClass string         `json:"area_class,omitempty"`
	Limit     *limitJSON     `json:"limit,omitempty"`
}

type limitJSON struct {
	Amount int64 `json:"amount"`
	Unit   Unit  `json:"unit"`
}

// MarshalJSON writes the canonical form: one line, fields in one order, what says
// nothing left out. Equal entries have equal bytes. An entry that Validate refuses
// is an error.
func (e *Entry) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e.canonical(), nil
}

// UnmarshalJSON reads what MarshalJSON writes and nothing else: see DecodeEntry.
func (e *Entry) UnmarshalJSON(data []byte) error {
	d, err := DecodeEntry(data)
	if err == nil {
		*e = *d
	}
	return err
}

// DecodeEntry reads what MarshalJSON writes and nothing else: every entry that it
// returns is valid and has the same bytes again. Unknown, repeated and misplaced
// fields, blanks, and other spellings of values are refused.
func DecodeEntry(data []byte) (*Entry, error) {
	if len(data) > MaxEntry {
		return nil, fmt.Errorf("entry: %d bytes, want at most %d", len(data), MaxEntry)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var j entryJSON
	if err := dec.Decode(&j); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("entry: cut short")
		}
		return nil, fmt.Errorf("entry: %w", err)
	}
	e := j.entry()
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("entry: %w", err)
	}
	if again := e.canonical(); !bytes.Equal(again, data) {
		return nil, fmt.Errorf("entry: not in its canonical form from byte %d on", difference(again, data))
	}
	return e, nil
}

// difference returns where a and b differ first.
func difference(a, b []byte) int {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return n
		}
	}
	return min(len(a), len(b))
}

// canonical is the JSON form of a valid entry.
func (e *Entry) canonical() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e.json()); err != nil {
		return nil // a position that is no number, which Validate refuses
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Digest returns the SM3 digest of e, 64 hexadecimal digits, which the next entry
// names as Previous.
func (e *Entry) Digest() string { return digest(entryDigest, e.canonical()) }

const entryDigest = "citygrid case entry 1\n"

// Content returns the SM3 digest of what the client sent: e without number, chain,
// and the hub's times. Two uploads with one ClientID are the same where it is equal.
func (e *Entry) Content() string {
	c := *e
	c.Number, c.Previous, c.ReceivedAt, c.CountsAt, c.ClockRefused = 0, "", time.Time{}, time.Time{}, false
	return digest("citygrid case content 1\n", c.canonical())
}

// Digest returns the SM3 digest of p, for Report.PetitionerSM3.
func (p *Petitioner) Digest() string {
	data, _ := json.Marshal([]string{p.Salt, p.Name, p.Phone, p.Email}) // strings always have a JSON form
	return digest("citygrid petitioner 1\n", data)
}

// Validate reports what is wrong with p.
func (p *Petitioner) Validate() error {
	var list problems
	if len(p.Salt) != 32 || !only(p.Salt, isHexByte) {
		list.add("salt", "want 32 lower-case hexadecimal digits by chance")
	}
	list.line("name", p.Name, MaxName)
	list.line("phone", p.Phone, maxID)
	list.line("email", p.Email, 254) // RFC 5321 4.5.3.1
	if p.Name == "" && p.Phone == "" && p.Email == "" {
		list.add("name", "missing; a petitioner has a name, telephone or address")
	}
	return list.join()
}

// digest separates what is digested by its purpose.
func digest(purpose string, data []byte) string {
	h := gm.NewSM3()
	h.Write([]byte(purpose))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify checks that entries are the whole journal of one case up to some moment:
// numbered from 1, each naming the digest of the one before. It returns the digest
// of the last, to be held against one kept elsewhere: a journal whose end was cut
// off shows only there. An error is a *ChainError that names the first entry that
// does not fit.
func Verify(entries []Entry) (head string, err error) {
	for n := range entries {
		e := &entries[n]
		wrong := ""
		switch {
		case e.Number != uint32(n+1):
			wrong = fmt.Sprintf("stands at place %d; an entry is missing or was put in", n+1)
		case e.Case != entries[0].Case:
			wrong = fmt.Sprintf("stands in the journal of case %s", entries[0].Case)
		case e.Previous != head:
			wrong = "does not name the digest of the entry before; that one, or this, was changed"
		}
		if wrong != "" {
			return "", &ChainError{Case: e.Case, Number: e.Number, Problem: wrong}
		}
		head = e.Digest()
	}
	return head, nil
}
