package seal

import (
	"cmp"
	"fmt"
	"slices"
)

// Verdict says what a message is to a Tracker.
type Verdict uint8

// The verdicts.
const (
	// New: never seen. Store it, then Commit it.
	New Verdict = iota
	// Duplicate: accepted before with the same tag. A broker redelivers so; drop it
	// silently.
	Duplicate
	// NonceReuse: another message with the same session and number was
	// accepted. Someone runs the key twice (a resumed snapshot, a cloned
	// process): alarm, and block the session until someone has looked.
	NonceReuse
	// Late: below what is remembered, so nobody can say whether it is new.
	// Set it aside for an operator.
	Late
	// BootConflict: the boot number belongs to a session with other random
	// bytes. Flash replaced, image restored, or a clone: quarantine.
	BootConflict
	// Repeated: its number was accepted before and the tag is no longer remembered,
	// so it is either that message or another under its number, as of a machine that
	// was resumed from an old snapshot. Store it again, where each point has its
	// place, and confirm it then.
	Repeated
)

// String returns the name that counters and dead letters use: "new",
// "duplicate", "nonce_reuse", "late", "boot_conflict" or "repeated".
func (v Verdict) String() string {
	names := [...]string{"new", "duplicate", "nonce_reuse", "late", "boot_conflict", "repeated"}
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// The bounds of a Tracker.
const (
	// MaxBoots is how many sessions a Tracker remembers: those with the
	// highest boot numbers.
	MaxBoots = 64
	// MaxIntervals bounds the intervals of accepted numbers of one session.
	MaxIntervals = 4096
	// MaxTags is how many tags of one session are remembered: the last
	// accepted.
	MaxTags = 256
)

// Tracker remembers which messages of one collector and one stream were
// accepted, exactly and without a window: late messages of a known session are
// told from repeated ones however old they are, and the holes are the list of
// what is missing. The zero Tracker is ready. It is not safe for concurrent
// use.
//
// Where the bounds are exceeded, a Tracker forgets from below and answers Late
// or Repeated there; it never takes a repeated message for new, nor calls one a
// Duplicate that may be new.
type Tracker struct {
	floor uint32  // boots below it were forgotten
	boots []*boot // by number, rising, at most MaxBoots
}

// boot is the memory of one session.
type boot struct {
	number uint32
	random [8]byte
	// low is the low-water mark: what lies below it was forgotten.
	low uint32
	// lost counts the numbers below low that were never accepted.
	lost      uint32
	intervals []interval // rising, apart, none touching another
	tags      []tagMark  // at most MaxTags, a ring when full
	oldest    int        // index of the oldest tag of a full ring
}

// interval is a run of accepted numbers, both ends included.
type interval struct{ from, to uint32 }

// tagMark holds the first bytes of an accepted tag.
type tagMark struct {
	seq uint32
	tag [4]byte
}

// Gap is a run of numbers that were not accepted while a higher one of the
// same session was. Both ends are included.
type Gap struct {
	Context  Context
	From, To uint32
}

// Check says what a message is and changes nothing. Before the message is
// opened the answer is a hint only: anyone can write a header.
func (t *Tracker) Check(ctx Context, seq uint32, tag [16]byte) Verdict {
	i, found := t.find(ctx.Boot)
	if found {
		return t.boots[i].check(ctx.Random, seq, tag)
	}
	if ctx.Boot < t.floor || i == 0 && len(t.boots) == MaxBoots {
		return Late
	}
	return New
}

// Commit says what Check says and remembers a New message as accepted. Call it
// only after Open succeeded, and in the order of the storage: what is committed
// is a Duplicate from then on, and Repeated when MaxTags later ones were accepted.
func (t *Tracker) Commit(ctx Context, seq uint32, tag [16]byte) Verdict {
	v := t.Check(ctx, seq, tag)
	if v == New {
		t.session(ctx).accept(seq, tag)
	}
	return v
}

// Gaps lists the holes of every remembered session, by boot and number. Holes
// below a low-water mark are not listed: see Lost.
func (t *Tracker) Gaps() []Gap {
	var gaps []Gap
	for _, b := range t.boots {
		next := b.low
		for _, iv := range b.intervals {
			if iv.from > next {
				gaps = append(gaps, Gap{b.context(), next, iv.from - 1})
			}
			next = iv.to + 1 // wraps after the last interval only
		}
	}
	return gaps
}

// Lost returns how many numbers were still missing when the low-water mark of
// a remembered session passed them.
func (t *Tracker) Lost() uint64 {
	var n uint64
	for _, b := range t.boots {
		n += uint64(b.lost)
	}
	return n
}

func (t *Tracker) find(number uint32) (int, bool) {
	return slices.BinarySearchFunc(t.boots, number, func(b *boot, n uint32) int { return cmp.Compare(b.number, n) })
}

// session returns the memory of a session that Check found New, and forgets
// the lowest boot when there is one too many.
func (t *Tracker) session(ctx Context) *boot {
	i, found := t.find(ctx.Boot)
	if found {
		return t.boots[i]
	}
	b := &boot{number: ctx.Boot, random: ctx.Random}
	t.boots = slices.Insert(t.boots, i, b)
	if len(t.boots) > MaxBoots {
		t.floor = t.boots[0].number + 1 // there is a higher boot, so this does not wrap
		t.boots = slices.Delete(t.boots, 0, 1)
	}
	return b
}

func (b *boot) context() Context { return Context{Boot: b.number, Random: b.random} }

func (b *boot) check(random [8]byte, seq uint32, tag [16]byte) Verdict {
	if random != b.random {
		return BootConflict
	}
	if _, in := b.find(seq); !in && seq >= b.low {
		return New
	}
	for _, m := range b.tags {
		if m.seq == seq && m.tag != [4]byte(tag[:4]) {
			return NonceReuse
		} else if m.seq == seq {
			return Duplicate
		}
	}
	if seq < b.low {
		return Late
	}
	return Repeated
}

// find returns the index of the interval that holds seq, or of the first one
// above it.
func (b *boot) find(seq uint32) (int, bool) {
	return slices.BinarySearchFunc(b.intervals, seq, func(iv interval, s uint32) int {
		switch {
		case iv.to < s:
			return -1
		case iv.from > s:
			return 1
		}
		return 0
	})
}

func (b *boot) accept(seq uint32, tag [16]byte) {
	b.insert(seq)
	if len(b.intervals) > MaxIntervals {
		first := b.intervals[0]
		b.lost += first.from - b.low
		b.low = first.to + 1 // there is a higher interval, so this does not wrap
		b.intervals = slices.Delete(b.intervals, 0, 1)
	}
	m := tagMark{seq, [4]byte(tag[:4])}
	if len(b.tags) < MaxTags {
		b.tags = append(b.tags, m)
		return
	}
	b.tags[b.oldest] = m
	b.oldest = (b.oldest + 1) % MaxTags
}

// insert adds a number that no interval holds and joins what then touches.
func (b *boot) insert(seq uint32) {
	i, _ := b.find(seq)
	below := i > 0 && b.intervals[i-1].to+1 == seq
	above := i < len(b.intervals) && b.intervals[i].from == seq+1
	switch {
	case below && above:
		b.intervals[i-1].to = b.intervals[i].to
		b.intervals = slices.Delete(b.intervals, i, i+1)
	case below:
		b.intervals[i-1].to = seq
	case above:
		b.intervals[i].from = seq
	default:
		b.intervals = slices.Insert(b.intervals, i, interval{seq, seq})
	}
}
