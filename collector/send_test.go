package collector

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// sendOptions are those of the town's collector.
func (w *town) sendOptions() SendOptions {
	return SendOptions{
		Bundle: &w.bundle, Provider: seal.DefaultProvider(), Dir: w.t.TempDir(), Log: silent,
		Broker: mqttlink.Config{URL: w.broker, Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
	}
}

// What was carried is published in the collector's name, and counts as confirmed by
// the hub's receipts alone.
func TestSend(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	c := mustOpen(t, w.options())
	_, envelopes := put(t, c, 30)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	load := func(add func([]byte) error) error {
		for _, e := range envelopes {
			if err := add([]byte(e)); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sent, err := Send(ctx, w.sendOptions(), load)
	if err != nil || sent != (Sent{30, 30}) || w.hub.stored() != 30 {
		t.Errorf("sent %+v, the hub has %d: %v", sent, w.hub.stored(), err)
	}

	w.hub.answer(false)
	short, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	sent, err = Send(short, w.sendOptions(), load)
	if sent != (Sent{30, 0}) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "30 envelopes have no receipt\n") {
		t.Errorf("without receipts: %+v, %v", sent, err)
	}

	rotated, o := w.bundle, w.sendOptions()
	rotated.Generation++
	o.Bundle = &rotated
	short, end = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	if _, err = Send(short, o, load); err == nil || !strings.Contains(err.Error(), "sealed under key 0x0100, and the bundle has 0x0101") {
		t.Errorf("under the key before: %v", err)
	}
}

func TestSendRefuses(t *testing.T) {
	w := newTown(t)
	stranger, _, err := w.otherKey(t, "c2").sealer(t, seal.Up, seal.Readings, 1).Seal(nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	status, _, err := w.sealer(t, seal.Up, seal.Status, 1).Seal(nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for want, envelope := range map[string][]byte{"of collector": stranger, "do not lie in a spool": status, "send": []byte("garbage")} {
		_, err := Send(t.Context(), w.sendOptions(), func(add func([]byte) error) error { return add(envelope) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	select {
	case <-w.hub.seen[schemas.Readings]:
		t.Error("a refused envelope was published")
	default:
	}
}
