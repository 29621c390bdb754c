package collector

import (
	"context"
	"errors"
	"time"

	"citygrid/adapters"
)

// The pauses of asking a meter for its clock and its number.
const (
	clockEvery    = time.Hour
	identifyEvery = day
	// identifyAgain is the least time between two such questions.
	identifyAgain = time.Minute
	// trustedDrift is how far a meter's clock may be off before the moments of
	// its records are doubted.
	trustedDrift = 10 * time.Minute
)

// readClock asks the meter for its time.
func (l *lineLoop) readClock(ctx context.Context, m *meterState) {
	start := time.Now()
	shown, at, err := m.clocked.ReadClock(ctx)
	if ctx.Err() != nil && err != nil {
		return
	}
	end := l.chored(m, start, err)
	m.clockAt = end.Add(clockEvery)
	if err != nil {
		switch {
		case adapters.ClassOf(err) == adapters.Config: // most often its profile has no clock
			m.clockAt = end.Add(refusedPause)
			l.log.Debug("the meter's clock cannot be read", "meter", m.ID, "error", err)
		case !m.clockFault:
			m.clockFault = true
			l.log.Warn("the meter's clock cannot be read; it is asked again later", "meter", m.ID, "error", err)
		}
		return
	}
	m.clockFault = false
	drift := Drift(start, shown, at)
	before, known := m.health.drifted()
	m.health.clock(drift)
	if wrong := drift.Abs() > trustedDrift; wrong && (!known || before.Abs() <= trustedDrift) {
		l.log.Warn("the meter's clock is wrong; its daily and monthly records are marked", "meter", m.ID, "ahead", drift.Round(time.Second))
	}
}

// Drift returns how far a meter's clock is ahead: it showed shown in an answer
// that had arrived at at, to a request that began at start. It is taken to have
// looked at its clock half way.
func Drift(start, shown, at time.Time) time.Duration {
	return shown.Sub(at) + at.Sub(start)/2
}

// identify asks the meter who it is, when that is due: at first, after it was
// away, once a day, and while its verdicts want to know. Its readings are judged
// by the answer.
func (l *lineLoop) identify(ctx context.Context, m *meterState, now time.Time) {
	if m.identified == nil || !isDue(m.identifyAfter, now) || !isDue(m.identifyAt, now) && !m.valid.WantsSerial() {
		return
	}
	serial, err := m.identified.ReadSerial(ctx)
	if err != nil {
		l.upset = true
		l.noSerial(ctx, m, now, err)
		return
	}
	m.identifyAt, m.identifyAfter = now.Add(identifyEvery), now.Add(identifyAgain)
	if serial == "" { // it has none, and will have none in a minute
		m.identifyAfter = m.identifyAt
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m.valid.SetSerial(serial)
}

// noSerial leaves a meter alone that does not say who it is.
func (l *lineLoop) noSerial(ctx context.Context, m *meterState, now time.Time, err error) {
	m.identifyAfter = now.Add(minRecordPause)
	if adapters.ClassOf(err) == adapters.Config { // most often its profile has no such field
		m.identifyAfter = now.Add(refusedPause)
		l.log.Debug("the meter does not say who it is", "meter", m.ID, "error", err)
		return
	}
	// A read may notice the end of ctx before ctx does.
	if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		l.log.Warn("the meter does not say who it is; it is asked again later", "meter", m.ID, "error", err)
	}
}
