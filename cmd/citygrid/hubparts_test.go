package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/hub/enrolment"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// sinkFunc is a store that gives one answer.
type sinkFunc func() error

func (f sinkFunc) Write(context.Context, []schemas.Reading) error { return f() }

// A receipt follows done. So done runs when every reading is in the store or
// was refused for good, and never otherwise: not when the writer is stopped
// before, and not when the submission is.
func TestStoreQueueTellsOnlyWhatIsSettled(t *testing.T) {
	refusal := &store.RejectedError{Readings: []store.Rejected{{Reason: "no"}}}
	for _, tt := range []struct {
		name      string
		answer    error
		cancelled bool // the submission's context
		submit    error
		calls     int
	}{
		{"stored", nil, false, nil, 1},
		{"refused for good", refusal, false, nil, 1},
		{"the writer is stopped", errors.New("the store is away"), false, nil, 0},
		{"the submission is stopped", nil, true, context.Canceled, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				writer, err := store.NewWriter(sinkFunc(func() error { return tt.answer }), store.WriterConfig{})
				if err != nil {
					t.Fatal(err)
				}
				running, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); writer.Run(running) }()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancelled {
					cancel()
				}
				calls := 0
				err = storeQueue{writer}.Submit(ctx, make([]schemas.Reading, 1), func(err error) {
					calls++
					if (err == nil) != (tt.answer == nil) {
						t.Errorf("done with %v, the store said %v", err, tt.answer)
					}
				})
				if !errors.Is(err, tt.submit) {
					t.Errorf("Submit: %v, want %v", err, tt.submit)
				}
				time.Sleep(time.Minute) // of the bubble: the writer has tried
				stop()
				<-ended
				synctest.Wait()
				if calls != tt.calls {
					t.Errorf("done ran %d times, want %d", calls, tt.calls)
				}
			})
		})
	}
}

// The receiver learns of a revoked collector that it is not enrolled, and by
// its generation that it was.
func TestHubKnowsWhoIsEnrolled(t *testing.T) {
	list := &enrolment.List{}
	list.Put(enrolment.Collector{ID: "c1", Area: "310115", Generation: 0x0100})
	list.Put(enrolment.Collector{ID: "c2", Area: "310115", Generation: 0x0101, Revoked: true})
	var h hubProgram
	h.enrolled.Store(list)
	for id, want := range map[schemas.CollectorID]struct {
		generation uint16
		ok         bool
	}{"c1": {0x0100, true}, "c2": {0x0101, false}, "c3": {0, false}} {
		if _, generation, ok := h.find(id); generation != want.generation || ok != want.ok {
			t.Errorf("%s: generation %#04x, enrolled %v; want %+v", id, generation, ok, want)
		}
	}
}
