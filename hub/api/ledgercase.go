package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// LedgerWork are the differences of the books as work.
type LedgerWork interface {
	Work(ctx context.Context, f ledger.WorkFilter) (ledger.WorkList, error)
	// Dossier returns ErrUnknown where there is no difference of that key.
	Dossier(ctx context.Context, key string) (ledger.Dossier, error)
}

// WorkItemJSON is a difference in the list of work.
type WorkItemJSON struct {
	DifferenceJSON
	Assignee string     `json:"assignee" doc:"To whom it was given last"`
	LastBy   string     `json:"last_by" doc:"Who took the last step; adjust and close need somebody else"`
	LastAt   *time.Time `json:"last_at,omitempty"`
}

func workItemJSON(i *ledger.WorkItem) WorkItemJSON {
	d := LedgerDifference{Key: i.Key, Difference: i.Difference, State: i.State, FoundRun: i.FoundRun, ClearedRun: i.ClearedRun}
	return WorkItemJSON{DifferenceJSON: differenceJSON(&d), Assignee: i.Assignee, LastBy: i.LastBy, LastAt: timeOrNil(i.LastAt)}
}

// WorkGroupJSON sums the differences of one class, state and age.
type WorkGroupJSON struct {
	Class string `json:"class"`
	State string `json:"state"`
	Band  int    `json:"band" doc:"0: 0 to 1 days old, 1: 2 to 3, 2: 4 to 7, 3: 8 to 30, 4: 31 and more"`
	Count int64  `json:"count"`
	Above string `json:"above" doc:"Sum of the amounts above 0, yuan"`
	Below string `json:"below" doc:"Sum of those below 0, a negative number, yuan"`
}

// WorkListJSON is a page of the list of work.
type WorkListJSON struct {
	AsOf      string          `json:"as_of" doc:"The accounting day to which ages count"`
	Total     int64           `json:"total" doc:"Differences that match, on all pages"`
	Groups    []WorkGroupJSON `json:"groups" nullable:"false" doc:"Sums over all that match"`
	Assignees []string        `json:"assignees" nullable:"false" doc:"To whom open differences are given"`
	Rows      []WorkItemJSON  `json:"rows" nullable:"false"`
}

// WorkSelection is the filter that the list of work and its export share.
type WorkSelection struct {
	Utility  string   `query:"utility" enum:"water,power,gas," doc:"Only this utility"`
	Class    []string `query:"class" maxItems:"20" doc:"Only these classes, with commas between"`
	State    []string `query:"state" maxItems:"5" enum:"open,explained,assigned,adjusted,closed" doc:"Only in these states, with commas between"`
	Meter    string   `query:"meter" maxLength:"32"`
	Assignee string   `query:"assignee" maxLength:"200" doc:"Only what was given to this person last"`
	Text     string   `query:"text" maxLength:"64" doc:"Part of an order, a meter, a card or a key"`
	From     string   `query:"from" doc:"First day of the facts"`
	To       string   `query:"to" doc:"Last day of the facts"`
	MinAge   int      `query:"min_age" minimum:"0" maximum:"100000" doc:"At least so many days old"`
	MaxAge   int      `query:"max_age" minimum:"-1" maximum:"100000" default:"-1" doc:"At most so many days old; -1 for no end"`
	Least    string   `query:"least" maxLength:"24" doc:"At least this amount, whatever its sign, yuan" example:"50.00"`
	Most     string   `query:"most" maxLength:"24" doc:"At most this amount, whatever its sign, yuan"`
	Run      int64    `query:"run" minimum:"0" doc:"What this run found, cleared or not"`
	Cleared  bool     `query:"cleared" doc:"Those that are no longer open, instead of those that are"`
	AsOf     string   `query:"as_of" doc:"The accounting day to which ages count; today when absent"`
	Sort     string   `query:"sort" enum:"day,amount,class,state,meter" default:"day" doc:"amount: whatever its sign; state: in the order of its life"`
	Down     bool     `query:"down" doc:"Turn the order around"`
}

// filter checks what the schema cannot.
func (s *WorkSelection) filter(today ledger.Day) (ledger.WorkFilter, *Problem) {
	f := ledger.WorkFilter{Utility: schemas.Medium(s.Utility), Meter: schemas.MeterID(s.Meter), Assignee: s.Assignee, Text: s.Text, FoundBy: s.Run,
		Cleared: s.Cleared, AsOf: today, Sort: ledger.WorkOrder(s.Sort), Down: s.Down}
	for _, c := range s.Class {
		if !slices.Contains(ledger.Classes(), ledger.Class(c)) {
			return f, problem(http.StatusUnprocessableEntity, codeInvalid, "There is no class "+c+". docs/reconciliation.md lists them.")
		}
		f.Classes = append(f.Classes, ledger.Class(c))
	}
	for _, one := range s.State {
		f.States = append(f.States, ledger.State(one))
	}
	for _, d := range []struct {
		name, text string
		to         func(ledger.Day)
	}{
		{"from", s.From, func(d ledger.Day) { f.From = ledger.KnownDay{Day: d, Known: true} }},
		{"to", s.To, func(d ledger.Day) { f.To = ledger.KnownDay{Day: d, Known: true} }},
		{"as_of", s.AsOf, func(d ledger.Day) { f.AsOf = d }},
	} {
		if d.text == "" {
			continue
		}
		day, bad := dayOf(d.name, d.text)
		if bad != nil {
			return f, bad
		}
		d.to(day)
	}
	s.aged(&f)
	return f, amounts(&f, s.Least, s.Most)
}

// aged narrows the days to the ages that are asked for.
func (s *WorkSelection) aged(f *ledger.WorkFilter) {
	if last := f.AsOf - ledger.Day(s.MinAge); s.MinAge > 0 && (!f.To.Known || last < f.To.Day) {
		f.To = ledger.KnownDay{Day: last, Known: true}
	}
	if first := f.AsOf - ledger.Day(s.MaxAge); s.MaxAge >= 0 && (!f.From.Known || first > f.From.Day) {
		f.From = ledger.KnownDay{Day: first, Known: true}
	}
}

func amounts(f *ledger.WorkFilter, least, most string) *Problem {
	for _, a := range []struct {
		name, text string
		to         *schemas.Fen
	}{{"least", least, &f.Least}, {"most", most, &f.Most}} {
		if a.text == "" {
			continue
		}
		v, err := schemas.ParseFen(a.text)
		if err != nil || v < 0 {
			return problem(http.StatusUnprocessableEntity, codeInvalid, a.name+": want yuan with at most two decimals, such as 50.00.")
		}
		*a.to = v
	}
	return nil
}

// DossierStepJSON is a step that a difference could take next.
type DossierStepJSON struct {
	Action string `json:"action" enum:"explain,assign,adjust,close"`
	May    bool   `json:"may" doc:"The person who asks may take it"`
	Why    string `json:"why" enum:",role_missing,second_person_needed,cleared,tour_read_only" doc:"Why not; empty where it may"`
	Other  string `json:"other" doc:"Who took the step before, where it takes another person"`
}

// DossierEventJSON is an event of a timeline with where it came from.
type DossierEventJSON struct {
	EventJSON
	Row         int64  `json:"row" doc:"Number of the row in its ledger; 0 for decisions"`
	Import      int64  `json:"import" doc:"The file of a sale or payment; 0 for none"`
	File        string `json:"file" doc:"Its name"`
	Undoes      string `json:"undoes" doc:"The order that a refund, reversal or reissue is about"`
	Customer    string `json:"customer"`
	MeterNumber string `json:"meter_number"`
	Used        string `json:"used" doc:"Used since the meter was fitted, with its unit; empty where it is not known"`
	Overdraft   string `json:"overdraft"`
	Source      string `json:"source" doc:"Where a card entry was read"`
	Collector   string `json:"collector" doc:"Who told of it"`
	Volume      int64  `json:"volume" doc:"Of a sale or an adjustment, litres or watt-hours"`
}

// DossierHistoryJSON is what one run did with a difference.
type DossierHistoryJSON struct {
	Run    int64     `json:"run"`
	Day    string    `json:"day" doc:"The run's last day"`
	State  string    `json:"state" enum:"done,set_aside" doc:"Of the run"`
	What   string    `json:"what" enum:"found,cleared,decided"`
	Amount string    `json:"amount"`
	At     time.Time `json:"at"`
}

// DossierJSON is a difference with everything that bears on it.
type DossierJSON struct {
	AsOf       string               `json:"as_of" doc:"The accounting day of now"`
	Difference WorkItemJSON         `json:"difference"`
	Steps      []DossierStepJSON    `json:"steps" nullable:"false" doc:"What may come next, and who may not"`
	Events     []DossierEventJSON   `json:"events" nullable:"false" doc:"In the order of time"`
	History    []DossierHistoryJSON `json:"history" nullable:"false" doc:"What runs did with it"`
	Place      *PlaceJSON           `json:"place,omitempty"`
}

func dossierEventJSON(e *ledger.DossierEvent) DossierEventJSON {
	j := DossierEventJSON{EventJSON: eventJSON(&LedgerEvent{At: e.At, Sale: e.Sale, Payment: e.Payment, Entry: e.Entry, Decision: e.Decision}),
		Import: e.Import, File: e.File, Collector: e.Collector}
	switch {
	case e.Sale != nil:
		j.Row, j.Undoes, j.Customer, j.MeterNumber, j.Volume = e.Sale.ID, e.Sale.Undoes, string(e.Sale.Customer), e.Sale.MeterNumber, e.Sale.Volume
	case e.Payment != nil:
		j.Row = e.Payment.ID
	case e.Entry != nil:
		c := e.Entry
		j.Row, j.Customer, j.MeterNumber, j.Source = c.ID, string(c.Customer), c.MeterNumber, string(c.Source)
		j.Used, j.Overdraft = creditText(c.Used), creditText(c.Overdraft)
	case e.Decision != nil:
		j.Volume = e.Decision.Volume
	}
	return j
}

// dossierSteps says what the person who asks may do next.
func dossierSteps(ctx context.Context, c *ledger.Dossier) []DossierStepJSON {
	p, out := personOf(ctx), []DossierStepJSON{}
	for _, action := range []string{"explain", "assign", "adjust", "close"} {
		state, role, _ := Action(action)
		if !slices.Contains(c.State.Next(), state) {
			continue
		}
		s := DossierStepJSON{Action: action}
		second := state == ledger.Adjusted || state == ledger.Closed
		if second {
			s.Other = c.LastBy
		}
		switch {
		case c.ClearedRun != 0 && state != ledger.Closed:
			s.Why = "cleared"
		case visitOf(ctx).tour():
			s.Why = codeTour
		case !p.has(role):
			s.Why = codeRole
		case second && ledger.SamePerson(p.Name, c.LastBy):
			s.Why = codePerson
		}
		s.May = s.Why == ""
		out = append(out, s)
	}
	return out
}

type (
	workInput struct {
		WorkSelection
		Paging
	}
	workOutput    struct{ Body WorkListJSON }
	dossierOutput struct{ Body DossierJSON }
)

// registerWork adds the list of work and its dossiers.
func (l *ledgerRoutes) registerWork(api huma.API) {
	deskGet(l, api, "ledger-list-work", "/api/v1/ledger/work", "Differences as work: filtered, sorted, summed by class, state and age", l.listWork)
	deskGet(l, api, "ledger-get-dossier", "/api/v1/ledger/dossier", "One difference with its timeline, sources, history and the steps that may come next", l.getDossier)
}

func (l *ledgerRoutes) listWork(ctx context.Context, in *workInput) (*workOutput, error) {
	f, bad := in.filter(l.o.Desk.Today())
	if bad != nil {
		return nil, bad
	}
	f.Limit, f.Offset = in.Limit, in.Offset
	list, err := l.o.Desk.Work.Work(ctx, f)
	if err != nil {
		return nil, l.problemOf(ctx, "list of work", err)
	}
	j := WorkListJSON{AsOf: f.AsOf.String(), Total: list.Total, Groups: []WorkGroupJSON{}, Assignees: []string{}, Rows: []WorkItemJSON{}}
	j.Assignees = append(j.Assignees, list.Assignees...)
	for _, g := range list.Groups {
		j.Groups = append(j.Groups, WorkGroupJSON{Class: string(g.Class), State: string(g.State), Band: g.Band, Count: g.Count, Above: g.Above.String(), Below: g.Below.String()})
	}
	for n := range list.Items {
		j.Rows = append(j.Rows, workItemJSON(&list.Items[n]))
	}
	return &workOutput{Body: j}, nil
}

func (l *ledgerRoutes) getDossier(ctx context.Context, in *differenceInput) (*dossierOutput, error) {
	c, err := l.o.Desk.Work.Dossier(ctx, in.Key)
	if err != nil {
		return nil, l.problemOf(ctx, "dossier", err)
	}
	j := DossierJSON{AsOf: l.o.Desk.Today().String(), Difference: workItemJSON(&c.WorkItem), Steps: dossierSteps(ctx, &c), Events: []DossierEventJSON{}, History: []DossierHistoryJSON{}}
	for n := range c.Events {
		j.Events = append(j.Events, dossierEventJSON(&c.Events[n]))
	}
	for _, h := range c.History {
		j.History = append(j.History, DossierHistoryJSON{Run: h.Run, Day: h.To.String(), State: h.State, What: h.What, Amount: h.Amount.String(), At: h.At.UTC()})
	}
	if c.Place != nil {
		p := ledgerPlaceJSON(c.Place)
		j.Place = &p
	}
	return &dossierOutput{Body: j}, nil
}
