package cases

import (
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// CaseID is the number of a case, by the city's own rule: 1 to 40 of [0-9A-Za-z_-].
type CaseID string

// PersonID names a person: 1 to 32 of [0-9A-Za-z_.@-].
type PersonID string

// System is the person as which the hub acts: in the role sensor, and as dispatcher
// where the rules let it.
const System PersonID = "citygrid"

// DepartmentID is a unified social credit code (18) or the city's own number: 1 to
// 32 of [0-9A-Za-z_-].
type DepartmentID string

// Actor is a person in a role. Department is given for the role department and
// empty for all others.
type Actor struct {
	Person     PersonID
	Role       Role
	Department DepartmentID
}

// Entry is one act in the journal of a case. Times are UTC, whole milliseconds.
type Entry struct {
	// Case is the number of the case. Number counts its entries from 1.
	Case   CaseID
	Number uint32
	Act    Act
	Actor
	// At is the clock of the device that made the entry, ReceivedAt that of the hub.
	// CountsAt is the one that limits and indicators use, and ClockRefused says that
	// an offline device's clock could not be right, so that the hub's counts.
	At, ReceivedAt, CountsAt time.Time
	ClockRefused             bool
	// ClientID is a UUID that the device made, in lower case, so that an upload can
	// be repeated; empty where the client cannot repeat.
	ClientID string
	Device   string
	// Position is where the person stood, unknown where the device did not say.
	Position schemas.Position
	// Reason is why; Text what was seen or done.
	Reason, Text string
	Media        []Media

	Report         *Report         // of report
	Classification *Classification // of classify
	Filing         *Filing         // of file
	Inspector      PersonID        // of send_verify and send_check: who is sent
	Outcome        Outcome         // of answer_verify and answer_check
	DuplicateOf    CaseID          // of reject: the case that already holds this
	Departments    []DepartmentID  // of dispatch
	Amount         int64           // of ask_extension: in the unit of the case's limit
	// Request is, of approve, refuse and withdraw, the number of the entry that asked,
	// so that no answer meets another request than its author saw; 0 takes the open one.
	Request uint32
	// Event is, of cleared, the event that ended.
	Event schemas.EventID

	// Previous is the SM3 digest of the entry before, 64 hexadecimal digits; empty in
	// the first entry.
	Previous string
}

// Media names a stored photo, film or sound by its SM3 digest, 64 lower-case
// hexadecimal digits.
type Media struct {
	SM3   string
	Kind  MediaKind
	Stage Stage
}

// Report is the acquisition record (采集记录) of a case [GB/T 30428.7].
type Report struct {
	Source Source
	Type   CaseType
	// Task is the number of the patrol or census task; empty for none.
	Task string
	// Class names the class in a code list, ClassName what it was called there when
	// the report was made.
	Class     codes.Ref
	ClassName string
	// Component is the thing concerned where it is known; for an event it is a link.
	Component schemas.ComponentID
	// Condition is the filing condition (立案条件) that the reporter saw; empty where
	// the shift leader is to say.
	Condition   string
	Description string
	Location    string // in words
	// Position is where the thing is. Cell and Duty follow from it; street and
	// community are parts of the cell's code.
	Position schemas.Position
	Cell     codes.CellCode
	Duty     codes.DutyCode
	Urgency  Urgency
	// SelfHandled says that the inspector put it right on the spot (自处置).
	SelfHandled bool
	// Event is the component event of a sensor's report.
	Event schemas.EventID
	// ReplyWanted says that the petitioner wants an answer. PetitionerSM3 is the
	// digest of who that is: the person's data stand apart (Petitioner), so that the
	// journal can be shown and exported, and the data deleted, without breaking it.
	ReplyWanted   bool
	PetitionerSM3 string
}

// Classification is another class for a case.
type Classification struct {
	Class     codes.Ref
	ClassName string
	Condition string // empty leaves it
}

// Filing is what stands fixed once a case is filed.
type Filing struct {
	Condition string // of the limits file
	// Cell is where the case counts; where it is empty, NoCell says why.
	Cell   codes.CellCode
	NoCell string
	// AreaClass is the city's rank of the area for limits, empty for none.
	AreaClass string
	// Limit is the limit for handling as the limits file gave it at filing, so that a
	// later file changes no past deadline. Zero: nobody has set one.
	Limit Limit
}

// Petitioner is who reported something to the city: personal data. It is kept apart
// from the journal and never in exports or Open311; the report holds its digest.
type Petitioner struct {
	Name, Phone, Email string
	// Salt is 32 lower-case hexadecimal digits by chance, because a telephone number
	// could be guessed from its digest.
	Salt string
}

// Request is an open request.
type Request struct {
	Kind   RequestKind
	Number uint32 // of the entry that asked
	By     Actor
	Amount int64 // of an extension
	Reason string
	At     time.Time // when the hub received it
}
