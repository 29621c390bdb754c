package assets

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"citygrid/internal/child"
	"citygrid/simulators/district"
)

// childEnv makes this test program the process that is killed: "ADDRESS FOLDER".
const childEnv = "CITYGRID_ASSETS_CHILD"

func beChild() int {
	var dsn, dir string
	if _, err := fmt.Sscan(os.Getenv(childEnv), &dsn, &dir); err != nil {
		return 2
	}
	ctx := context.Background()
	r, err := Open(ctx, dsn, Options{Now: newClock().now})
	if err == nil {
		fmt.Println("begins")
		_, err = r.Import(ctx, filesOf(dir), ImportOptions{By: "zhang"}, nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// filesOf are the files of a census in a folder.
func filesOf(dir string) []File {
	var c district.Census
	for _, name := range []string{"areas.csv", "cells.geojson", "duties.csv", "departments.csv", "people.csv", "components.csv", "meter_links.csv"} {
		c.Files = append(c.Files, district.CensusFile{Kind: string(KindOf(name)), Name: name})
	}
	return filesIn(dir, &c)
}

// TestKilledInTheMiddle kills an import at random moments: the register is empty or
// whole after each, and an import that is let end finds what the quiet one does.
func TestKilledInTheMiddle(t *testing.T) {
	o := small()
	o.Components = 4000
	d, err := district.New(o)
	must(t, err)
	dir := t.TempDir()
	_, err = d.WriteCensus(context.Background(), dir, 0)
	must(t, err)
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		quiet := mustOpen(t, "sqlite:"+t.TempDir()+"/quiet.db")
		begun := time.Now()
		mustImport(t, quiet, filesOf(dir))
		whole := time.Since(begun)
		want := dump(t, quiet)
		for n := range 6 {
			killAfter(t, dsn, dir, time.Duration(chance.Int64N(int64(whole))))
			r, err := Open(context.Background(), dsn, Options{Now: newClock().now})
			must(t, err)
			got := dump(t, r)
			must(t, r.Close())
			if len(got) != 0 && got != want {
				t.Fatalf("after kill %d the register is neither empty nor whole: %d bytes of %d", n, len(got), len(want))
			}
		}
		r := mustOpen(t, dsn)
		mustImport(t, r, filesOf(dir))
		if got := dump(t, r); got != want {
			t.Error("after the kills the import comes to something else")
		}
	})
}

// killAfter starts the child and kills it that long after it began.
func killAfter(t *testing.T, dsn, dir string, wait time.Duration) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	out, in, err := os.Pipe()
	must(t, err)
	defer out.Close()
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dsn+" "+dir)
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	p, err := child.Start("assets", cmd)
	must(t, err)
	must(t, in.Close())
	buf := make([]byte, 16)
	if _, err := out.Read(buf); err != nil {
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
