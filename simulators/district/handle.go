package district

// file is done by a shift leader, or by the hub for a sensor's case.
func (l *life) file(role, person string) {
	if role == shiftLeader {
		if l.voids() {
			return
		}
		l.within("file")
		person = l.leader()
		l.bad("a person files as sensor what no sensor has seen", func() *Act {
			b := l.draft("file", sensor, system)
			b.Filing = &Filing{Condition: happens, NoCell: "无"}
			if l.report.Source == "sensor" {
				return nil
			}
			return b
		})
	}
	a := l.do("file", role, person)
	f := &Filing{Condition: pick(&l.dice, l.conditions(l.report.Class)), Cell: l.report.Cell, AreaClass: l.middle}
	if f.Cell == "" {
		f.NoCell, f.AreaClass = "位置不明", ""
	}
	l.limit = l.Year.limit(l.report.Class, f.Condition, f.AreaClass)
	f.Amount, f.Unit = l.limit.amount, l.limit.unit
	a.Filing, l.started = f, l.now
	if l.voids() {
		return
	}
	l.dispatch()
}

// voids: somebody asks that the case be dropped, and a shift leader decides. It
// reports whether the case is over.
func (l *life) voids() bool {
	if !l.dice.chance(8) {
		return false
	}
	l.wait(minute, 20*minute)
	role, person := acceptor, l.acceptor()
	if l.dice.chance(400) {
		role, person = dispatcher, l.dispatcher()
	}
	a := l.do("ask_void", role, person)
	a.Reason = "重复立案"
	l.bad("a second request while one is open", func() *Act {
		b := l.draft("ask_void", acceptor, l.acceptor())
		b.Reason = "重复立案"
		return b
	})
	l.bad("whoever asked approves it", func() *Act { return l.draft("approve", shiftLeader, person) })
	l.wait(minute, 40*minute)
	switch n := l.dice.span(0, 9); {
	case n < 6:
		l.do("approve", shiftLeader, l.other(person, l.leader))
		l.over()
		return true
	case n < 9:
		l.do("refuse", shiftLeader, l.other(person, l.leader)).Reason = "问题属实，不予作废"
	default:
		l.do("withdraw", role, person)
	}
	return false
}

// dispatch sends the case out: one in twenty to the wrong department first.
func (l *life) dispatch() {
	if len(l.candidates) > 1 {
		l.sendOut(l.candidates)
		l.many()
		return
	}
	right := l.candidates[0]
	for l.dice.chance(50) {
		wrong := departmentID(l.dice.under(l.o.Departments))
		if wrong == right {
			break
		}
		l.sendOut([]string{wrong})
		if l.returned(wrong) {
			continue
		}
		right = wrong // it has to do it
		l.take(right)
		return
	}
	l.sendOut([]string{right})
	l.take(right)
}

func (l *life) sendOut(list []string) {
	role, person := dispatcher, l.dispatcher()
	if class := l.report.Class; class == sensed("leak") || class == sensed("cover_open") {
		person = system
		l.wait(50, 3*second)
	} else {
		l.within("dispatch")
	}
	l.bad("the hub dispatches what the rules leave to people", func() *Act {
		if person == system {
			return nil
		}
		b := l.draft("dispatch", dispatcher, system)
		b.Departments = list
		return b
	})
	l.bad("one department twice", func() *Act {
		b := l.draft("dispatch", dispatcher, l.dispatcher())
		b.Departments = []string{list[0], list[0]}
		return b
	})
	l.do("dispatch", role, person).Departments = list
	if l.year.Starts == "dispatched" {
		l.started = l.now
	}
}

// returned: the department asks to be let off. It reports whether it was.
func (l *life) returned(from string) bool {
	l.wait(10*minute, 3*hour)
	who := l.worker(from)
	l.do("ask_return", department, who).Reason = "不属于本单位职责"
	l.bad("taken with an own request for return open", func() *Act { return l.draft("take", department, l.worker(from)) })
	l.wait(5*minute, 2*hour)
	switch n := l.dice.span(0, 9); {
	case n < 7:
		l.bad("a department approves its own return", func() *Act { return l.draft("approve", dispatcher, who) })
		l.do("approve", dispatcher, l.dispatcher())
		return true
	case n < 9:
		l.do("refuse", dispatcher, l.dispatcher()).Reason = "经核对属本单位职责"
	default:
		l.do("withdraw", department, who)
	}
	return false
}

// many: a case without owner goes to several; some return it, one takes it.
func (l *life) many() {
	left := append([]string(nil), l.candidates...)
	for len(left) > 1 && l.dice.chance(400) {
		k := l.dice.under(len(left))
		if l.dice.chance(150) { // asks, but another one takes it meanwhile
			l.wait(5*minute, hour)
			l.do("ask_return", department, l.worker(left[k])).Reason = "非本单位设施"
			l.takes(left[(k+1)%len(left)])
			return
		}
		if l.returned(left[k]) {
			left = append(left[:k], left[k+1:]...)
		}
	}
	if len(left) == 1 && l.dice.chance(100) && l.returned(left[0]) {
		l.candidates = l.candidates[:1] // it is the first one's after all
		l.sendOut(l.candidates)
		left = l.candidates
	}
	l.take(pick(&l.dice, left))
}

func (l *life) take(by string) {
	if !l.voids() {
		l.takes(by)
	}
}

// takes goes on where a request may be open, of another department.
func (l *life) takes(by string) {
	l.wait(5*minute, 2*hour)
	l.bad("taken by a department that it was not sent to", func() *Act {
		for n := range l.o.Departments {
			if id := departmentID(n); id != by && !contains(l.candidates, id) {
				return l.draft("take", department, l.worker(id))
			}
		}
		return nil
	})
	who := l.worker(by)
	l.do("take", department, who)
	l.handle(by, who)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// handle repairs: with more time, with a pause, or not at all.
func (l *life) handle(by, who string) {
	end := l.repairTime()
	if l.voids() {
		return
	}
	if l.dice.chance(30) {
		l.do("note", department, l.worker(by)).Text = "已到现场查看"
	}
	if l.dice.chance(80) && l.limit.amount > 0 {
		end += l.extended(by)
	}
	if l.dice.chance(40) {
		over, pause := l.suspended(by)
		if over {
			return
		}
		end += pause
	}
	l.eventEnds(600)
	l.now = max(l.now+minute, end)
	l.bad("an extension where there is no limit", func() *Act {
		if l.limit.amount > 0 {
			return nil
		}
		b := l.draft("ask_extension", department, l.worker(by))
		b.Reason, b.Amount = "等待材料", 2
		return b
	})
	l.bad("another department feeds back", func() *Act {
		other := departmentID((int(by[2]-'0') + 1) % l.o.Departments)
		if other == by {
			return nil
		}
		b := l.draft("feed_back", department, l.worker(other))
		b.Text = "已处置"
		return b
	})
	if l.dice.chance(500) {
		who = l.worker(by)
	}
	a := l.field(l.do("feed_back", department, who))
	a.Text, a.Media = "已处置完毕", l.photos("handled", 1+l.dice.under(2))
	l.check(by, who)
}

// repairTime is when the department will be done: mostly in time.
func (l *life) repairTime() int64 {
	if l.limit.amount == 0 {
		return l.now + l.dice.span(day, 8*day)
	}
	end := l.calendar.deadline(l.started, l.limit)
	switch all := max(end-l.now, hour); {
	case end <= l.now || l.dice.chance(140):
		return max(end, l.now) + l.dice.span(all/50, all*2)
	case l.dice.chance(30):
		return end - l.dice.span(-1, 1) // at the very end, to the millisecond
	default:
		return l.now + l.dice.span(all/10, all*97/100)
	}
}

// extended asks for more time, and returns how much later it will be done.
func (l *life) extended(by string) int64 {
	l.wait(10*minute, 4*hour)
	who := l.worker(by)
	a := l.do("ask_extension", department, who)
	a.Reason, a.Amount = "等待材料到货", l.dice.span(1, max(1, l.limit.amount))
	l.bad("fed back with a request open", func() *Act {
		b := l.draft("feed_back", department, l.worker(by))
		b.Text = "已处置"
		return b
	})
	l.wait(5*minute, 3*hour)
	switch n := l.dice.span(0, 9); {
	case n < 7:
		l.do("approve", dispatcher, l.dispatcher())
		return l.calendar.deadline(l.now, span{a.Amount, l.limit.unit}) - l.now
	case n < 9:
		l.do("refuse", dispatcher, l.dispatcher()).Reason = "期限足够"
	default:
		l.bad("somebody else withdraws", func() *Act {
			return l.draft("withdraw", department, l.other(who, func() string { return l.worker(by) }))
		})
		l.do("withdraw", department, who)
	}
	return 0
}

// suspended asks for a pause; it returns whether the case ended in it, and how long
// it was.
func (l *life) suspended(by string) (over bool, pause int64) {
	l.wait(10*minute, 6*hour)
	who := l.worker(by)
	l.do("ask_suspension", department, who).Reason = "需待天气转好后施工"
	l.wait(10*minute, 5*hour)
	if l.dice.chance(250) {
		if l.dice.chance(700) {
			l.do("refuse", shiftLeader, l.leader()).Reason = "可正常施工"
		} else {
			l.do("withdraw", department, who)
		}
		return false, 0
	}
	l.do("approve", shiftLeader, l.leader())
	from := l.now
	l.bad("fed back while suspended", func() *Act {
		b := l.draft("feed_back", department, l.worker(by))
		b.Text = "已处置"
		return b
	})
	l.wait(day, 40*day)
	if l.voids() {
		return true, 0
	}
	if l.dice.chance(600) {
		l.do("resume", department, l.worker(by))
	} else {
		l.do("resume", dispatcher, l.dispatcher())
	}
	return false, l.now - from
}

// eventEnds: what a sensor saw is over, in so many of a thousand cases.
func (l *life) eventEnds(perMille int64) {
	if l.report.Event == "" || l.cleared || !l.dice.chance(perMille) {
		return
	}
	l.wait(minute, hour)
	l.do("cleared", sensor, system).Event = l.report.Event
	l.cleared = true
	l.bad("cleared twice", func() *Act {
		b := l.draft("cleared", sensor, system)
		b.Event = l.report.Event
		return b
	})
}

// check looks at the repair, and sends it back where it is not good.
func (l *life) check(by, who string) {
	l.bad("the department closes its own case", func() *Act { return l.draft("close", department, who) })
	l.bad("whoever repaired it sends the check", func() *Act {
		b := l.draft("send_check", acceptor, who)
		b.Inspector = l.inspector()
		return b
	})
	l.eventEnds(500)
	if l.cleared && l.dice.chance(900) {
		l.checkedBySensor()
		return
	}
	l.bad("a sensor checks before its event is over", func() *Act {
		if l.cleared {
			return nil
		}
		return l.draft("send_check", sensor, system)
	})
	l.within("send_check")
	checker := l.inspector()
	l.do("send_check", acceptor, l.acceptor()).Inspector = checker
	l.within("check")
	l.bad("another inspector than the one sent checks", func() *Act {
		b := l.draft("answer_check", inspector, l.other(checker, func() string { return inspectorID(l.dice.under(l.o.Inspectors)) }))
		b.Outcome = "yes"
		return b
	})
	a := l.field(l.do("answer_check", inspector, checker))
	a.Media = l.photos("check", 1)
	if l.dice.chance(110) && l.reworks < 4 {
		l.sentBack(a, by, who)
		return
	}
	a.Outcome = "yes"
	l.bad("sent back though it is good", func() *Act { return l.draft("rework", acceptor, l.acceptor()) })
	l.closes()
}

// sentBack: the repair is bad and goes back to the same department.
func (l *life) sentBack(a *Act, by, who string) {
	a.Outcome, a.Reason = "no", "处置不到位"
	l.bad("closed though it is bad", func() *Act { return l.draft("close", shiftLeader, l.leader()) })
	l.wait(2*minute, 30*minute)
	if l.dice.chance(700) {
		l.do("rework", acceptor, l.acceptor())
	} else {
		l.do("rework", shiftLeader, l.leader())
	}
	l.reworks++
	if l.year.Rework == "anew" {
		l.started = l.now
	}
	l.handle(by, who)
}

func (l *life) checkedBySensor() {
	l.wait(50, 5*second)
	l.do("send_check", sensor, system)
	l.wait(50, 5*second)
	l.do("answer_check", sensor, system).Outcome = "yes"
	if l.dice.chance(800) {
		l.wait(50, 5*second)
		l.do("close", sensor, system)
		l.over()
		return
	}
	l.closes()
}

func (l *life) closes() {
	l.wait(minute, 45*minute)
	l.do("close", shiftLeader, l.leader())
	l.over()
}

// over is after the end: nothing is allowed any more.
func (l *life) over() {
	l.bad("a note after the end", func() *Act {
		b := l.draft("note", acceptor, l.acceptor())
		b.Text = "补充说明"
		return b
	})
}
