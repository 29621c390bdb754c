package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/schemas"
)

// outboxEvery is the time between two looks into the outbox of a counter.
const outboxEvery = 2 * time.Second

// outboxFolder is the folder of the outbox in a counter's folder.
const outboxFolder = "outbox"

// serveCounters takes over what the counters of the configuration sell, until stop
// is called.
func (p *program) serveCounters(ctx context.Context, take func(context.Context, []schemas.CardEntry) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, counter := range p.config.Counters {
		o := cardslot.Outbox{Dir: filepath.Join(p.config.Path(counter.Dir), outboxFolder)}
		all.Go(func() { empty(ctx, p.options.Log, o, take) })
	}
	return func() { cancel(); all.Wait() }
}

// empty hands on what is in an outbox, again and again, until ctx ends. What goes
// wrong is said once for as long as it lasts.
func empty(ctx context.Context, log *slog.Logger, o cardslot.Outbox, take func(context.Context, []schemas.CardEntry) error) {
	tick := time.NewTicker(outboxEvery)
	defer tick.Stop()
	for said := ""; ; {
		n, err := o.Take(ctx, take)
		if n > 0 {
			log.Info("card entries of the counter are on disk", "outbox", o.Dir, "entries", n)
		}
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && said != err.Error():
			said = err.Error()
			log.Error("card entries of the counter wait", "outbox", o.Dir, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
