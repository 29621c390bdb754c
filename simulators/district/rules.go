package district

import (
	"fmt"
	"time"

	"citygrid/schemas/codes"
)

// Rules are those of the district, as a limits file of docs/cases.md would say them.
type Rules struct {
	Zone string
	// Week are the shifts by weekday, from Sunday on, each "08:30-12:00".
	Week [7][]string
	// Holidays are dates without work, Moved dates that work like a weekday ("fri").
	Holidays []string
	Moved    map[string]string
	// Starts is filed or dispatched, Rework anew or left.
	Starts, Rework string
	// Stages are minutes of the stages, WorkStages those of which only working time
	// counts.
	Stages     map[string]int64
	WorkStages []string
	Limits     []LimitRule
	// Sensors are the acts that the hub may do for cases of sensors, Dispatch the
	// classes whose cases it dispatches, Offline how old an offline act may be.
	Sensors  []string
	Dispatch []codes.Ref
	Offline  time.Duration
}

// LimitRule is one limit. An empty Area is any.
type LimitRule struct {
	Class           codes.Ref
	Condition, Area string
	Amount          int64
	Unit            string
}

// The units of limits.
const (
	urgentHour = "urgent_hour"
	workHour   = "work_hour"
	workDay    = "work_day"
)

// offline is how old an act given offline may be.
const offline = 72 * time.Hour

// Rules returns the rules of the district. Those of the clock are by the options of
// the year.
func (d *District) rules(o YearOptions) Rules {
	weekday := []string{"08:30-12:00", "13:30-17:30"}
	r := Rules{Zone: "Asia/Shanghai", Starts: o.Starts, Rework: o.Rework, Moved: map[string]string{},
		Week: [7][]string{nil, weekday, weekday, weekday, weekday, weekday, {"09:00-12:00"}},
		Stages: map[string]int64{"send_verify": 10, "verify": 30, "accept": 10, "file": 10, "dispatch": 15,
			"send_check": 10, "check": 120, "close": 30},
		WorkStages: []string{"close"}, Sensors: []string{"accept", "file", "check", "close"},
		Dispatch: []codes.Ref{sensed("leak"), sensed("cover_open")}, Offline: offline}
	for _, year := range []int{d.o.From.Year(), d.o.From.Year() + 1} {
		for _, days := range [][2]string{{"01-01", "01-03"}, {"02-15", "02-21"}, {"05-01", "05-05"}, {"10-01", "10-07"}} {
			from, _ := time.Parse(time.DateOnly, fmt.Sprintf("%d-%s", year, days[0]))
			to, _ := time.Parse(time.DateOnly, fmt.Sprintf("%d-%s", year, days[1]))
			for t := from; !t.After(to); t = t.AddDate(0, 0, 1) {
				r.Holidays = append(r.Holidays, t.Format(time.DateOnly))
			}
			t := to.AddDate(0, 0, 2) // the Sunday after works like a Friday
			for t.Weekday() != time.Sunday {
				t = t.AddDate(0, 0, 1)
			}
			r.Moved[t.Format(time.DateOnly)] = "fri"
		}
	}
	r.Limits = d.limits()
	return r
}

func sensed(code string) codes.Ref {
	return codes.Ref{Standard: codes.Extension, Kind: codes.Event, Code: code}
}

// span is an amount and a unit.
type span struct {
	amount int64
	unit   string
}

// Conditions of filing (立案条件).
const (
	coverGone, coverHard = "井盖缺失或破损", "井盖缺失或破损, 无法及时更换"
	damaged, happens     = "缺失或破损", "问题属实"
)

// limits makes the list. Nobody has set a limit for post boxes and for batteries.
func (d *District) limits() (list []LimitRule) {
	add := func(class codes.Ref, condition string, everywhere, middle span) {
		list = append(list, LimitRule{class, condition, "", everywhere.amount, everywhere.unit})
		if middle.amount > 0 {
			list = append(list, LimitRule{class, condition, "1", middle.amount, middle.unit})
		}
	}
	for i := range d.mix.classes {
		c := &d.mix.classes[i]
		switch {
		case c.cover:
			add(c.report, coverGone, span{6, urgentHour}, span{})
			add(c.report, coverHard, span{36, urgentHour}, span{})
		case c.trade == parks || c.trade == housing:
			add(c.report, damaged, span{5, workDay}, span{3, workDay})
		case c.trade != post:
			add(c.report, damaged, span{2, workDay}, span{8, workHour})
		}
	}
	for _, m := range matters() {
		everywhere, middle := span{1, workDay}, span{4, workHour}
		switch m.trade {
		case rivers:
			everywhere, middle = span{15, workDay}, span{}
		case building, roads:
			everywhere, middle = span{4, workDay}, span{3, workDay}
		case sanitation:
			everywhere, middle = span{5, workHour}, span{2, workHour}
		case telecom:
			everywhere, middle = span{4, urgentHour}, span{}
		}
		add(d.matterRef(m), happens, everywhere, middle)
	}
	add(sensed("leak"), happens, span{24, urgentHour}, span{12, urgentHour})
	add(sensed("cover_open"), happens, span{4, urgentHour}, span{})
	add(sensed("valve_stuck"), happens, span{3, workDay}, span{})
	return list
}

// conditions are those of which a class has limits; one that none has is as good as
// another.
func (y *Year) conditions(class codes.Ref) []string {
	if list := y.conditionsOf[class]; len(list) > 0 {
		return list
	}
	return []string{happens}
}

// limit finds the limit of a class, condition and rank of the area.
func (y *Year) limit(class codes.Ref, condition, area string) span {
	if l, ok := y.limitOf[LimitRule{Class: class, Condition: condition, Area: area}]; ok {
		return l
	}
	return y.limitOf[LimitRule{Class: class, Condition: condition}]
}
