package district

import (
	"fmt"

	"citygrid/schemas/codes"
)

// The roles of docs/cases.md.
const (
	inspector   = "inspector"
	acceptor    = "acceptor"
	shiftLeader = "shift_leader"
	dispatcher  = "dispatcher"
	department  = "department"
	public      = "public"
	sensor      = "sensor"
)

// system is the person as which the hub acts.
const system = "citygrid"

// How many there are of each, and of staff in a department.
const (
	acceptors, shiftLeaders, dispatchers, staff = 6, 4, 4, 3
)

// Department is a specialist department, with the classes that it takes where
// nobody owns the component.
type Department struct {
	ID, Name, Phone string
	Classes         []codes.Ref
}

// department is who does a trade; a small district has fewer, with several trades.
func (d *District) department(t trade) string { return departmentID(int(t) % d.o.Departments) }

func departmentID(n int) string { return fmt.Sprintf("D%02d", n+1) }

// candidates are who takes what has no owner: for covers all that have covers of
// their own in every street.
func (d *District) candidates(old string, t trade) (list []string) {
	trades := []trade{t}
	if old == "0114" {
		trades = []trade{water, drainage, power, gas, telecom}
	}
	seen := map[string]bool{}
	for _, t := range trades {
		if id := d.department(t); !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}

// Departments returns all of them.
func (d *District) Departments() []Department {
	list := make([]Department, d.o.Departments)
	at := map[string]int{}
	for n := range list {
		list[n] = Department{ID: departmentID(n), Name: CountyName + trades()[n], Phone: fmt.Sprintf("0512-5550%04d", 100+n)}
		at[list[n].ID] = n
	}
	take := func(id string, ref codes.Ref) { list[at[id]].Classes = append(list[at[id]].Classes, ref) }
	for i := range d.mix.classes {
		c := &d.mix.classes[i]
		for _, id := range d.candidates(c.old, c.trade) {
			take(id, c.ref)
		}
	}
	for _, m := range matters() {
		take(d.department(m.trade), d.matterRef(m))
	}
	return list
}

func (d *District) matterRef(m matter) codes.Ref {
	if d.o.Standard == codes.GBT47678 {
		return codes.Ref{Standard: d.o.Standard, Kind: codes.Event, Code: m.new}
	}
	return codes.Ref{Standard: d.o.Standard, Kind: codes.Event, Code: m.old}
}

// Person is somebody who works with cases.
type Person struct {
	ID, Name   string
	Roles      []string
	Department string
	Duty       []codes.DutyCode
}

func inspectorID(n int) string { return fmt.Sprintf("inspector-%02d", n+1) }
func acceptorID(n int) string  { return fmt.Sprintf("acceptor-%d", n+1) }
func leaderID(n int) string    { return fmt.Sprintf("leader-%d", n+1) }

// dispatcherID: the last dispatcher is the last shift leader too.
func dispatcherID(n int) string {
	if n == dispatchers-1 {
		return leaderID(shiftLeaders - 1)
	}
	return fmt.Sprintf("dispatcher-%d", n+1)
}

func staffID(department string, n int) string { return fmt.Sprintf("%s-%d", department, n+1) }

// People returns everybody.
func (d *District) People() (list []Person) {
	add := func(id, department string, duty []codes.DutyCode, roles ...string) {
		list = append(list, Person{ID: id, Name: d.personName(len(list)), Roles: roles, Department: department, Duty: duty})
	}
	for n := range d.o.Inspectors {
		add(inspectorID(n), "", []codes.DutyCode{dutyCode(n)}, inspector)
	}
	for n := range acceptors {
		add(acceptorID(n), "", nil, acceptor)
	}
	for n := range shiftLeaders - 1 {
		add(leaderID(n), "", nil, shiftLeader)
	}
	add(leaderID(shiftLeaders-1), "", nil, shiftLeader, dispatcher)
	for n := range dispatchers - 1 {
		add(dispatcherID(n), "", nil, dispatcher)
	}
	for n := range d.o.Departments {
		for k := range staff {
			add(staffID(departmentID(n), k), departmentID(n), nil, department)
		}
	}
	add("registrar", "", nil, "admin")
	return list
}

// DutyGrid is the round of an inspector.
type DutyGrid struct {
	Code       codes.DutyCode
	Name       string
	Inspectors []string
}

// DutyGrids returns all rounds: each is a run of cells in the order of their codes.
func (d *District) DutyGrids() []DutyGrid {
	list := make([]DutyGrid, d.o.Inspectors)
	for n := range list {
		list[n] = DutyGrid{Code: dutyCode(n), Name: fmt.Sprintf("责任网格%d", n+1), Inspectors: []string{inspectorID(n)}}
	}
	return list
}
