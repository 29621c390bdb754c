package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/schemas"
)

func soldAt(n int) []schemas.CardEntry {
	return []schemas.CardEntry{{Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: testMeter, Terminal: "counter-1",
		Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: uint32(n)}, Amount: schemas.Credit{Value: 100, Unit: schemas.CreditFen},
		TakenAt: testTime.Add(time.Duration(n) * time.Minute)}}
}

// TestOutboxTaken: what a counter puts into its outbox is taken, also after the
// spool had no room for a while.
func TestOutboxTaken(t *testing.T) {
	o := cardslot.Outbox{Dir: filepath.Join(t.TempDir(), outboxFolder)}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var took []uint32
		full := true
		done := make(chan struct{})
		go func() {
			defer close(done)
			empty(ctx, slog.New(slog.DiscardHandler), o, func(_ context.Context, list []schemas.CardEntry) error {
				if full {
					return errors.New("full")
				}
				took = append(took, list[0].Purchase.Number)
				return nil
			})
		}()
		for n := 1; n <= 3; n++ {
			if err := o.Put(soldAt(n)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(outboxEvery)
			synctest.Wait()
			if full && len(took) > 0 {
				t.Error("taken by a full spool")
			}
			full = n < 2
		}
		time.Sleep(outboxEvery)
		synctest.Wait()
		cancel()
		<-done
		if len(took) != 3 || took[0] != 1 || took[2] != 3 {
			t.Errorf("took %v", took)
		}
	})
}

// TestRunTakesCounters runs a collector with a counter beside it, whose broker does
// not answer: the entries leave the outbox for the spool.
func TestRunTakesCounters(t *testing.T) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC", "GOMAXPROCS"} {
		t.Setenv(name, "set")
	}
	config, counter := aCollector(t), t.TempDir()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, fmt.Sprintf("counters: [{dir: %q}]\n", counter)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (cardslot.Outbox{Dir: filepath.Join(counter, outboxFolder)}).Put(soldAt(1)); err != nil {
		t.Fatal(err)
	}
	p, err := assemble(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	ran := make(chan error, 1)
	go func() { defer write.Close(); ran <- p.run(ctx, write, "") }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		files, err := os.ReadDir(filepath.Join(counter, outboxFolder))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the entries are still in the outbox")
			break
		}
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
