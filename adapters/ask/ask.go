// Package ask is what the drivers of all protocols do alike when they read a
// meter by several requests: one that is dead must cost the line little, and one
// request that fails must not cost the readings of the others.
package ask

import (
	"context"
	"errors"
	"fmt"

	"citygrid/adapters"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// Pass is the outcome of one Read so far. The zero value has asked nothing.
type Pass struct {
	Readings []schemas.Reading
	failed   *adapters.Error // the first
	dead     int             // requests that got no answer at all
	answered bool
}

// Answered notes that the meter is there.
func (p *Pass) Answered() { p.answered = true }

// Fail notes a request that failed, and whether it was for want of any answer
// (see Unanswered).
func (p *Pass) Fail(err *adapters.Error, unanswered bool) {
	if p.failed == nil {
		p.failed = err
	}
	if unanswered {
		p.dead++
	}
}

// Over reports whether asking on would only cost the line time.
func (p *Pass) Over() bool { return p.dead > 1 || p.Silent() }

// Silent reports that no answer came.
func (p *Pass) Silent() bool { return p.dead > 0 && !p.answered }

// Result returns what Source.Read returns.
func (p *Pass) Result() ([]schemas.Reading, error) {
	if p.failed != nil {
		return p.Readings, p.failed
	}
	return p.Readings, nil
}

// Unanswered reports an error that a dead meter or line gives, as opposed to an
// answer of any kind.
func Unanswered(err error) bool {
	var (
		frame  *line.FrameError
		device *line.DeviceError
	)
	return adapters.ClassOf(err) == adapters.Transient && !errors.As(err, &frame) && !errors.As(err, &device)
}

// NotServed is the error of a call that ended while it waited for the line's
// turn: nothing was asked.
func NotServed(meter schemas.MeterID, l *line.Line, err error) *adapters.Error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: it is busy with other meters; lengthen the interval", err)
	}
	return &adapters.Error{Meter: meter, Class: adapters.ClassOf(err), Request: "waited for the line " + l.String(), Err: err}
}
