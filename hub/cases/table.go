package cases

import "slices"

// Transition is one row of the table of acts: who may do it, in which states, and
// the states that may follow. Request is what an approval, refusal or withdrawal is
// about, and empty for all other acts. An empty From is a case without entries; an
// empty To is the state that the case is in.
type Transition struct {
	Act     Act
	Request RequestKind
	By      []Role
	From    []State
	To      []State
}

// Table returns a copy of the table of acts, in the order of docs/cases.md. Nothing
// else moves a case; the guards of the page come on top.
func Table() []Transition {
	list := make([]Transition, len(table))
	for n, t := range table {
		t.By, t.From, t.To = slices.Clone(t.By), slices.Clone(t.From), slices.Clone(t.To)
		list[n] = t
	}
	return list
}

// Brings reports whether a may bring a case into a state.
func (a Act) Brings(s State) bool {
	return slices.ContainsFunc(table, func(t Transition) bool { return t.Act == a && in(s, t.To) })
}

// asks names the act that opens a request of each kind.
func (k RequestKind) asks() Act { return Act("ask_" + string(k)) }

// opens returns the kind of request that a opens, or "".
func (a Act) opens() RequestKind {
	for _, k := range RequestKinds() {
		if k.asks() == a {
			return k
		}
	}
	return ""
}

// answers reports whether a ends a request.
func (a Act) answers() bool { return a == ActApprove || a == ActRefuse || a == ActWithdraw }

var table = []Transition{
	{Act: ActReport, By: roles(Inspector, Acceptor, Public, Sensor), To: states(Reported)},
	{Act: ActClassify, By: roles(Acceptor), From: states(Reported, Verified, Accepted)},
	{Act: ActSendVerify, By: roles(Acceptor), From: states(Reported), To: states(Verifying)},
	{Act: ActAnswerVerify, By: roles(Inspector), From: states(Verifying), To: states(Verified)},
	{Act: ActAccept, By: roles(Acceptor, Sensor), From: states(Reported, Verified), To: states(Accepted)},
	{Act: ActReject, By: roles(Acceptor), From: states(Reported, Verified), To: states(Rejected)},
	{Act: ActFile, By: roles(ShiftLeader, Sensor), From: states(Accepted), To: states(Filed)},
	{Act: ActDispatch, By: roles(Dispatcher), From: states(Filed), To: states(Dispatched)},
	{Act: ActTake, By: roles(Department), From: states(Dispatched), To: states(Handling)},

	{Act: ActAskReturn, By: roles(Department), From: states(Dispatched, Handling)},
	{Act: ActAskExtension, By: roles(Department), From: states(Handling)},
	{Act: ActAskSuspension, By: roles(Department), From: states(Handling)},
	{Act: ActAskVoid, By: roles(Acceptor, Dispatcher), From: voidable()},

	{Act: ActApprove, Request: Return, By: roles(Dispatcher), From: states(Dispatched, Handling), To: states(Filed, Dispatched)},
	{Act: ActApprove, Request: Extension, By: roles(Dispatcher), From: states(Handling)},
	{Act: ActApprove, Request: Suspension, By: roles(ShiftLeader), From: states(Handling), To: states(Suspended)},
	{Act: ActApprove, Request: Void, By: roles(ShiftLeader), From: voidable(), To: states(Voided)},
	{Act: ActRefuse, Request: Return, By: roles(Dispatcher), From: states(Dispatched, Handling)},
	{Act: ActRefuse, Request: Extension, By: roles(Dispatcher), From: states(Handling)},
	{Act: ActRefuse, Request: Suspension, By: roles(ShiftLeader), From: states(Handling)},
	{Act: ActRefuse, Request: Void, By: roles(ShiftLeader), From: voidable()},
	{Act: ActWithdraw, Request: Return, By: roles(Department), From: states(Dispatched, Handling)},
	{Act: ActWithdraw, Request: Extension, By: roles(Department), From: states(Handling)},
	{Act: ActWithdraw, Request: Suspension, By: roles(Department), From: states(Handling)},
	{Act: ActWithdraw, Request: Void, By: roles(Acceptor, Dispatcher), From: voidable()},

	{Act: ActResume, By: roles(Department, Dispatcher), From: states(Suspended), To: states(Handling)},
	{Act: ActFeedBack, By: roles(Department), From: states(Handling), To: states(FedBack)},
	{Act: ActSendCheck, By: roles(Acceptor, Sensor), From: states(FedBack), To: states(Checking)},
	{Act: ActAnswerCheck, By: roles(Inspector, Sensor), From: states(Checking), To: states(Checked)},
	{Act: ActRework, By: roles(Acceptor, ShiftLeader), From: states(Checked), To: states(Handling)},
	{Act: ActClose, By: roles(ShiftLeader, Sensor), From: states(Checked, Reported), To: states(Closed)},
	{Act: ActNote, By: roles(Inspector, Acceptor, ShiftLeader, Dispatcher, Department, Sensor), From: open()},
	{Act: ActCleared, By: roles(Sensor), From: open()},
}

func roles(r ...Role) []Role    { return r }
func states(s ...State) []State { return s }

// voidable are the states in which a case may be voided.
func voidable() []State { return states(Accepted, Filed, Dispatched, Handling, Suspended) }

// open are the states that are not final.
func open() []State { return slices.DeleteFunc(States(), State.Final) }

// allows reports whether t may happen in s.
func (t *Transition) allows(s State) bool {
	if len(t.From) == 0 {
		return s == ""
	}
	return in(s, t.From)
}
