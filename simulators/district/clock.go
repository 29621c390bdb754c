package district

// stopwatch is the handling clock of a case: the stretches in which it ran, and how
// much there is in all.
type stopwatch struct {
	c     *calendar
	limit span
	runs  [][2]int64 // the last one may be open: its end is running
	total int64
	begun bool
	late  bool // some round ended after its deadline
	done  bool
	last  int64 // the deadline of the round that was fed back
	slack int64 // from the end of the time to that deadline
}

const running = int64(1) << 62

func (w *stopwatch) measure(from, to int64) int64 {
	if w.limit.unit == urgentHour {
		return to - from
	}
	return w.c.worked(from, to)
}

func (w *stopwatch) begin(t int64) {
	w.begun, w.done = true, false
	w.runs, w.total = [][2]int64{{t, running}}, w.measure(t, w.c.deadline(t, w.limit))
}

func (w *stopwatch) stop(t int64) {
	if n := len(w.runs); n > 0 && w.runs[n-1][1] == running {
		w.runs[n-1][1] = t
	}
}

// exact is when the time is used up.
func (w *stopwatch) exact() int64 {
	left := w.total
	for _, r := range w.runs {
		if r[1] != running {
			if used := w.measure(r[0], r[1]); used < left {
				left -= used
				continue
			}
		}
		if w.limit.unit == urgentHour {
			return r[0] + left
		}
		return w.c.after(r[0], left)
	}
	return running
}

// deadline is exact; for working days the end of its day.
func (w *stopwatch) deadline() int64 {
	t := w.exact()
	if w.limit.unit == workDay {
		return max(t, w.c.endOfDay(t, 0))
	}
	return t
}

func (w *stopwatch) used(asOf int64) (sum int64) {
	for _, r := range w.runs {
		sum += w.measure(r[0], min(r[1], asOf))
	}
	return sum
}

func (w *stopwatch) extend(amount int64) {
	if w.limit.unit != workDay {
		w.total += amount * hour
		return
	}
	end := w.exact()
	w.total += w.c.worked(end, w.c.endOfDay(end-1, amount))
}

func (w *stopwatch) fedBack(t int64) {
	w.last, w.done = w.deadline(), true
	w.slack = w.measure(w.exact(), w.last)
	w.late = w.late || t > w.last
	w.stop(t)
}

// watch is the handling clock of a story; nil where it has none.
func (y *Year) watch(s *story) *stopwatch {
	if s.filing == nil || s.filing.Filing.Amount == 0 {
		return nil
	}
	f := s.filing.Filing
	w := &stopwatch{c: y.calendar, limit: span{f.Amount, f.Unit}}
	asked := int64(0)
	for i := range s.facts {
		f := &s.facts[i]
		if f.Act.Act == "ask_extension" {
			asked = f.Amount
		}
		w = y.turn(w, f, asked)
	}
	if s.over() {
		w.stop(s.facts[len(s.facts)-1].counts)
	}
	if !w.begun {
		return nil
	}
	return w
}

// turn lets the clock know of a fact; asked is by how much an extension is.
func (y *Year) turn(w *stopwatch, f *fact, asked int64) *stopwatch {
	switch {
	case f.Act.Act == "file" && y.year.Starts == "filed", f.Act.Act == "dispatch" && y.year.Starts == "dispatched":
		w.begin(f.counts)
	case f.request == "return" && f.state == "filed" && y.year.Starts == "dispatched":
		return &stopwatch{c: w.c, limit: w.limit}
	case f.request == "extension":
		w.extend(asked)
	case f.request == "suspension":
		w.stop(f.counts)
	case f.Act.Act == "resume":
		w.runs = append(w.runs, [2]int64{f.counts, running})
	case f.Act.Act == "feed_back":
		w.fedBack(f.counts)
	case f.Act.Act == "rework" && y.year.Rework == "anew":
		w.begin(f.counts)
	case f.Act.Act == "rework":
		w.done = false
		w.runs = append(w.runs, [2]int64{f.counts, running})
	}
	return w
}
