package cases

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// TestOwnerless follows a cover without owner: three candidates, one returns it
// untouched, one takes and returns it, the last one returns it too.
func TestOwnerless(t *testing.T) {
	dep := func(d DepartmentID) Actor { return Actor{Person: PersonID("p" + d), Role: Department, Department: d} }
	send := entry(ActDispatch, by(Dispatcher))
	send.Departments = []DepartmentID{"A", "B", "C"}
	list := toHandling()[:5]
	back := func(d DepartmentID) []*Entry {
		return []*Entry{entry(ActAskReturn, dep(d)), entry(ActApprove, by(Dispatcher))}
	}
	list = append(list, send)
	list = append(list, back("C")...)
	list = append(list, entry(ActAskReturn, dep("A")), entry(ActTake, dep("B")))
	c, _ := walk(t, allowing, list...)
	if c.State != Handling || c.Handler != "B" || c.Request != nil || fmt.Sprint(c.SentTo) != "[A B]" {
		t.Fatalf("%s, with %s, of %v, request %v", c.State, c.Handler, c.SentTo, c.Request)
	}
	if err := c.Conflict(ActTake, dep("A"), allowing); err == nil {
		t.Error("a second department took the case")
	}
	list = append(list, back("B")...)
	c, _ = walk(t, allowing, list...)
	if c.State != Dispatched || c.Handler != "" || fmt.Sprint(c.SentTo) != "[A]" {
		t.Fatalf("%s, with %q, of %v", c.State, c.Handler, c.SentTo)
	}
	c, _ = walk(t, allowing, append(list, back("A")...)...)
	if c.State != Filed || len(c.SentTo) != 0 || c.Clock[len(c.Clock)-1].Kind != MarkReturned {
		t.Fatalf("%s, of %v, %v", c.State, c.SentTo, c.Clock)
	}
}

func TestConflictTellsAll(t *testing.T) {
	c, _ := walk(t, allowing, append(toHandling(), entry(ActAskVoid, by(Dispatcher)))...)
	err := c.Apply(c.at(entry(ActFeedBack, by(Department)), allowing), allowing)
	want := "feed_back by department (case C1, handling): a request is open; it is approved, refused or withdrawn first; allowed to department now: note"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	e := entry(ActApprove, by(ShiftLeader))
	e.Request = 7
	var conflict *ConflictError
	if err := c.Apply(c.at(e, allowing), allowing); !errors.As(err, &conflict) || conflict.Why != WhyOtherRequest {
		t.Errorf("an approval of another request: %v", err)
	}
	if e.Request = 8; c.Apply(c.at(e, allowing), allowing) != nil || c.State != Voided {
		t.Errorf("void was not approved: %s", c.State)
	}
	if err := c.Conflict(ActNote, by(Acceptor), allowing); !errors.As(err, &conflict) || conflict.Why != WhyFinal || len(conflict.Allowed) != 0 {
		t.Errorf("%v", err)
	}
	for _, w := range []Why{WhyNoCase, WhyFinal, WhyRole, WhyState, WhyNotSent, WhyUnverified, WhyOutcome, WhyNoSensor, WhyRules, WhyEventOpen, WhyCleared,
		WhyRequestOpen, WhyNoRequest, WhyOwnRequest, WhyNotOwn, WhyParty, WhyJudge, WhyNotYours, WhyNoLimit, WhySelfHandled, WhyNoMedia, WhyOwnReport, WhyFull, WhyOtherRequest} {
		if !strings.Contains(w.String(), " ") {
			t.Errorf("%q has no sentence", string(w))
		}
	}
}

// TestOfflineClock: which clock counts for a feed-back, in minutes after the case was
// taken at minute 0.
func TestOfflineClock(t *testing.T) {
	taken, _ := walk(t, allowing, toHandling()...)
	for _, row := range []struct {
		at, received, counts int
		refused              bool
	}{{60, 300, 60, false}, {0, 300, 0, false}, {-1, 300, 300, true}, {301, 300, 300, true}, {300, 300, 300, false},
		{10, 10 + 72*60, 10, false}, {10, 11 + 72*60, 11 + 72*60, true}} {
		minute := func(n int) time.Time { return taken.Since.Add(time.Duration(n) * time.Minute) }
		e := entry(ActFeedBack, by(Department))
		e.At, e.ReceivedAt = minute(row.at), minute(row.received)
		c := taken.Clone()
		c.Prepare(e, allowing)
		if err := c.Apply(e, allowing); err != nil || !e.CountsAt.Equal(minute(row.counts)) || e.ClockRefused != row.refused || !c.Since.Equal(e.CountsAt) {
			t.Errorf("at %d, received %d: counts %s, refused %v, %v", row.at, row.received, e.CountsAt.Sub(taken.Since), e.ClockRefused, err)
		}
		forged := *e
		forged.CountsAt = minute(5)
		var chain *ChainError
		if err := taken.Clone().Apply(&forged, nil); !errors.As(err, &chain) {
			t.Errorf("a clock that nobody gave was taken: %v", err)
		}
	}
	note := entry(ActNote, by(Inspector))
	note.At, note.ReceivedAt = taken.Since.Add(-time.Hour), taken.Since.Add(-time.Hour)
	taken.Prepare(note, allowing)
	if !note.ReceivedAt.Equal(taken.ReceivedAt) || !note.CountsAt.Equal(taken.ReceivedAt) || note.ClockRefused {
		t.Errorf("the hub's clock went back: %s, %s", note.ReceivedAt, note.CountsAt)
	}
}

// TestRulesOfTheDay: an entry that the rules allowed is read again under none.
func TestRulesOfTheDay(t *testing.T) {
	list := []*Entry{entry(ActReport, by(Sensor)), entry(ActAccept, by(Sensor)), entry(ActFile, by(Sensor)), entry(ActDispatch, Actor{Person: System, Role: Dispatcher}),
		entry(ActTake, by(Department)), entry(ActFeedBack, by(Department)), entry(ActCleared, by(Sensor)), entry(ActSendCheck, by(Sensor)), entry(ActAnswerCheck, by(Sensor)), entry(ActClose, by(Sensor))}
	c, journal := walk(t, allowing, list...)
	if again, err := Fold(journal); err != nil || again.Head != c.Head || again.State != Closed {
		t.Errorf("%v, %v", again, err)
	}
	strict := new(Case)
	for n := range journal[:1] {
		if err := strict.Apply(&journal[n], &Rules{Offline: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	var conflict *ConflictError
	if err := strict.Apply(&journal[1], &Rules{}); !errors.As(err, &conflict) || conflict.Why != WhyRules {
		t.Errorf("the hub accepted without a rule: %v", err)
	}
}

// TestFields changes a good entry in one way and wants the field named.
func TestFields(t *testing.T) {
	long := func(n int) string { return strings.Repeat("井", n) }
	for _, row := range []struct {
		act    Act
		role   Role
		change func(*Entry)
		field  string
	}{
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = long(2000) }, ""},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = long(2001) }, "report.description"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = "" }, "report.description"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = " x" }, "report.description"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = "a\x00b" }, "report.description"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Description = "a\xffb" }, "report.description"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Location = long(256) }, ""},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Location = long(257) }, "report.location"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Location = "a\nb" }, "report.location"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Location = "" }, "report.location"},
		{ActReport, Acceptor, func(e *Entry) {
			e.Report.Location, e.Report.Position = "", schemas.Position{Lon: 120.6, Lat: 31.3, CRS: schemas.WGS84, Accuracy: 5}
		}, ""},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Position = schemas.Position{Lon: 181, Lat: 31, CRS: schemas.WGS84} }, "report.position.lon"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Position = schemas.Position{Lon: 120, Lat: 31} }, "report.position.crs"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Source = SourceInspector }, "report.source"},
		{ActReport, Public, func(e *Entry) { e.Report.Source = SourceLeader }, "report.source"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Source = "fax" }, "report.source"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Type = "" }, "report.type"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Urgency = "" }, "report.urgency"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Class.Kind = "thing" }, "report.class"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.ClassName = "" }, "class_name"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Cell = "11010100100100" }, "report.cell"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.SelfHandled = true }, "report.self_handled"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.Event = eventID }, "report.event"},
		{ActReport, Sensor, func(e *Entry) { e.Report.Event = "" }, "report.event"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.ReplyWanted = true }, "report.reply_wanted"},
		{ActReport, Acceptor, func(e *Entry) { e.Report.PetitionerSM3 = "张三" }, "report.petitioner_sm3"},
		{ActReport, Acceptor, func(e *Entry) { e.Report = nil }, "report"},
		{ActReport, Acceptor, func(e *Entry) { e.Outcome = Yes }, "outcome"},
		{ActReport, Acceptor, func(e *Entry) { e.Person = "张三" }, "person"},
		{ActReport, Acceptor, func(e *Entry) { e.Person = System }, "person"},
		{ActReport, Sensor, func(e *Entry) { e.Person = "somebody" }, "person"},
		{ActReport, Acceptor, func(e *Entry) { e.Role = "mayor" }, "role"},
		{ActReport, Acceptor, func(e *Entry) { e.Department = "A" }, "department"},
		{ActReport, Acceptor, func(e *Entry) { e.Case = "" }, "case"},
		{ActReport, Acceptor, func(e *Entry) { e.ClientID = "6BA7B810-9DAD-11D1-80B4-00C04FD430C8" }, "client_id"},
		{ActReport, Acceptor, func(e *Entry) { e.ClientID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8" }, ""},
		{ActReport, Acceptor, func(e *Entry) { e.At = e.At.Add(time.Microsecond) }, "at"},
		{ActReport, Acceptor, func(e *Entry) { e.At = time.Time{} }, "at"},
		{ActReport, Acceptor, func(e *Entry) { e.Media = make([]Media, MaxMedia+1) }, "media"},
		{ActReport, Acceptor, func(e *Entry) { e.Media = []Media{{photo, Image, StageReport}, {photo, Image, StageReport}} }, "media[1]"},
		{ActReport, Acceptor, func(e *Entry) { e.Media = []Media{{strings.ToUpper(photo), Image, StageReport}} }, "media[0].sm3"},
		{ActReport, Acceptor, func(e *Entry) { e.Media = []Media{{photo, "film", StageReport}} }, "media[0].kind"},
		{ActNote, Acceptor, func(e *Entry) { e.Text = "" }, "text"},
		{ActNote, Department, func(e *Entry) { e.Department = "" }, "department"},
		{ActNote, Acceptor, func(e *Entry) { e.Act = "delete" }, "act"},
		{ActReject, Acceptor, func(e *Entry) { e.Reason = "" }, "reason"},
		{ActReject, Acceptor, func(e *Entry) { e.Reason = long(1001) }, "reason"},
		{ActSendVerify, Acceptor, func(e *Entry) { e.Inspector = "" }, "inspector"},
		{ActAnswerVerify, Inspector, func(e *Entry) { e.Outcome = "maybe" }, "outcome"},
		{ActAnswerCheck, Inspector, func(e *Entry) { e.Outcome = No }, "reason"},
		{ActAnswerCheck, Sensor, func(e *Entry) { e.Outcome, e.Reason = No, "x" }, "outcome"},
		{ActFile, ShiftLeader, func(e *Entry) { e.Filing.Condition = "" }, "filing.condition"},
		{ActFile, ShiftLeader, func(e *Entry) { e.Filing.Cell = "" }, "filing.no_cell"},
		{ActFile, ShiftLeader, func(e *Entry) { e.Filing.Cell, e.Filing.NoCell = "", "界外" }, ""},
		{ActFile, ShiftLeader, func(e *Entry) { e.Filing.Limit.Amount = 10_001 }, "filing.limit.amount"},
		{ActFile, ShiftLeader, func(e *Entry) { e.Filing.Limit.Unit = "week" }, "filing.limit.unit"},
		{ActDispatch, Dispatcher, func(e *Entry) { e.Departments = nil }, "departments"},
		{ActDispatch, Dispatcher, func(e *Entry) { e.Departments = []DepartmentID{"A", "B", "A"} }, "departments[2]"},
		{ActAskExtension, Department, func(e *Entry) { e.Amount = 0 }, "amount"},
		{ActAskExtension, Department, func(e *Entry) { e.Amount = -1 }, "amount"},
		{ActFeedBack, Department, func(e *Entry) { e.Text = "" }, "text"},
		{ActCleared, Sensor, func(e *Entry) { e.Event = "x" }, "event"},
	} {
		e := entry(row.act, by(row.role))
		new(Case).at(e, allowing)
		row.change(e)
		err := e.Validate()
		if got := fieldsOf(err); row.field == "" && err != nil || row.field != "" && !slices.Contains(got, row.field) {
			t.Errorf("%s by %s: %v names %v, want %q", row.act, row.role, err, got, row.field)
		}
	}
}

// fieldsOf returns the fields that a joined error names.
func fieldsOf(err error) (list []string) {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range many.Unwrap() {
		var fe *schemas.FieldError
		if errors.As(e, &fe) {
			list = append(list, fe.Field)
		}
	}
	return list
}

func TestNeedsOfTheCase(t *testing.T) {
	c, _ := walk(t, allowing, entry(ActReport, by(Sensor)))
	other := entry(ActClassify, by(Acceptor))
	other.Classification.Class.Code, other.Reason = "0102", ""
	reject := entry(ActReject, by(Acceptor))
	reject.DuplicateOf = "C1"
	cleared := entry(ActCleared, by(Sensor))
	cleared.Event = "ffffffffffffffffffffffffffffffff"
	for want, e := range map[string]*Entry{"reason": other, "duplicate_of": reject, "event": cleared} {
		var fe *schemas.FieldError
		if err := c.Apply(c.at(e, allowing), allowing); !errors.As(err, &fe) || fe.Field != want {
			t.Errorf("%s: %v, want the field %s", e.Act, err, want)
		}
	}
	if c.Entries != 1 || c.State != Reported {
		t.Error("a refused entry changed the case")
	}
}

func TestRepeatedUpload(t *testing.T) {
	first := entry(ActNote, by(Inspector))
	first.ClientID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	again, other := *first, *first
	c, _ := walk(t, allowing, entry(ActReport, by(Acceptor)), first)
	again.At = first.At
	again.ReceivedAt = first.ReceivedAt.Add(time.Hour)
	c.Prepare(&again, allowing)
	other.At, other.Text = first.At, "另一件"
	if first.Content() != again.Content() || first.Content() == other.Content() || first.Digest() == again.Digest() {
		t.Error("content does not tell a repeat from another upload")
	}
}

func TestPetitioner(t *testing.T) {
	p := Petitioner{Name: "张三", Phone: "13800000000", Salt: strings.Repeat("0", 32)}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	q := p
	q.Name, q.Phone = "张三1", "3800000000"
	r := p
	r.Salt = strings.Repeat("1", 32)
	if !isDigest(p.Digest()) || p.Digest() == q.Digest() || p.Digest() == r.Digest() {
		t.Error("digests do not tell persons and salts apart")
	}
	for _, bad := range []Petitioner{{Name: "张三"}, {Salt: p.Salt}, {Salt: p.Salt, Name: long(101)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestDecodeRefuses(t *testing.T) {
	_, journal := walk(t, allowing, entry(ActReport, by(Acceptor)))
	data, err := journal[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for _, bad := range []string{"", "{}", "null", good + " ", good + good, " " + good, good[:len(good)-1],
		strings.Replace(good, `"act"`, `"Act"`, 1), strings.Replace(good, `{"case"`, `{"more":1,"case"`, 1), strings.Replace(good, `"number":1`, `"number":1,"number":1`, 1),
		strings.Replace(good, `"number":1`, `"number":1.0`, 1), strings.Replace(good, ".000Z", "Z", 1), strings.Replace(good, "人民路", `\u4eba民路`, 1),
		strings.Replace(good, `"text"`, `"x"`, 1) + strings.Repeat(" ", MaxEntry)} {
		if e, err := DecodeEntry([]byte(bad)); err == nil {
			t.Errorf("%q was taken as %+v", bad, e)
		}
	}
	if e, err := DecodeEntry(data); err != nil || e.Report.Description != "井盖丢失" {
		t.Error(err)
	}
}

func TestFullCase(t *testing.T) {
	c, _ := walk(t, allowing, toHandling()...)
	c.Entries = MaxEntries
	if err := c.Conflict(ActNote, by(Inspector), allowing); err == nil {
		t.Error("a full case took a note")
	}
	if err := c.Conflict(ActFeedBack, by(Department), allowing); err != nil {
		t.Error(err)
	}
}

func BenchmarkApply(b *testing.B) {
	list := toHandling()
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(list) {
		c := new(Case)
		for _, e := range list {
			if err := c.Apply(c.at(e, allowing), allowing); err != nil {
				b.Fatal(err)
			}
		}
	}
}
