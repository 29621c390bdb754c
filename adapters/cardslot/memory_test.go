package cardslot_test

import (
	"context"
	"errors"
	"testing"

	"citygrid/adapters/cardslot"
)

// counting answers 9000 and counts what it was asked and how often it was reset.
type counting struct{ commands, resets int }

func (c *counting) Transmit([]byte) []byte { c.commands++; return []byte{0x90, 0x00} }
func (c *counting) Reset() []byte          { c.resets++; return nil }

func TestMemoryIsPulledWhereItIsTold(t *testing.T) {
	for _, c := range []struct {
		moment cardslot.Moment
		seen   int
	}{{cardslot.BeforeCommand, 1}, {cardslot.AfterCommand, 2}} {
		chip := &counting{}
		m := cardslot.NewMemory(chip)
		m.RemoveAt(2, c.moment)
		for n := 1; n <= 3; n++ {
			if _, err := m.Transmit(context.Background(), []byte{0, 0}); errors.Is(err, cardslot.ErrRemoved) != (n >= 2) {
				t.Errorf("command %d: %v", n, err)
			}
		}
		if chip.commands != c.seen || m.Sent() != 2 {
			t.Errorf("the card saw %d commands, want %d; %d sent", chip.commands, c.seen, m.Sent())
		}
		m.Insert()
		for range 5 {
			if _, err := m.Transmit(context.Background(), []byte{0, 0}); err != nil {
				t.Error(err)
			}
		}
		if chip.resets != 1 || m.Sent() != 5 {
			t.Errorf("%d resets, %d sent", chip.resets, m.Sent())
		}
	}
}
