package ingest

import (
	"testing"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// TestRepeatedIsPendingToo: while an envelope whose number was stored long ago waits for
// its store, a copy of it joins it, and the same number with other content is found out.
func TestRepeatedIsPendingToo(t *testing.T) {
	book, err := openReplayBook(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := newPendingSet(book)
	of := func(seq uint32, tag byte) *delivery {
		return &delivery{key: deliveryKey{source: source{"c1", schemas.Readings}, context: seal.Context{Boot: 1}, seq: seq}, tag: [16]byte{tag}}
	}
	var stored []*delivery
	for seq := range uint32(seal.MaxTags + 1) {
		stored = append(stored, of(seq, 1))
	}
	if err := book.commit(stored); err != nil {
		t.Fatal(err)
	}
	first := of(0, 1)
	for _, step := range []struct {
		d      *delivery
		want   seal.Verdict
		joined bool
	}{{first, seal.Repeated, false}, {of(0, 1), seal.Duplicate, true}, {of(0, 2), seal.NonceReuse, false}} {
		if v, joined := p.admit(step.d); v != step.want || joined != step.joined {
			t.Errorf("number 0, tag %d: %v, joined %t; want %v, %t", step.d.tag[0], v, joined, step.want, step.joined)
		}
	}
	if copies := p.drop(first); len(copies) != 1 {
		t.Errorf("%d copies to be acknowledged with it, want 1", len(copies))
	}
}
