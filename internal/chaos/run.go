package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"
)

// Options say what to run.
type Options struct {
	// Citygrid and Collector are the paths of the programs.
	Citygrid, Collector string
	// Dir is the folder for all files; empty means one of the system's for temporary
	// files. A trial's folder is removed when nothing was wrong with it.
	Dir string
	// Trials is how many seeds are tried, from Seed on, and Parallel how many at once.
	Trials   int
	Seed     uint64
	Parallel int
	// Progress is told of every trial, in the order in which they end; it is called by one
	// goroutine at a time.
	Progress func(Plan, *Result)
}

// maxKept bounds the folders of failed trials that are kept.
const maxKept = 5

// Run tries the seeds. The error says that it could not be carried through, and the report
// is then of the trials that were; what was wrong with the city is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Trials < 1 || o.Parallel < 1 {
		return nil, fmt.Errorf("%d trials, %d at once: want at least 1", o.Trials, o.Parallel)
	}
	base, err := os.MkdirTemp(o.Dir, "citygrid-chaos-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(base) // unless the folders of failed trials are in it
	report, begun := newReport(), time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan uint64)
	for range o.Parallel {
		all.Go(func() {
			for seed := range next {
				plan := NewPlan(seed)
				r := tryOne(ctx, o, plan, filepath.Join(base, fmt.Sprint("seed-", seed)))
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				report.add(r)
				if r.Bad() == 0 || len(report.Failed) > maxKept {
					_ = os.RemoveAll(filepath.Join(base, fmt.Sprint("seed-", seed)))
				}
				if o.Progress != nil {
					o.Progress(plan, r)
				}
				mu.Unlock()
			}
		})
	}
	for n := range o.Trials {
		select {
		case next <- o.Seed + uint64(n):
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	report.Elapsed = time.Since(begun).Seconds()
	if report.Trials < o.Trials {
		return report, fmt.Errorf("stopped after %d of %d trials: %w", report.Trials, o.Trials, context.Cause(ctx))
	}
	return report, nil
}

// tryOne runs one plan; what kept it from its end is part of the result. Every stage of a
// trial has its bound; should one not keep it, the trial fails all the same, and leaves
// its goroutine behind.
func tryOne(ctx context.Context, o Options, p Plan, dir string) *Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan *Result, 1)
	go func() { done <- carryOut(ctx, o, p, dir) }()
	most := 20*recovery + 2*p.longest()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case r := <-done:
		return r
	case <-timer.C:
	}
	stuck := newResult(p)
	path := filepath.Join(dir, "stacks.txt")
	stuck.Problem = errors.Join(fmt.Errorf("the trial did not end within %s; where it stands is in %s", most, path), writeStacks(path)).Error()
	return stuck
}

// writeStacks writes down what every goroutine waits for.
func writeStacks(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("goroutine").WriteTo(f, 2), f.Close())
}

func carryOut(ctx context.Context, o Options, p Plan, dir string) *Result {
	if err := os.Mkdir(dir, 0o700); err != nil {
		r := newResult(p)
		r.Problem = err.Error()
		return r
	}
	r, err := runTrial(ctx, o, p, dir)
	if err != nil {
		r.Problem = errors.Join(err, fmt.Errorf("the files are in %s", dir)).Error()
	} else if r.Bad() > 0 {
		r.example("the files are in %s", dir)
	}
	return r
}
