package cardslot

import (
	"context"
	"fmt"
)

// Chip is a card as its simulation is: it carries out a command and answers.
type Chip interface {
	Transmit(command []byte) []byte
}

// Moment is when a card is pulled out.
type Moment bool

// The moments.
const (
	// BeforeCommand: the card never saw the command.
	BeforeCommand Moment = false
	// AfterCommand: the card carried the command out, but its answer is lost.
	AfterCommand Moment = true
)

// Memory is a Card in the same process, for tests and demonstrations. It can be
// pulled out at any command. It is used by one goroutine at a time.
type Memory struct {
	chip    Chip
	removed bool
	sent    int
	pullAt  int // number of the command, from 1; 0: never
	moment  Moment
}

// NewMemory returns a slot with the chip in it.
func NewMemory(chip Chip) *Memory { return &Memory{chip: chip} }

// RemoveAt pulls the card at command n, counted from 1 since the last insertion;
// 0 never does.
func (m *Memory) RemoveAt(n int, moment Moment) { m.pullAt, m.moment = n, moment }

// Remove pulls the card now.
func (m *Memory) Remove() { m.removed = true }

// Insert puts the card in again: it is reset, if it can be, commands are counted
// anew, and no removal is planned.
func (m *Memory) Insert() {
	m.removed, m.sent, m.pullAt = false, 0, 0
	if r, ok := m.chip.(interface{ Reset() []byte }); ok {
		r.Reset()
	}
}

// Sent returns how many commands were sent since the last insertion, the one at
// which the card was pulled included.
func (m *Memory) Sent() int { return m.sent }

// Transmit implements Card.
func (m *Memory) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("send to the card: %w", err)
	}
	if m.removed {
		return nil, fmt.Errorf("send to the card: %w", ErrRemoved)
	}
	m.sent++
	if m.sent != m.pullAt {
		return m.chip.Transmit(command), nil
	}
	m.removed = true
	if m.moment == AfterCommand {
		m.chip.Transmit(command)
	}
	return nil, fmt.Errorf("send command %d to the card: %w", m.sent, ErrRemoved)
}
