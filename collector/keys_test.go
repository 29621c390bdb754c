package collector

import (
	"crypto/rand"
	"errors"
	"testing"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// A receipt frees the spool, so only the key of today may seal one: an earlier key may
// have been stolen, and the reason for the new one. What the box has sealed itself opens
// under the earlier key all the same. Both are held for the collector and for Send.
func TestEarlierKeysOpenNoAnswers(t *testing.T) {
	w := newTown(t)
	stolen := w.testKeys
	fresh, err := seal.Issue(w.master, testArea, testID, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if w.bundle, err = fresh.Succeed(&stolen.bundle); err != nil {
		t.Fatal(err)
	}
	sending, err := newSending(w.sendOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sending.close() })
	receipt := receiptFor(testID, seal.Context{Boot: 1}, only(0))
	for name, p := range map[string]*publisher{"collector": mustOpen(t, w.options()).pub, "send": sending.pub} {
		var e *seal.Error
		err := p.take(sealReceipt(t, stolen.sealer(t, seal.Down, seal.Receipt, 1), receipt))
		if !errors.As(err, &e) || e.Code != seal.GenerationUnknown {
			t.Errorf("%s: a receipt under the stolen key: %v", name, err)
		}
		if err := p.take(sealReceipt(t, w.sealer(t, seal.Down, seal.Receipt, 2), receipt)); err != nil {
			t.Errorf("%s: a receipt under the key of today: %v", name, err)
		}
	}
	record, _, err := stolen.sealer(t, seal.Up, seal.Readings, 3).Seal(nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := OwnOpener(&w.bundle, seal.DefaultProvider())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := own.Open(nil, record); err != nil {
		t.Errorf("its own record under the earlier key: %v", err)
	}
}

func TestAnswerKey(t *testing.T) {
	b := newKeys(t).bundle
	b.Generation = 0x0200
	b.Previous = []seal.PreviousKey{{Generation: 0x0101, Key: b.Key}}
	if got, err := answerKey(&b, 0x0200, string(testID)); err != nil || !got.Equal(b.Key.Secret) {
		t.Errorf("its own key: another, %v", err)
	}
	for generation, id := range map[uint16]schemas.CollectorID{0x0101: testID, 0x0201: testID, 0x0200: "another"} {
		var e *seal.Error
		if _, err := answerKey(&b, generation, string(id)); !errors.As(err, &e) {
			t.Errorf("%s under %#04x: %v, want a refusal", id, generation, err)
		}
	}
}
