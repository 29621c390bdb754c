package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/internal/child"
	"citygrid/schemas"
)

// childEnv makes this test program the process that is killed; it holds the address.
const childEnv = "CITYGRID_DESK_CHILD"

// beChild sends all uploads once.
func beChild() int {
	tb := new(testing.B)
	c, g := &clock{t: monday}, newGrid()
	d, err := Open(context.Background(), os.Getenv(childEnv), options(tb, c, g))
	if err == nil {
		fmt.Println("begins")
		err = sendAll(d, g)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sendAll is what phones and collectors send, and send again after a crash: 40 groups
// of a report, what follows it, and an event.
func sendAll(d *Desk, g *grid) error {
	ctx := context.Background()
	for n := range 40 {
		id := cases.CaseID(fmt.Sprintf("C20261123%06d", n+1))
		if n%2 == 1 {
			id = "" // the event's
		}
		var list []Submission
		if id != "" {
			id = cases.CaseID(fmt.Sprintf("C20261123%06d", n/2+1))
			list = append(list, Submission{Entry: withID(report(2), n, 0)})
			for k, a := range toHandling {
				e := withID(entry(a, by(usual(a))), n, k+1)
				e.Case = id
				list = append(list, Submission{Entry: e})
			}
			results, err := d.ActAll(ctx, list)
			if err != nil {
				return err
			}
			for _, r := range results {
				if r.Err != nil {
					return r.Err
				}
			}
			continue
		}
		e := opened(schemas.EventLeak, schemas.MeterID(fmt.Sprint("M", n)), monday)
		if err := d.StoreEvents(ctx, "c1", []schemas.ComponentEvent{e}); err != nil {
			return err
		}
	}
	return nil
}

func withID(e cases.Entry, n, k int) cases.Entry {
	e.ClientID, e.At = fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", n, k), monday
	return e
}

// TestKilledAndRepeated kills the writer at random moments and lets it send again:
// the tables are those of one that was never killed.
func TestKilledAndRepeated(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		quiet := openTown(t, "sqlite:"+t.TempDir()+"/quiet.db")
		begun := time.Now()
		must(t, sendAll(quiet.Desk, quiet.grid))
		whole := time.Since(begun)
		victim := openTown(t, dsn)
		for range 6 {
			killAfter(t, dsn, time.Duration(chance.Int64N(int64(whole))))
			victim.sound()
		}
		must(t, sendAll(victim.Desk, victim.grid))
		if got, want := victim.rows(), quiet.rows(); got != want {
			t.Errorf("after kills\n%s\nundisturbed\n%s", got, want)
		}
	})
}

// killAfter starts the child and kills it that long after it began.
func killAfter(t *testing.T, dsn string, wait time.Duration) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	out, in, err := os.Pipe()
	must(t, err)
	defer out.Close()
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dsn)
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	p, err := child.Start("desk", cmd)
	must(t, err)
	must(t, in.Close())
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Errorf("the child said nothing: %v", err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Done():
	}
	p.Kill()
}
