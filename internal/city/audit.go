package city

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"citygrid/collector/spool"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// checkWindow is how long a value may have been under way behind a gateway: as
// long as one request may take, and as long as a crowded machine may keep the
// collector from noticing that its answer has come.
const checkWindow = answerTimeout + 500*time.Millisecond

// maxExamples bounds the wrong points that the report spells out.
const maxExamples = 10

// point names a reading for ever.
type point struct {
	meter    schemas.MeterID
	quantity schemas.Quantity
	origin   schemas.Origin
	takenAt  int64 // milliseconds
}

func pointOf(r schemas.Reading) point {
	return point{r.Meter, r.Quantity, r.Origin, r.TakenAt.UnixMilli()}
}

// owed are readings that were durable in a collector's spool and so must be in
// the store in the end.
type owed map[point]bool

// audit holds every stored reading against the oracle and against what is
// owed, and counts into a report.
type audit struct {
	report *Report
	check  func(schemas.Reading) error
	owed   owed
	found  map[point]bool // of owed
}

func newAudit(r *Report, check func(schemas.Reading) error, o owed) *audit {
	return &audit{report: r, check: check, owed: o, found: make(map[point]bool)}
}

// add takes one stored reading.
func (a *audit) add(r schemas.Reading) {
	a.report.PointsStored++
	switch r.Quality {
	case schemas.Suspect:
		a.report.Suspect++
	case schemas.Missing:
		a.report.WithoutValue++
	}
	a.judge(r)
	if p := pointOf(r); a.owed[p] {
		a.found[p] = true
	}
}

// judge asks the oracle.
func (a *audit) judge(r schemas.Reading) {
	if err := a.check(r); err != nil {
		a.report.Wrong++
		if len(a.report.WrongExamples) < maxExamples {
			a.report.WrongExamples = append(a.report.WrongExamples, err.Error())
		}
	}
}

// earlier takes a reading from before the city was started.
func (a *audit) earlier(r schemas.Reading) {
	a.report.Past.Stored++
	a.judge(r)
}

// end counts what is owed and was not found.
func (a *audit) end() { a.report.Lost += uint64(len(a.owed) - len(a.found)) }

// readSpool returns the readings that lie in a collector's spool. It works on a
// copy, so that the collector finds its folder as it left it.
func (c *City) readSpool(ctx context.Context) (owed, error) {
	folder, err := os.MkdirTemp(c.o.Dir, "spool-copy-")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(folder, "spool"), os.DirFS(c.path("collector", "spool"))); err != nil {
		return nil, fmt.Errorf("copy the spool: %w", err)
	}
	opener, err := c.spoolOpener()
	if err != nil {
		return nil, err
	}
	s, err := spool.Open(filepath.Join(folder, "spool"), spool.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	durable := make(owed)
	return durable, s.Scan(ctx, func(rec spool.Record) error {
		_, plain, err := opener.Open(nil, rec.Data)
		if err != nil {
			return err
		}
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			return err
		}
		for _, r := range batch.Readings {
			durable[pointOf(r)] = true
		}
		return nil
	})
}

// spoolOpener opens what the collector has sealed, with the key of its bundle.
func (c *City) spoolOpener() (*seal.Opener, error) {
	bundle, err := seal.ReadBundle(c.path("collector.bundle"))
	if err != nil {
		return nil, err
	}
	return seal.NewOpener(seal.OpenerConfig{
		Provider: seal.DefaultProvider(), Tenant: bundle.Tenant, Role: seal.Up,
		Keys: func(uint16, string) (seal.CollectorKey, error) { return bundle.Key, nil },
	})
}
