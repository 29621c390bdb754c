package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"citygrid/collector"
)

// set is what the runtime goes by.
type set struct {
	memory           int64
	garbage, threads int
}

// now changes the runtime to s and returns what it went by until then.
func (s set) now() set {
	return set{debug.SetMemoryLimit(s.memory), debug.SetGCPercent(s.garbage), runtime.GOMAXPROCS(s.threads)}
}

// What an operator sets through the environment is left alone, each by itself.
func TestTheOperatorIsHeeded(t *testing.T) {
	names := []string{"GOMEMLIMIT", "GOGC", "GOMAXPROCS"}
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			t.Setenv(name, value) // so that it is put back
		}
	}
	operators := set{memory: math.MaxInt64 / 2, garbage: 123, threads: 3}
	before := operators.now()
	defer before.now()
	ours := set{memory: memoryGoal, garbage: garbage, threads: 1}
	for own := range 1 << len(names) {
		want := ours
		for i, name := range names {
			_ = os.Unsetenv(name)
			if own&(1<<i) != 0 {
				t.Setenv(name, "as the operator likes")
			}
		}
		if own&1 != 0 {
			want.memory = operators.memory
		}
		if own&2 != 0 {
			want.garbage = operators.garbage
		}
		if own&4 != 0 {
			want.threads = operators.threads
		}
		beFrugal()
		if got := operators.now(); got != want {
			t.Errorf("with %03b set by the operator: %+v, want %+v", own, got, want)
		}
	}
}

// No slot, no share: a line whose meters' first slots lie ahead has kept nothing,
// and missed nothing.
func TestKeptOfNothingPlanned(t *testing.T) {
	for want, r := range map[string]collector.Report{
		"-":      {ScheduleKept: 1},
		"0.0%":   {Planned: 3},
		"66.7%":  {Planned: 3, Read: 2, ScheduleKept: 2. / 3},
		"100.0%": {Planned: 3, Read: 3, ScheduleKept: 1},
	} {
		if got := kept(r); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}
