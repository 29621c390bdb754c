package indicators

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// stay is how long a case was in a state, with the acts that began and ended it.
type stay struct {
	state   cases.State
	in, out *cases.Entry // out is nil while it is there
	next    cases.State
}

// slow reads docs/indicators.md in another way than the package: by the states that a
// case was in, found by applying its journal again, and with a scan of all cases for
// every single number.
type slow struct {
	h        *history
	stays    []stay
	handling limits.Handling
}

func newSlow(t *testing.T, cfg Config, h *history) *slow {
	t.Helper()
	s := &slow{h: h}
	c := new(cases.Case)
	for n := range h.entries {
		before := c.State
		if err := c.Apply(&h.entries[n], nil); err != nil {
			t.Fatal(err)
		}
		if c.State == before {
			continue
		}
		if len(s.stays) > 0 {
			last := &s.stays[len(s.stays)-1]
			last.out, last.next = &h.entries[n], c.State
		}
		s.stays = append(s.stays, stay{state: c.State, in: &h.entries[n]})
	}
	var err error
	if s.handling, err = cfg.Book.Handling(c.Limit, c.Clock, cfg.AsOf); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *slow) voided() bool { return s.h.c.State == cases.Voided }

// find returns the first entry of an act.
func (s *slow) find(a cases.Act) *cases.Entry {
	for n := range s.h.entries {
		if s.h.entries[n].Act == a {
			return &s.h.entries[n]
		}
	}
	return nil
}

// at reports whether a case belongs to a place or class, or to the city.
func (s *slow) at(d Dimension, key string) bool {
	cell := string(s.h.c.Cell)
	switch d {
	case City:
		return true
	case Class:
		return s.h.c.Class.String() == key
	case Cell:
		return cell == key
	case Community:
		return len(cell) > 12 && cell[:12] == key
	case Street:
		return len(cell) > 12 && cell[:9] == key
	}
	return false
}

// steps counts the stays in a state that ended by certain states, for the one who did
// it or was sent.
func (s *slow) steps(cfg Config, p Period, d Dimension, key string, st limits.Stage, in cases.State, ends []cases.State, only func(stay) bool, whose func(stay) (Dimension, cases.PersonID)) (r Ratio) {
	for _, y := range s.stays {
		if y.state != in || s.voided() || only != nil && !only(y) || y.out != nil && !slices.Contains(ends, y.next) {
			continue
		}
		deadline, ok, err := cfg.Book.StageDeadline(st, y.in.ReceivedAt)
		if err != nil || !ok || deadline.After(cfg.AsOf) || deadline.Before(p.From) || !deadline.Before(p.To) {
			continue
		}
		dim, person := whose(y)
		if !s.at(d, key) && !(d == dim && key == string(person) && person != cases.System) {
			continue
		}
		r.Den++
		if y.out != nil && !y.out.CountsAt.After(deadline) {
			r.Num++
		}
	}
	return r
}

func doer(d Dimension) func(stay) (Dimension, cases.PersonID) {
	return func(y stay) (Dimension, cases.PersonID) {
		if y.out == nil {
			return d, "nobody"
		}
		return d, y.out.Person
	}
}

func sent(y stay) (Dimension, cases.PersonID) { return Inspector, y.in.Inspector }

// ratio is one indicator of one case for one row.
func (s *slow) ratio(cfg Config, i Indicator, p Period, d Dimension, key string) Ratio {
	src := s.h.c.Report.Source
	public := src == cases.SourcePublic || src == cases.SourceHotline || src == cases.SourceMedia || src == cases.SourceWeb
	switch i {
	case OnTimeSendVerify:
		return s.steps(cfg, p, d, key, limits.SendVerifyStage, cases.Reported, []cases.State{cases.Verifying, cases.Rejected}, func(stay) bool { return public }, doer(Acceptor))
	case OnTimeVerify:
		return s.steps(cfg, p, d, key, limits.VerifyStage, cases.Verifying, []cases.State{cases.Verified}, nil, sent)
	case OnTimeAccept:
		ends := []cases.State{cases.Accepted, cases.Rejected}
		a := s.steps(cfg, p, d, key, limits.AcceptStage, cases.Reported, ends, func(stay) bool { return !public }, doer(Acceptor))
		b := s.steps(cfg, p, d, key, limits.AcceptStage, cases.Verified, ends, nil, doer(Acceptor))
		return Ratio{a.Num + b.Num, a.Den + b.Den}
	case OnTimeFile:
		return s.steps(cfg, p, d, key, limits.FileStage, cases.Accepted, []cases.State{cases.Filed}, nil, doer(ShiftLeader))
	case OnTimeDispatch:
		return s.steps(cfg, p, d, key, limits.DispatchStage, cases.Filed, []cases.State{cases.Dispatched}, nil, doer(Dispatcher))
	case OnTimeSendCheck:
		return s.steps(cfg, p, d, key, limits.SendCheckStage, cases.FedBack, []cases.State{cases.Checking}, nil, doer(Acceptor))
	case OnTimeCheck:
		return s.steps(cfg, p, d, key, limits.CheckStage, cases.Checking, []cases.State{cases.Checked}, nil, sent)
	case OnTimeHandle, Closing, OnTimeClosing:
		return s.handled(cfg, i, p, d, key)
	}
	return s.filedOnes(cfg, i, p, d, key, public)
}

func (s *slow) handled(cfg Config, i Indicator, p Period, d Dimension, key string) Ratio {
	dl := s.handling.Deadline
	if s.voided() || dl.IsZero() || dl.After(cfg.AsOf) || dl.Before(p.From) || !dl.Before(p.To) {
		return Ratio{}
	}
	with := []cases.DepartmentID{s.h.c.Handler}
	if s.h.c.Handler == "" {
		with = s.h.c.SentTo
	}
	mine := s.at(d, key) || d == Department && slices.Contains(with, cases.DepartmentID(key))
	if i != OnTimeHandle && d == ShiftLeader {
		mine = string(s.find(cases.ActFile).Person) == key
	}
	if !mine {
		return Ratio{}
	}
	good := !s.handling.Done.IsZero() && !s.handling.Late
	closed := s.h.c.State == cases.Closed
	return yes(map[Indicator]bool{OnTimeHandle: good, Closing: closed, OnTimeClosing: good && closed}[i])
}

func yes(b bool) Ratio {
	if b {
		return Ratio{1, 1}
	}
	return Ratio{0, 1}
}

func in(p Period, e *cases.Entry) bool {
	return e != nil && !e.CountsAt.Before(p.From) && e.CountsAt.Before(p.To)
}

// filedOnes are the ratios of reports, filings and dispatches.
func (s *slow) filedOnes(cfg Config, i Indicator, p Period, d Dimension, key string, public bool) (r Ratio) {
	first, file, fed := &s.h.entries[0], s.find(cases.ActFile), s.find(cases.ActFeedBack)
	here := s.at(d, key)
	by := func(dim Dimension, e *cases.Entry) bool {
		return d == dim && string(e.Person) == key && e.Person != cases.System
	}
	switch i {
	case ValidReports:
		end := s.h.c.State.Final()
		if in(p, first) && first.Role == cases.Inspector && (file != nil || end) && (here || by(Inspector, first)) {
			return yes(file != nil && !s.voided() || s.h.c.State == cases.Closed)
		}
	case MissedReports:
		duty := d == Inspector && slices.Contains(cfg.Duty[s.h.c.Report.Duty], cases.PersonID(key))
		if in(p, file) && !s.voided() && (here || duty) {
			return yes(public)
		}
	case PublicReports:
		if v := s.find(cases.ActAnswerVerify); in(p, v) && public && v.Outcome == cases.Yes && here && !s.voided() {
			r.Num++
		}
		if in(p, file) && !s.voided() && here {
			r.Den++
		}
	case AccurateFile:
		if in(p, file) && (here || by(ShiftLeader, file)) {
			return yes(!s.voided())
		}
	case Reworked:
		if in(p, fed) && !s.voided() && (here || d == Department && string(s.h.c.Handler) == key) {
			return yes(s.find(cases.ActRework) != nil)
		}
	case AccurateDispatch:
		return s.dispatches(p, d, key)
	}
	return r
}

func (s *slow) dispatches(p Period, d Dimension, key string) (r Ratio) {
	var list []*cases.Entry
	for n := range s.h.entries {
		if s.h.entries[n].Act == cases.ActDispatch {
			list = append(list, &s.h.entries[n])
		}
	}
	for n, e := range list {
		if s.voided() || !in(p, e) || !s.at(d, key) && !(d == Dispatcher && string(e.Person) == key) {
			continue
		}
		r.Den++
		if n == len(list)-1 || slices.Equal(slices.Sorted(slices.Values(e.Departments)), slices.Sorted(slices.Values(list[n+1].Departments))) {
			r.Num++
		}
	}
	return r
}

// TestAgainstSlowCount compares every ratio of every row with the slow count, and the
// merge of two halves with the whole.
func TestAgainstSlowCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	cfg := testConfig(t)
	whole, half, other := mustNew(t, cfg), mustNew(t, cfg), mustNew(t, cfg)
	var all []*slow
	for n := range 1500 {
		h := randomHistory(t, rng)
		all = append(all, newSlow(t, cfg, h))
		part := half
		if n%2 == 0 {
			part = other
		}
		for _, tally := range []*Tally{whole, part} {
			if err := tally.Add(h.c, h.entries); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows := whole.Rows()
	filled := map[Indicator]int64{}
	for n := range rows {
		r := &rows[n]
		p := cfg.Periods[slices.IndexFunc(cfg.Periods, func(p Period) bool { return p.Name == r.Period })]
		for _, i := range Indicators() {
			var want Ratio
			for _, s := range all {
				one := s.ratio(cfg, i, p, r.Dimension, r.Key)
				want.Num += one.Num
				want.Den += one.Den
			}
			if got := r.Ratio(i); got != want {
				t.Errorf("%s %s %q %s: %v, the slow count says %v", r.Period, r.Dimension, r.Key, i.Name(), got, want)
			}
			filled[i] += want.Den
		}
	}
	for _, i := range Indicators() {
		if filled[i] == 0 {
			t.Errorf("%s was never due: the test says nothing of it", i.Name())
		}
	}
	if err := half.Merge(other); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(half.Rows(), rows) {
		t.Error("the merge of two halves is not the whole")
	}
	t.Logf("%d rows, denominators %v", len(rows), filled)
	sameFiles(t, rows, half.Rows())
}

func mustNew(t testing.TB, cfg Config) *Tally {
	t.Helper()
	tally, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

// sameFiles writes both twice: equal rows have equal bytes.
func sameFiles(t *testing.T, a, b []Row) {
	t.Helper()
	var one, two, three, four bytes.Buffer
	for _, err := range []error{CSV(&one, a), CSV(&two, b), XLSX(&three, a[:100]), XLSX(&four, b[:100])} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) || !bytes.Equal(three.Bytes(), four.Bytes()) {
		t.Error("equal rows make different files")
	}
}
