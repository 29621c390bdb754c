package district

import "slices"

// story is the journal of a case as it came about: acts with the state that they
// brought. It is told again from the acts alone, once the case is over.
type story struct {
	facts []fact
	// class and cell are where the case counts in the end.
	class, cell string
	state       string
	filing      *fact
	sentTo      []string
	handler     string
	reworks     int
}

// fact is an act that happened. counts and received are in milliseconds; request is
// what an approval was about.
type fact struct {
	*Act
	counts, received int64
	state            string
	request, asker   string
}

// tell makes the story of the acts of a case.
func tell(acts []*Act) *story {
	s := &story{facts: make([]fact, 0, len(acts))}
	since, request, asker := int64(0), "", ""
	for _, a := range acts {
		f := fact{Act: a, received: a.ReceivedAt.UnixMilli()}
		f.counts = counts(a, since)
		before := s.state
		switch a.Act {
		case "ask_return", "ask_extension", "ask_suspension", "ask_void":
			request, asker = a.Act[4:], a.Department
		case "approve":
			f.request, f.asker = request, asker
			request = ""
		case "refuse", "withdraw":
			request = ""
		case "take":
			if request == "return" {
				request = ""
			}
		}
		s.step(&f)
		f.state = s.state
		if s.state != before {
			since = f.counts
		}
		s.facts = append(s.facts, f)
		if a.Act == "file" {
			s.filing = &s.facts[len(s.facts)-1]
		}
	}
	return s
}

// counts is the clock by which an act counts: the device's for what is done in the
// field, as long as it can be right.
func counts(a *Act, since int64) int64 {
	at, received := a.At.UnixMilli(), a.ReceivedAt.UnixMilli()
	switch a.Act {
	case "report", "answer_verify", "answer_check", "feed_back":
		if at <= received && at >= since && received-at <= offline.Milliseconds() {
			return at
		}
	}
	return received
}

func (s *story) step(f *fact) {
	switch f.Act.Act {
	case "report":
		s.state, s.class, s.cell = "reported", f.Report.Class.String(), string(f.Report.Cell)
	case "classify":
		s.class = f.Classification.Class.String()
	case "file":
		s.state, s.cell = "filed", string(f.Filing.Cell)
	case "dispatch":
		s.state, s.sentTo = "dispatched", slices.Clone(f.Departments)
	case "take":
		s.state, s.handler = "handling", f.Department
	case "approve":
		s.approve(f)
	case "rework":
		s.state = "handling"
		s.reworks++
	default:
		if next, ok := map[string]string{"send_verify": "verifying", "answer_verify": "verified", "accept": "accepted", "reject": "rejected",
			"resume": "handling", "feed_back": "fed_back", "send_check": "checking", "answer_check": "checked", "close": "closed"}[f.Act.Act]; ok {
			s.state = next
		}
	}
}

func (s *story) approve(f *fact) {
	switch f.request {
	case "suspension":
		s.state = "suspended"
	case "void":
		s.state = "voided"
	case "return":
		s.sentTo = slices.DeleteFunc(s.sentTo, func(d string) bool { return d == f.asker })
		s.handler, s.state = "", "dispatched"
		if len(s.sentTo) == 0 {
			s.state = "filed"
		}
	}
}

// over reports whether an act is the last one of its case.
func (s *story) over() bool {
	return s.state == "closed" || s.state == "rejected" || s.state == "voided"
}

func (s *story) voided() bool { return s.state == "voided" }

// fromPublic and seen tell sources apart.
func fromPublic(source string) bool {
	return slices.Contains([]string{"public", "hotline", "media", "web"}, source)
}
