package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/completeness"
	"citygrid/hub/config"
	"citygrid/hub/ingest"
	"citygrid/hub/store"
	"citygrid/internal/cli"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// completenessFile is the database of the completeness ledger, in the data folder.
const completenessFile = "completeness.db"

// openSlots opens the completeness ledger. Refills go out over the receiver, which is not
// there yet.
func (h *hubProgram) openSlots(ctx context.Context, series *store.Store, receiver func() *ingest.Receiver) (*completeness.Ledger, error) {
	l, err := completeness.Open(ctx, completenessAddress(h.cfg), completeness.Options{
		Now: time.Now, Log: h.log, Store: series.Moments,
		Area:     func(id schemas.CollectorID) schemas.AreaCode { area, _, _ := h.find(id); return area },
		Enrolled: func(id schemas.CollectorID) bool { _, _, ok := h.find(id); return ok },
		Refill: func(ctx context.Context, id schemas.CollectorID, list []schemas.Refill) error {
			return receiver().Refill(ctx, id, list)
		},
	})
	if err != nil {
		return nil, cli.Failed(err)
	}
	h.registerSlots(l)
	return l, nil
}

func completenessAddress(cfg *config.Config) string {
	return "sqlite:" + filepath.Join(cfg.Path(cfg.DataDir), completenessFile)
}

// registerSlots exports the gaps of the last day.
func (h *hubProgram) registerSlots(l *completeness.Ledger) {
	set := counters.New(h.registry, "hub")
	set.GaugeFunc("silent_collectors", "Collectors that the hub knows and that have said nothing for a quarter of an hour.", func() float64 { return float64(l.Gauges().Silent) })
	h.registry.MustRegister(gapSlots{l})
}

// slotObserver lets the completeness ledger learn of what is stored, beside another
// observer.
type slotObserver struct {
	ingest.Observer
	accounts ingest.Accounts
	ledger   *completeness.Ledger
}

// observeSlots puts the ledger beside an observer, which keeps accounts itself.
func observeSlots(o ingest.Observer, l *completeness.Ledger) ingest.Observer {
	accounts, ok := o.(ingest.Accounts)
	if !ok {
		return o
	}
	return slotObserver{o, accounts, l}
}

// StoredFrom implements ingest.Accounts.
func (o slotObserver) StoredFrom(id schemas.CollectorID, readings []schemas.Reading, at time.Time) {
	o.accounts.StoredFrom(id, readings, at)
	o.ledger.Stored(id, readings, at)
}

// Session implements ingest.Accounts.
func (o slotObserver) Session(id schemas.CollectorID, stream schemas.Stream, boot uint32, random [8]byte, at time.Time) {
	o.accounts.Session(id, stream, boot, random, at)
	o.ledger.Heard(id, at)
}

// Refused implements ingest.Accounts.
func (o slotObserver) Refused(id schemas.CollectorID, code string, at time.Time) {
	o.accounts.Refused(id, code, at)
}

// slotOptions adds the ledger to the hub's face.
func slotOptions(o *api.Options, l *completeness.Ledger) { o.Completeness = l }

// sqliteFile is the path in an address of SQLite; "" in any other.
func sqliteFile(dsn string) string {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return ""
	}
	return path
}
