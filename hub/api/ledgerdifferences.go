package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// DifferenceJSON is one thing that does not agree.
type DifferenceJSON struct {
	Key        string     `json:"key"`
	Class      string     `json:"class" example:"SALE_NO_PAY"`
	Utility    string     `json:"utility" enum:"water,power,gas"`
	State      string     `json:"state" enum:"open,explained,assigned,adjusted,closed"`
	Allowed    []string   `json:"allowed" nullable:"false" doc:"States to which it may go next"`
	Channel    string     `json:"channel"`
	Order      string     `json:"order"`
	Meter      string     `json:"meter"`
	From       *time.Time `json:"from,omitempty" doc:"Start of the installation"`
	Purchase   uint32     `json:"purchase" doc:"Purchase number; 0 for none"`
	Scheme     string     `json:"scheme" doc:"What numbers the purchases: seq or tid; empty for none"`
	Card       string     `json:"card"`
	Moment     *time.Time `json:"moment,omitempty"`
	Day        string     `json:"day" doc:"Accounting day of the fact"`
	Amount     string     `json:"amount" doc:"Yuan" example:"50.00"`
	Volume     int64      `json:"volume" doc:"Litres or watt-hours"`
	Shown      string     `json:"shown"`
	Expected   string     `json:"expected"`
	Note       string     `json:"note"`
	FoundRun   int64      `json:"found_run"`
	ClearedRun int64      `json:"cleared_run" doc:"0 while it is open"`
}

// DifferencePage is a page of differences.
type DifferencePage struct {
	Total int              `json:"total" doc:"Differences that match, on all pages"`
	Rows  []DifferenceJSON `json:"rows" nullable:"false"`
}

// TimelineJSON is a difference with everything that bears on it.
type TimelineJSON struct {
	Difference DifferenceJSON `json:"difference"`
	Events     []EventJSON    `json:"events" nullable:"false" doc:"In the order of time"`
}

// EventJSON is one line of a timeline: a sale, a payment, a card entry or a
// decision. What does not apply is empty.
type EventJSON struct {
	At       time.Time `json:"at"`
	What     string    `json:"what" enum:"sale,payment,entry,decision"`
	Kind     string    `json:"kind" doc:"Of the sale or entry, payment or refund, or the state that was decided"`
	Day      string    `json:"day" doc:"Accounting day"`
	Channel  string    `json:"channel"`
	Order    string    `json:"order"`
	Purchase uint32    `json:"purchase"`
	Card     string    `json:"card"`
	Amount   string    `json:"amount" doc:"With its unit: 50.00 CNY, 1200 L; empty where it is not known"`
	Residual string    `json:"residual" doc:"Credit left in the meter, likewise"`
	Bought   string    `json:"bought" doc:"Bought since the meter was fitted, likewise"`
	Who      string    `json:"who" doc:"Operator, or who decided"`
	Where    string    `json:"where" doc:"Terminal, or the channel's own number"`
	Why      string    `json:"why" doc:"Reason of a decision"`
	Evidence string    `json:"evidence"`
	Assignee string    `json:"assignee"`
}

func differenceJSON(d *LedgerDifference) DifferenceJSON {
	j := DifferenceJSON{Key: d.Key, Class: string(d.Class), Utility: string(d.Utility), State: string(d.State), Allowed: stateNames(d.State.Next()),
		Channel: d.Channel, Order: d.Order, Meter: string(d.Meter), From: timeOrNil(d.From), Purchase: d.Purchase.Number, Scheme: string(d.Purchase.Scheme),
		Card: string(d.Card), Moment: timeOrNil(d.Moment), Day: d.Day.String(), Amount: d.Amount.String(), Volume: d.Volume, Shown: d.Shown,
		Expected: d.Expected, Note: d.Note, FoundRun: d.FoundRun, ClearedRun: d.ClearedRun}
	return j
}

func stateNames(states []ledger.State) []string {
	names := make([]string, 0, len(states))
	for _, s := range states {
		names = append(names, string(s))
	}
	return names
}

func eventJSON(e *LedgerEvent) EventJSON {
	j := EventJSON{At: e.At.UTC()}
	switch {
	case e.Sale != nil:
		s := e.Sale
		j.What, j.Kind, j.Day, j.Channel, j.Order, j.Purchase = "sale", string(s.Kind), s.Day.String(), s.Channel, s.Order, s.Purchase.Number
		j.Card, j.Amount, j.Who, j.Where = string(s.Card), s.Amount.String()+" CNY", s.Operator, s.Terminal
	case e.Payment != nil:
		p := e.Payment
		j.What, j.Kind, j.Day, j.Channel, j.Order = "payment", "payment", p.Day.String(), p.Channel, p.Order
		if p.Refund {
			j.Kind = "refund"
		}
		j.Amount, j.Where = p.Amount.String()+" CNY", p.Reference
	case e.Entry != nil:
		c := e.Entry
		j.What, j.Kind, j.Day, j.Purchase, j.Card = "entry", string(c.Event), c.Day.String(), c.Purchase.Number, string(c.Card)
		j.Amount, j.Residual, j.Bought, j.Where = creditText(c.Amount), creditText(c.Residual), creditText(c.Bought), c.Terminal
	case e.Decision != nil:
		d := e.Decision
		j.What, j.Kind, j.Who, j.Why, j.Evidence, j.Assignee = "decision", string(d.To), d.Who, d.Why, d.Evidence, d.Assignee
		if d.To == ledger.Adjusted {
			j.Amount = d.Amount.String() + " CNY"
		}
	}
	return j
}

// creditText writes a credit with its unit.
func creditText(c schemas.Credit) string {
	switch c.Unit {
	case "":
		return ""
	case schemas.CreditFen:
		return schemas.Fen(c.Value).String() + " CNY"
	}
	return schemas.Decimal{Mantissa: c.Value}.String() + " " + string(c.Unit)
}

type (
	differencesInput struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only of this utility"`
		Class   string `query:"class" maxLength:"32" doc:"Only of this class"`
		State   string `query:"state" enum:"open,explained,assigned,adjusted,closed," doc:"Only in this state"`
		Meter   string `query:"meter" maxLength:"32" doc:"Only of this meter"`
		Cleared bool   `query:"cleared" doc:"Those that runs have cleared, instead of those that are open"`
		MinAge  int    `query:"min_age" minimum:"0" maximum:"100000" doc:"At least so many days old"`
		MaxAge  int    `query:"max_age" minimum:"-1" maximum:"100000" default:"-1" doc:"At most so many days old; -1 for no end"`
		AsOf    string `query:"as_of" doc:"The accounting day to which ages count; today when absent"`
		Paging
	}
	differencesOutput struct{ Body DifferencePage }
	differenceInput   struct {
		Key string `query:"key" required:"true" minLength:"1" maxLength:"400" doc:"Key of the difference"`
	}
	timelineOutput struct{ Body TimelineJSON }
)

func (l *ledgerRoutes) listDifferences(ctx context.Context, in *differencesInput) (*differencesOutput, error) {
	if in.Class != "" && !slices.Contains(ledger.Classes(), ledger.Class(in.Class)) {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "There is no class "+in.Class+". docs/reconciliation.md lists them.")
	}
	q := DifferenceQuery{Utility: schemas.Medium(in.Utility), Class: ledger.Class(in.Class), State: ledger.State(in.State), Meter: schemas.MeterID(in.Meter),
		Cleared: in.Cleared, MinAge: in.MinAge, MaxAge: in.MaxAge, Limit: in.Limit, Offset: in.Offset}
	if in.AsOf != "" {
		var bad *Problem
		if q.AsOf, bad = dayOf("as_of", in.AsOf); bad != nil {
			return nil, bad
		}
	}
	list, total, err := l.o.Differences.List(ctx, q)
	if err != nil {
		return nil, l.problemOf(ctx, "list differences", err)
	}
	out := &differencesOutput{Body: DifferencePage{Total: total, Rows: []DifferenceJSON{}}}
	for n := range list {
		out.Body.Rows = append(out.Body.Rows, differenceJSON(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) getDifference(ctx context.Context, in *differenceInput) (*timelineOutput, error) {
	d, events, err := l.o.Differences.Get(ctx, in.Key)
	if err != nil {
		return nil, l.problemOf(ctx, "difference", err)
	}
	out := &timelineOutput{Body: TimelineJSON{Difference: differenceJSON(&d), Events: []EventJSON{}}}
	for n := range events {
		out.Body.Events = append(out.Body.Events, eventJSON(&events[n]))
	}
	return out, nil
}

// DecisionJSON is one step of a difference's life.
type DecisionJSON struct {
	ID       int64     `json:"id"`
	Key      string    `json:"key"`
	State    string    `json:"state" enum:"explained,assigned,adjusted,closed" doc:"The state after it"`
	Who      string    `json:"who"`
	Why      string    `json:"why"`
	Evidence string    `json:"evidence"`
	Assignee string    `json:"assignee"`
	Amount   string    `json:"amount" doc:"By what the books are adjusted, yuan"`
	Volume   int64     `json:"volume" doc:"Likewise, litres or watt-hours"`
	At       time.Time `json:"at"`
}

type (
	decisionInput struct {
		Body struct {
			Key      string `json:"key" minLength:"1" maxLength:"400"`
			Action   string `json:"action" enum:"explain,assign,adjust,close"`
			Why      string `json:"why" minLength:"1" maxLength:"2000"`
			Evidence string `json:"evidence,omitempty" maxLength:"500" doc:"What supports it: a receipt, a photo, a letter"`
			Assignee string `json:"assignee,omitempty" maxLength:"200" doc:"Who has to see to it, for assign"`
			Amount   string `json:"amount,omitempty" maxLength:"24" doc:"By what the books are adjusted, yuan, for adjust" example:"-50.00"`
			Volume   int64  `json:"volume,omitempty" doc:"Likewise, litres or watt-hours"`
		}
	}
	decisionOutput struct{ Body DecisionJSON }
)

// Action returns the state that an action leads to and the role that it takes.
func Action(action string) (ledger.State, Role, bool) {
	switch action {
	case "explain":
		return ledger.Explained, Clerk, true
	case "assign":
		return ledger.Assigned, Clerk, true
	case "adjust":
		return ledger.Adjusted, Reviewer, true
	case "close":
		return ledger.Closed, Approver, true
	}
	return "", "", false
}

func (l *ledgerRoutes) postDecision(ctx context.Context, in *decisionInput) (*decisionOutput, error) {
	b, p := &in.Body, personOf(ctx)
	state, role, _ := Action(b.Action) // the enum leaves no other
	if !p.has(role) {
		return nil, needRole(p, role)
	}
	d := ledger.Decision{Key: b.Key, To: state, Who: p.Name, Why: b.Why, Evidence: b.Evidence, Assignee: b.Assignee, Volume: b.Volume}
	if b.Amount != "" {
		var err error
		if d.Amount, err = schemas.ParseFen(b.Amount); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
		}
	}
	done, err := l.o.Differences.Decide(ctx, d)
	if err != nil {
		return nil, l.decisionProblem(ctx, d, err)
	}
	return &decisionOutput{Body: DecisionJSON{ID: done.ID, Key: done.Key, State: string(done.To), Who: done.Who, Why: done.Why, Evidence: done.Evidence,
		Assignee: done.Assignee, Amount: done.Amount.String(), Volume: done.Volume, At: done.At.UTC()}}, nil
}

// decisionProblem names the steps that are possible instead.
func (l *ledgerRoutes) decisionProblem(ctx context.Context, d ledger.Decision, err error) *Problem {
	var step *ledger.StepError
	var person *ledger.SamePersonError
	switch {
	case errors.As(err, &step):
		p := problem(http.StatusConflict, codeStep, err.Error())
		p.Allowed = stateNames(step.Allowed)
		return p
	case errors.As(err, &person):
		p := problem(http.StatusConflict, codePerson, err.Error())
		if held, _, err := l.o.Differences.Get(ctx, d.Key); err == nil {
			p.Allowed = stateNames(slices.DeleteFunc(held.State.Next(), func(s ledger.State) bool { return s == d.To }))
		}
		return p
	}
	return l.problemOf(ctx, "decide", err)
}
