package cases

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestRandomWalks does 100,000 acts by random persons at random cases with random
// clocks, and checks after each what must always hold.
func TestRandomWalks(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2026))
	acts, journals := 0, 0
	for acts < 100_000 {
		w := &walker{t: t, rng: rng, c: new(Case), clock: began}
		for range 60 {
			w.try()
		}
		w.atEnd()
		acts += len(w.journal)
		journals++
	}
	t.Logf("%d acts in %d cases", acts, journals)
}

type walker struct {
	t       *testing.T
	rng     *rand.Rand
	c       *Case
	clock   time.Time
	journal []Entry
}

func (w *walker) try() {
	people := everybody()
	who := people[w.rng.IntN(len(people))]
	acts := Allowed(w.c, who, allowing)
	if len(acts) == 0 || w.rng.IntN(20) == 0 {
		acts = Acts() // mostly not allowed
	}
	list := variants(acts[w.rng.IntN(len(acts))], who)
	e := list[w.rng.IntN(len(list))]
	w.clock = w.clock.Add(time.Duration(w.rng.IntN(5_000_000)-50_000) * time.Millisecond) // the hub's clock may go back
	e.ReceivedAt = w.clock
	e.At = w.clock.Add(-time.Duration(w.rng.IntN(20_000_000)-1_000_000) * time.Millisecond)
	before := w.c.Clone()
	w.c.Prepare(e, allowing)
	if err := w.c.Apply(e, allowing); err != nil {
		if !reflect.DeepEqual(before, w.c.Clone()) {
			w.t.Fatalf("%s failed and changed the case: %v", e.Act, err)
		}
		return
	}
	w.journal = append(w.journal, *e)
	w.holds(before, e)
}

// holds checks one step.
func (w *walker) holds(before *Case, e *Entry) {
	c, t := w.c, w.t
	if before.State.Final() {
		t.Fatalf("%s after the end", e.Act)
	}
	if (e.Act == ActApprove || e.Act == ActRefuse) && before.Request.By.Person == e.Person {
		t.Fatalf("%s asked and answered", e.Person)
	}
	if in(e.Act, []Act{ActSendCheck, ActAnswerCheck, ActClose}) && slices.Contains(c.Parties, e.Person) {
		t.Fatalf("%s acted for the department and did %s", e.Person, e.Act)
	}
	for _, p := range c.Parties {
		if slices.Contains(c.Judges, p) {
			t.Fatalf("%s is party and judge", p)
		}
	}
	worked := in(c.State, []State{Handling, Suspended, FedBack, Checking, Checked})
	if worked && (c.Handler == "" || !slices.Contains(c.SentTo, c.Handler)) || !worked && !c.State.Final() && c.Handler != "" {
		t.Fatalf("%s with %q as handler of %v", c.State, c.Handler, c.SentTo)
	}
	if c.State != before.State && e.CountsAt.Before(before.Since) {
		t.Fatalf("%s counts at %s, before %s began", e.Act, e.CountsAt, before.State)
	}
	if e.CountsAt.After(e.ReceivedAt) || e.ReceivedAt.Before(before.ReceivedAt) {
		t.Fatalf("times of %s: counts %s, received %s", e.Act, e.CountsAt, e.ReceivedAt)
	}
	w.clockStands()
}

// clockStands checks that the marks stop the clock exactly where the state says so.
func (w *walker) clockStands() {
	runs := false
	for _, m := range w.c.Clock {
		switch m.Kind {
		case MarkFiled, MarkDispatched, MarkResumed, MarkReworked:
			runs = true
		case MarkSuspended, MarkFedBack, MarkEnded:
			runs = false
		}
	}
	if want := in(w.c.State, []State{Filed, Dispatched, Handling}); runs != want {
		w.t.Fatalf("clock runs %v in %s: %v", runs, w.c.State, w.c.Clock)
	}
}

func (w *walker) atEnd() {
	t := w.t
	again, err := Fold(w.journal)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, w.c.Clone()) && !reflect.DeepEqual(again.Clone(), w.c.Clone()) {
		t.Fatalf("fold came to %+v, want %+v", again, w.c)
	}
	if head, err := Verify(w.journal); err != nil || head != w.c.Head {
		t.Fatalf("chain: %q, %v; want %q", head, err, w.c.Head)
	}
	bodies := make([]string, len(w.journal))
	for n := range w.journal {
		data, err := w.journal[n].MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEntry(data)
		if err != nil || !reflect.DeepEqual(back, &w.journal[n]) {
			t.Fatalf("%s: %v\n%+v", data, err, back)
		}
		bodies[n] = string(data)
	}
	w.read(bodies)
	w.tamper()
}

// read holds Read against Fold, and shows it a journal in which one entry was changed.
func (w *walker) read(bodies []string) {
	want, err := Fold(w.journal)
	if err != nil {
		w.t.Fatal(err)
	}
	c, entries, err := Read(bodies)
	if err != nil || !reflect.DeepEqual(c, want) || !reflect.DeepEqual(entries, w.journal) {
		w.t.Fatalf("read %+v, want %+v (%v)", c, want, err)
	}
	if len(bodies) < 2 {
		return
	}
	changed := w.journal[0]
	changed.Reason += "x"
	data, err := changed.MarshalJSON()
	if err != nil {
		w.t.Fatal(err)
	}
	var broken *ChainError
	if _, _, err := Read(append([]string{string(data)}, bodies[1:]...)); !errors.As(err, &broken) || broken.Number != 2 {
		w.t.Fatalf("a changed journal was taken: %v", err)
	}
}

// tamper changes, drops or swaps an entry: the chain shows it.
func (w *walker) tamper() {
	if len(w.journal) < 3 {
		return
	}
	n := w.rng.IntN(len(w.journal) - 1)
	for _, change := range []func(j []Entry) []Entry{
		func(j []Entry) []Entry { j[n].Text += "x"; return j },
		func(j []Entry) []Entry { return slices.Delete(j, n, n+1) },
		func(j []Entry) []Entry { j[n], j[n+1] = j[n+1], j[n]; return j },
		func(j []Entry) []Entry { return slices.Insert(j, n, j[n]) },
	} {
		var broken *ChainError
		if _, err := Verify(change(slices.Clone(w.journal))); !errors.As(err, &broken) {
			w.t.Fatalf("a changed journal was taken: %v", err)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	for _, a := range Acts() {
		e := entry(a, by(Table()[slices.IndexFunc(Table(), func(r Transition) bool { return r.Act == a })].By[0]))
		new(Case).at(e, allowing)
		data, err := e.MarshalJSON()
		if err != nil {
			f.Fatal(a, err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEntry(data)
		if err != nil {
			return
		}
		again, err := e.MarshalJSON()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s became %s (%v)", data, again, err)
		}
		_ = new(Case).Apply(e, allowing)
	})
}
