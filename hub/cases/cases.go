// Package cases is the pure core of the case workflow (案卷): who may do what to a
// case in which state, the journal of what was done, and the state that the journal
// comes to. docs/cases.md is its specification; its stages are those of digital
// city management [GB/T 30428.8, GB/T 47678]. There is no clock, no store and no
// chance in here: times, ids and salts come from the caller.
//
// A caller fills an Entry, lets Case.Prepare put the hub's part into it, calls
// Apply and stores the entry. Fold turns stored entries into the Case again.
package cases

import "slices"

// Role is in what capacity a person acts. A person may have several and acts in one
// at a time.
type Role string

// The roles.
const (
	Inspector   Role = "inspector"    // 监督员
	Acceptor    Role = "acceptor"     // 受理员
	ShiftLeader Role = "shift_leader" // 值班长
	Dispatcher  Role = "dispatcher"   // 派遣员
	Department  Role = "department"   // 专业部门
	Public      Role = "public"       // 公众
	Sensor      Role = "sensor"       // 自动监测: the hub itself, for events from collectors
	Admin       Role = "admin"        // 管理员: acts in no case
)

// Roles returns every role, in the order of docs/cases.md.
func Roles() []Role {
	return []Role{Inspector, Acceptor, ShiftLeader, Dispatcher, Department, Public, Sensor, Admin}
}

// State is where a case stands. The empty State is that of a case without entries.
type State string

// The states.
const (
	Reported   State = "reported"   // 上报
	Verifying  State = "verifying"  // 核实中
	Verified   State = "verified"   // 已核实
	Accepted   State = "accepted"   // 受理
	Filed      State = "filed"      // 立案
	Dispatched State = "dispatched" // 已派遣
	Handling   State = "handling"   // 处置中
	Suspended  State = "suspended"  // 挂账
	FedBack    State = "fed_back"   // 已反馈
	Checking   State = "checking"   // 核查中
	Checked    State = "checked"    // 已核查
	Closed     State = "closed"     // 结案
	Rejected   State = "rejected"   // 不予受理
	Voided     State = "voided"     // 作废
)

// States returns every state, in the order of docs/cases.md.
func States() []State {
	return []State{Reported, Verifying, Verified, Accepted, Filed, Dispatched, Handling, Suspended,
		FedBack, Checking, Checked, Closed, Rejected, Voided}
}

// Final reports whether nothing can happen to a case in s any more.
func (s State) Final() bool { return s == Closed || s == Rejected || s == Voided }

// Act is what somebody does to a case.
type Act string

// The acts.
const (
	ActReport        Act = "report"
	ActClassify      Act = "classify"
	ActSendVerify    Act = "send_verify"
	ActAnswerVerify  Act = "answer_verify"
	ActAccept        Act = "accept"
	ActReject        Act = "reject"
	ActFile          Act = "file"
	ActDispatch      Act = "dispatch"
	ActTake          Act = "take"
	ActAskReturn     Act = "ask_return"
	ActAskExtension  Act = "ask_extension"
	ActAskSuspension Act = "ask_suspension"
	ActAskVoid       Act = "ask_void"
	ActApprove       Act = "approve"
	ActRefuse        Act = "refuse"
	ActWithdraw      Act = "withdraw"
	ActResume        Act = "resume"
	ActFeedBack      Act = "feed_back"
	ActSendCheck     Act = "send_check"
	ActAnswerCheck   Act = "answer_check"
	ActRework        Act = "rework"
	ActClose         Act = "close"
	ActNote          Act = "note"
	ActCleared       Act = "cleared"
)

// Acts returns every act, in the order of docs/cases.md.
func Acts() []Act {
	return []Act{ActReport, ActClassify, ActSendVerify, ActAnswerVerify, ActAccept, ActReject, ActFile,
		ActDispatch, ActTake, ActAskReturn, ActAskExtension, ActAskSuspension, ActAskVoid, ActApprove,
		ActRefuse, ActWithdraw, ActResume, ActFeedBack, ActSendCheck, ActAnswerCheck, ActRework, ActClose,
		ActNote, ActCleared}
}

// RequestKind is what somebody asks for and a second person decides.
type RequestKind string

// The kinds of requests.
const (
	Return     RequestKind = "return"     // 回退: the case is not this department's
	Extension  RequestKind = "extension"  // 延时: more time
	Suspension RequestKind = "suspension" // 挂账: the clock stops
	Void       RequestKind = "void"       // 作废: there never was a case
)

// RequestKinds returns every kind.
func RequestKinds() []RequestKind { return []RequestKind{Return, Extension, Suspension, Void} }

// Source is the channel by which a report came.
type Source string

// The sources. They are a closed list.
const (
	SourceInspector  Source = "inspector"  // 监督员上报
	SourcePublic     Source = "public"     // 公众举报
	SourceHotline    Source = "hotline"    // 热线 12319, 12345
	SourceVideo      Source = "video"      // 视频
	SourceLeader     Source = "leader"     // 领导交办
	SourceMedia      Source = "media"      // 媒体
	SourceWeb        Source = "web"        // 网络; Open311
	SourceAssessment Source = "assessment" // 考评
	SourceInspection Source = "inspection" // 督查
	SourceSensor     Source = "sensor"     // 自动监测
)

// Sources returns every source.
func Sources() []Source {
	return []Source{SourceInspector, SourcePublic, SourceHotline, SourceVideo, SourceLeader, SourceMedia,
		SourceWeb, SourceAssessment, SourceInspection, SourceSensor}
}

// FromPublic reports whether s is a report of the public (公众举报), which the
// indicators count apart.
func (s Source) FromPublic() bool {
	return s == SourcePublic || s == SourceHotline || s == SourceMedia || s == SourceWeb
}

// TakenAsSeen reports whether a report of s is accepted without an inspector's
// verification: somebody of the system, or the hub itself, has seen the thing.
func (s Source) TakenAsSeen() bool { return !s.FromPublic() }

// MayGive reports whether a report by r may name s as its source.
func (r Role) MayGive(s Source) bool {
	switch r {
	case Inspector:
		return s == SourceInspector
	case Acceptor:
		return s != SourceInspector && s != SourceSensor
	case Public:
		return s == SourcePublic || s == SourceHotline || s == SourceWeb
	case Sensor:
		return s == SourceSensor
	}
	return false
}

// CaseType is the kind of work that a case belongs to.
type CaseType string

// The case types. They are a closed list.
const (
	Daily     CaseType = "daily"  // 日常管理
	Census    CaseType = "census" // 专项普查
	OtherType CaseType = "other"  // 其他
)

// CaseTypes returns every case type.
func CaseTypes() []CaseType { return []CaseType{Daily, Census, OtherType} }

// Urgency is how urgent a report is.
type Urgency string

// The urgencies. They are a closed list.
const (
	Normal    Urgency = "normal"
	Urgent    Urgency = "urgent"
	Dangerous Urgency = "dangerous" // to life; an open manhole, escaping gas
)

// Urgencies returns every urgency.
func Urgencies() []Urgency { return []Urgency{Normal, Urgent, Dangerous} }

// Outcome is the answer of an inspector who was sent.
type Outcome string

// The outcomes.
const (
	Yes Outcome = "yes" // verify: the problem is there; check: it is repaired
	No  Outcome = "no"
)

// MediaKind is what a medium holds.
type MediaKind string

// The kinds of media. They are a closed list.
const (
	Image MediaKind = "image"
	Video MediaKind = "video"
	Audio MediaKind = "audio"
)

// MediaKinds returns every kind of media.
func MediaKinds() []MediaKind { return []MediaKind{Image, Video, Audio} }

// Stage is at which step of a case a medium was made.
type Stage string

// The stages of media. They are a closed list.
const (
	StageReport  Stage = "report"  // 上报
	StageVerify  Stage = "verify"  // 核实
	StageHandled Stage = "handled" // 处置后
	StageCheck   Stage = "check"   // 核查
)

// Stages returns every stage of media.
func Stages() []Stage { return []Stage{StageReport, StageVerify, StageHandled, StageCheck} }

// Unit is in what a time limit counts.
type Unit string

// The units of limits.
const (
	UrgentHour Unit = "urgent_hour" // 紧急工作时: runs day and night
	WorkHour   Unit = "work_hour"   // 工作时: runs within the shifts
	WorkDay    Unit = "work_day"    // 工作日: ends with the shift, n working days after
)

// Units returns every unit.
func Units() []Unit { return []Unit{UrgentHour, WorkHour, WorkDay} }

// Limit is a time limit: an amount of its unit. The zero Limit is "none": nobody
// has set one.
type Limit struct {
	Amount int64
	Unit   Unit
}

// Known reports whether there is a limit.
func (l Limit) Known() bool { return l != Limit{} }

// in reports whether v is in a closed list.
func in[T comparable](v T, list []T) bool { return slices.Contains(list, v) }
