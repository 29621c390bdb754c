package collector

import (
	"context"
	"sync"
)

// desk is where the items of a stream are given to their stage, by many at once, and
// waited for until they are durable.
type desk[T any] struct {
	stage *sealStage[T]
	in    chan []T
	// turn is held by the one who gives; given counts, in the order of in.
	turn    chan struct{}
	given   uint64
	closing chan struct{} // closed first: nobody may begin to give
	once    sync.Once
}

// newDesk makes the desk of a stage, whose in it sets.
func newDesk[T any](stage *sealStage[T]) *desk[T] {
	d := &desk[T]{stage: stage, in: make(chan []T), turn: make(chan struct{}, 1), closing: make(chan struct{})}
	stage.in = d.in
	return d
}

// close ends the stage's input. What was handed before is made durable.
func (d *desk[T]) close() {
	d.once.Do(func() {
		close(d.closing)
		d.turn <- struct{}{} // whoever gives now leaves at once
		close(d.in)
	})
}

// hand gives items to the stage and returns the count that the stage will have
// reached when they are durable. It does not wait for the disk, and not at all
// while the disk takes no more.
func (d *desk[T]) hand(ctx context.Context, items []T) (upTo uint64, err error) {
	select {
	case <-d.closing:
		return 0, errStageEnded
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case d.turn <- struct{}{}:
	}
	defer func() { <-d.turn }()
	for {
		_, changed, fault := d.stage.progress.look()
		if fault != nil {
			return 0, fault
		}
		select {
		case <-d.closing: // and in may be closed, too
			return 0, errStageEnded
		default:
		}
		select {
		case d.in <- items:
			d.given += uint64(len(items))
			return d.given, nil
		case <-changed:
		case <-d.closing:
			return 0, errStageEnded
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// await waits until so many items are durable, or until the disk takes no more.
func (d *desk[T]) await(ctx context.Context, upTo uint64) error {
	for {
		durable, changed, fault := d.stage.progress.look()
		switch {
		case durable >= upTo:
			return nil
		case fault != nil:
			return fault
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
