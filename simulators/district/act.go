package district

import (
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Act is something that somebody does to a case, or tries to do. Names of acts,
// roles, outcomes and so on are the words of docs/cases.md. Times are UTC and whole
// milliseconds.
type Act struct {
	// Case is the simulator's own number of the case.
	Case                     string
	Act                      string
	Person, Role, Department string
	// At is the clock of the device, ReceivedAt that of the hub.
	At, ReceivedAt time.Time
	Device         string // of an inspector or a department's worker
	Reason, Text   string
	Media          []Medium
	Report         *Report         // of report
	Classification *Classification // of classify
	Filing         *Filing         // of file
	Inspector      string          // of send_verify and send_check
	Outcome        string          // of answer_verify and answer_check: yes or no
	DuplicateOf    string          // of reject, a Case
	Departments    []string        // of dispatch
	Amount         int64           // of ask_extension
	Event          schemas.EventID // of cleared
	// Illegal says why the act must be refused; empty for all others. After a refusal
	// the case is as it was.
	Illegal string
}

// Medium is a photo by the digest of a made-up content.
type Medium struct{ SM3, Kind, Stage string }

// Report is the acquisition record.
type Report struct {
	Source, Type, Urgency string
	Class                 codes.Ref
	ClassName             string
	Component             schemas.ComponentID
	Condition             string
	Description, Location string
	Position              schemas.Position
	Cell                  codes.CellCode
	Duty                  codes.DutyCode
	SelfHandled           bool
	Event                 schemas.EventID
}

// Classification is another class.
type Classification struct {
	Class     codes.Ref
	ClassName string
}

// Filing is what stands fixed once a case is filed. Amount is 0 where there is no
// limit.
type Filing struct {
	Condition         string
	Cell              codes.CellCode
	NoCell, AreaClass string
	Amount            int64
	Unit              string
}
