package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// A meter that does not answer costs its line a timeout, or two when the driver
// repeats the question. Where that would cost healthy meters their slots, a
// meter that is not known to be sound is given less time: several times what
// the line's answers take. A meter that is slower than that is not lost: after
// so many cut reads it is waited for in full as soon as the budget is saved up.
const (
	// provenReads is how many answers in a row make a meter sound.
	provenReads = 3
	// cutReads is how many reads in a row are cut short at most before one that
	// is not, when the budget allows it.
	cutReads = 3
	// patienceFactor and patienceMargin make a deadline of the time that the
	// slowest recent answer took.
	patienceFactor = 4
	patienceMargin = 50 * time.Millisecond
	// paceMemory is how many reads the slowest of them is remembered for, about.
	paceMemory = 32
	// defaultTimeout stands for a Line.Timeout of 0, as in adapters/line.
	defaultTimeout = time.Second
)

// attempt is what a read gave.
type attempt struct {
	readings []schemas.Reading
	err      error
	cut      bool // it ended because its time was over
}

// pacing is what a line knows of how long answers take.
type pacing struct {
	pace time.Duration // the slowest recent read that gave all; 0: none yet
	// upset: the last read failed, and the line may have to be silent before it
	// can be used again. The next read says nothing of the pace, and is not cut
	// short, or it might end before its question is sent.
	upset bool
	// ahead is the healthy meter whose slot is the earliest, waiting since when
	// it waits, or from when on, and until the end of that slot. waiting 0: none.
	ahead          *meterState
	waiting, until instant
	// second is the same of the next healthy meter.
	second struct{ waiting, until instant }
}

// forget begins a new look at the meters.
func (p *pacing) forget() {
	p.ahead, p.waiting, p.until = nil, 0, 0
	p.second.waiting, p.second.until = 0, 0
}

// heed takes note of the slot of a healthy meter.
func (p *pacing) heed(m *meterState) {
	end := m.due.add(m.Interval)
	switch {
	case p.waiting == 0 || m.due < p.waiting:
		p.second.waiting, p.second.until = p.waiting, p.until
		p.ahead, p.waiting, p.until = m, m.due, end
	case p.second.waiting == 0 || m.due < p.second.waiting:
		p.second.waiting, p.second.until = m.due, end
	}
}

// others returns since when, or from when on, a healthy meter other than m
// waits, and the end of its slot; zero: there is none.
func (p *pacing) others(m *meterState) (waiting, until instant) {
	if m == p.ahead {
		return p.second.waiting, p.second.until
	}
	return p.waiting, p.until
}

// whole is how long a read of m takes that fails, when it is not cut short.
func (l *lineLoop) whole(m *meterState) time.Duration {
	if m.whole > 0 {
		return m.whole
	}
	timeout := l.line.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return 2 * timeout
}

// cut returns how long a read of m that begins now may take; 0: as long as it
// does.
func (l *lineLoop) cut(m *meterState, now time.Time) time.Duration {
	unknown := m.whole == 0 && m.answer == 0 && m.fails == 0
	if l.flatOut || m.proven >= provenReads || l.upset || l.pace == 0 && !unknown {
		return 0
	}
	waiting, until := l.others(m)
	whole := l.whole(m)
	end := instantOf(now).add(whole)
	switch {
	case waiting == 0 || end <= waiting:
		return 0 // nobody waits
	case l.budget.open(now) && end.add(l.work) <= until:
		return 0 // all get their turn in their slots
	case m.cuts >= cutReads && l.budget.full():
		return 0
	}
	d := patienceFactor*max(l.pace, m.answer) + patienceMargin
	if unknown {
		d = max(d, whole/2+patienceMargin) // a timeout, and the time to dial
	}
	if d >= whole {
		return 0
	}
	return d
}

// source reads m, for no longer than cut allows.
func (l *lineLoop) source(ctx context.Context, m *meterState, start time.Time) (read attempt) {
	cut := l.cut(m, start)
	if cut == 0 {
		read.readings, read.err = m.Source.Read(ctx)
		return read
	}
	end := start.Add(cut)
	short, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	read.readings, read.err = m.Source.Read(short)
	// A driver may see the deadline before the context does.
	read.cut = read.err != nil && !time.Now().Before(end) && ctx.Err() == nil
	if read.cut && adapters.ClassOf(read.err) == adapters.Transient {
		read.err = tooSlow(read.err, cut)
	}
	return read
}

// tooSlow says of a read that was cut short what was asked, what happened and
// what comes next; what the driver says is about the deadline and not about the
// meter.
func tooSlow(err error, cut time.Duration) error {
	asked := ""
	if e := (*adapters.Error)(nil); errors.As(err, &e) {
		asked = e.Request + ": "
	}
	return fmt.Errorf("%sno whole answer within %s, and other meters of the line could not wait longer; it is tried again, now and then with the full timeout", asked, cut.Round(time.Millisecond))
}

// learn takes from a read how long answers and their lack take.
func (l *lineLoop) learn(m *meterState, read attempt) {
	switch {
	case len(read.readings) == 0:
		m.proven = 0
		if read.cut {
			m.cuts++
		} else {
			m.cuts, m.whole = 0, m.took
		}
	default:
		m.cuts = 0
		m.proven = min(m.proven+1, provenReads)
		if read.err == nil && !l.upset {
			m.answer = m.took
			l.pace = max(m.took, l.pace-l.pace/paceMemory)
		}
	}
	l.upset = read.err != nil
}

// charge takes the time that a fruitless read of m has cost the healthy meters
// from the budget for probes. That goes for the first failure too: a meter that
// fails and answers by turns has no other.
func (l *lineLoop) charge(m *meterState, now time.Time) {
	waiting, _ := l.others(m)
	at := instantOf(now)
	if waiting == 0 || waiting >= at {
		return
	}
	cost := min(at.sub(waiting), m.took)
	if m.fails > 0 {
		l.budget.spend(cost)
		return
	}
	l.budget.levy(cost)
}
