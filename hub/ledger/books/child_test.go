package books

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/child"
	"citygrid/schemas"
)

// childEnv makes this test program the process that is killed: "import ADDRESS",
// "run ADDRESS", "fill ADDRESS", "bill ADDRESS" or
// "clearing ADDRESS".
const childEnv = "CITYGRID_BOOKS_CHILD"

// killed is the world of the tests with kill: large enough to be met in the middle.
var killed = world{n: 2_000}

// beChild does the work once and says when it begins, so that the parent's clock
// starts there.
func beChild() int {
	var what, dsn string
	if _, err := fmt.Sscan(os.Getenv(childEnv), &what, &dsn); err != nil {
		return 2
	}
	b, err := Open(context.Background(), dsn, testOptions())
	if err == nil {
		fmt.Println("begins")
		err = work1(b, what)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// work1 is one import of three files, one run made again over two, or one filling:
// all are safe to do again from the start.
func work1(b *Books, what string) error {
	ctx := context.Background()
	if what == "run" {
		_, err := b.Run(ctx, schemas.Water, reconcile.Span{From: start + 1, To: start + 30}, "zhang", nil)
		return err
	}
	if what == "clearing" {
		return makeKilled(b)
	}
	if what == "bill" {
		return makeKilledBills(b)
	}
	if what == "fill" {
		_, err := b.FillUse(ctx, schemas.Water, reconcile.Span{From: start + 1, To: start + 30}, generated{}, nil)
		return err
	}
	for d := start + 1; d <= start+3; d++ {
		var same *ledger.ImportedError
		if _, err := b.StoreFile(ctx, killed.file(ledger.SalesFile, d)); err != nil && !errors.As(err, &same) {
			return err
		}
	}
	for i := range 400 {
		if err := b.StoreCards(ctx, "edge-1", killed.month(i)); err != nil {
			return err
		}
	}
	return nil
}

// TestKilledAndRepeated kills an import and a run at random moments, eight times
// each, then lets it end, and wants every table as if nothing had happened.
func TestKilledAndRepeated(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		quiet := mustOpen(t, another(t, dsn))
		victim := mustOpen(t, dsn)
		for _, b := range []*Books{quiet, victim} {
			killed.begin(t, b)
		}
		for _, what := range []string{"import", "run"} {
			if what == "run" {
				for _, b := range []*Books{quiet, victim} {
					killed.fill1(t, b)
				}
			}
			begun := time.Now()
			must(t, work1(quiet, what))
			whole := time.Since(begun)
			for n := range 8 {
				killAfter(t, what, dsn, time.Duration(chance.Int64N(int64(whole))))
				if _, err := victim.Runs(context.Background(), "", Page{}); err != nil {
					t.Errorf("%s after kill %d: %v", what, n, err)
				}
			}
			must(t, work1(victim, what))
			compareRuns(t, victim, quiet, what)
		}
	})
}

// fill1 completes the month where the import has stored a part already.
func (w world) fill1(tb testing.TB, b *Books) {
	tb.Helper()
	ctx := context.Background()
	var entries []schemas.CardEntry
	for i := range w.n {
		entries = append(entries, w.month(i)...)
	}
	must(tb, b.StoreCards(ctx, "edge-1", entries))
	for d := start + 1; d <= start+28; d++ {
		if _, err := b.StoreFile(ctx, w.file(ledger.PaymentsFile, d)); err != nil {
			tb.Fatal(err)
		}
		var same *ledger.ImportedError
		if _, err := b.StoreFile(ctx, w.file(ledger.SalesFile, d)); err != nil && !errors.As(err, &same) {
			tb.Fatal(err)
		}
	}
}

// compareRuns compares all tables. Runs that a killed process had finished, or had
// taken back, are evidence that stays: their records alone may be more, and what
// counts is compared by content.
func compareRuns(t *testing.T, got, want *Books, what string) {
	t.Helper()
	g, w := dump(t, got), dump(t, want)
	for _, table := range tables {
		switch {
		case what == "run" && (table == "runs" || table == "counters" || table == "account_undo" || table == "order_undo" || table == "run_items"):
			continue // they hold the number of the run
		case g[table] != w[table]:
			t.Errorf("after %s killed: table %s: %s, want %s", what, table, g[table], w[table])
		}
	}
	if what != "run" {
		return
	}
	a, err := got.LatestRun(context.Background(), schemas.Water)
	must(t, err)
	b, err := want.LatestRun(context.Background(), schemas.Water)
	must(t, err)
	if fmt.Sprint(a.Figures) != fmt.Sprint(b.Figures) || fmt.Sprint(a.Inputs) != fmt.Sprint(b.Inputs) {
		t.Errorf("the run after kills: %+v %v\nundisturbed: %+v %v", a.Figures, a.Inputs, b.Figures, b.Inputs)
	}
	var undo, balances int
	ctx := context.Background()
	must(t, got.read.NewRaw("SELECT COUNT(*) FROM account_undo WHERE run = ?", a.ID).Scan(ctx, &undo))
	must(t, got.read.NewRaw("SELECT COUNT(*) FROM account_undo WHERE run NOT IN (SELECT id FROM runs WHERE state = 'done')").Scan(ctx, &balances))
	if undo != killed.n || balances != 0 {
		t.Errorf("%d ways back for the run, %d for runs that do not count; want %d and 0", undo, balances, killed.n)
	}
}

// another returns the address of further empty books on the same database.
func another(t *testing.T, dsn string) string {
	t.Helper()
	if path, ok := cutSQLite(dsn); ok {
		return "sqlite:" + path + ".quiet"
	}
	s, err := postgres()
	must(t, err)
	dsn, err = s.Database()
	must(t, err)
	return dsn
}

func cutSQLite(dsn string) (string, bool) {
	if len(dsn) > 7 && dsn[:7] == "sqlite:" {
		return dsn[7:], true
	}
	return "", false
}

// killAfter starts the child and kills it that long after it began.
func killAfter(t *testing.T, what, dsn string, wait time.Duration) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	out, in, err := os.Pipe()
	must(t, err)
	defer out.Close()
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+what+" "+dsn)
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	p, err := child.Start("books", cmd)
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
