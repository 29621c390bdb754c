package city

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	hubconfig "citygrid/hub/config"
	"citygrid/internal/secret"
	"citygrid/internal/yearbooks"
	"citygrid/simulators/district"
)

// PastOptions give a city a past and people who can sign in, so that somebody can work
// with it from the first minute: readings, prepaid books, cases, accounts. Zero fields
// take the values of the demo. A past needs a grid.
type PastOptions struct {
	// Places is how many prepaid places the books have besides the meters that are read
	// live; 0 means 360. Their sales end yesterday, whose files are not imported.
	Places int
	// Cases is how many have been reported in the last 30 days; 0 means 280.
	Cases int
	// Days is for how many days there are readings, one an hour at most; 0 means 14.
	Days int
	// Progress, when set, is told what has been made and how long that took. Calls come
	// one after the other.
	Progress func(part string, took time.Duration)
}

func (o PastOptions) withDefaults() PastOptions {
	for _, d := range []struct {
		at    *int
		value int
	}{{&o.Places, 360}, {&o.Cases, 280}, {&o.Days, 14}} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if o.Progress == nil {
		o.Progress = func(string, time.Duration) {}
	}
	return o
}

// Check reports what of a past cannot be.
func (o PastOptions) Check() error {
	switch o = o.withDefaults(); {
	case o.Places < 60 || o.Places > 20_000:
		return fmt.Errorf("%d prepaid places, want 60 to 20000", o.Places)
	case o.Cases < 1 || o.Cases > 20_000:
		return fmt.Errorf("%d cases, want 1 to 20000", o.Cases)
	case o.Days < 1 || o.Days > 366:
		return fmt.Errorf("readings of %d days, want 1 to 366", o.Days)
	}
	return nil
}

// past is what happened before the city was started.
type past struct {
	o  PastOptions
	mu sync.Mutex // of Progress
	// zone is the city's, now when it was started there.
	zone *time.Location
	now  time.Time
	// eve are the prepaid books; written counts the points of the readings, all from
	// before.
	eve     *yearbooks.Eve
	written uint64
	// passphrase is the one of all sample users.
	passphrase secret.Secret
	// district and year are where and how the cases of the past came about, limits the
	// rules of both.
	district *district.District
	year     *district.Year
	limits   []byte
	cases    PastCases
}

// newPast begins a past that ends now.
func newPast(o PastOptions, now time.Time) (*past, error) {
	zone, err := (&hubconfig.Ledger{}).Location()
	if err != nil {
		return nil, err
	}
	phrase, err := drawPassphrase()
	return &past{o: o.withDefaults(), zone: zone, now: now.In(zone), passphrase: phrase}, err
}

// midnight returns the start of a day so many days ago.
func (p *past) midnight(ago int) time.Time {
	return time.Date(p.now.Year(), p.now.Month(), p.now.Day()-ago, 0, 0, 0, 0, p.zone)
}

// makePast makes what the hub finds when it starts, several things at once: the books,
// cases and accounts beside the processes that come before the hub and the readings
// that the store needs.
func (c *City) makePast(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return c.stages(ctx, stage{"prepaid books", c.makeBooks}, stage{"accounts", c.makeAccounts})
	})
	g.Go(func() error { return c.stages(ctx, stage{"cases", c.makeCases}) })
	g.Go(func() error {
		return c.stages(ctx, stage{"simulators", c.startSimulators}, stage{"broker", c.startBroker}, stage{"InfluxDB", c.startInflux}, stage{"readings", c.makeReadings})
	})
	return g.Wait()
}

// stage is a part of the past or of the city with its name for people.
type stage struct {
	name string
	do   func(context.Context) error
}

// stages does one after the other and tells how long each took.
func (c *City) stages(ctx context.Context, list ...stage) error {
	for _, s := range list {
		begun := time.Now()
		if err := s.do(ctx); err != nil {
			return err
		}
		c.told(s.name, time.Since(begun))
	}
	return nil
}

// told reports progress where somebody wants it.
func (c *City) told(part string, took time.Duration) {
	if c.past == nil {
		return
	}
	c.past.mu.Lock()
	defer c.past.mu.Unlock()
	c.past.o.Progress(part, took)
}

// Settlement are the folders of settlement files that wait to be imported: those of
// yesterday, and some with mistakes. Empty without a past.
func (c *City) Settlement() (yesterday, withErrors string) {
	if c.past == nil || c.past.eve == nil {
		return "", ""
	}
	return c.past.eve.Yesterday, c.past.eve.WithErrors
}

// Books returns what is in the prepaid books; nil without a past.
func (c *City) Books() *yearbooks.Eve {
	if c.past == nil {
		return nil
	}
	return c.past.eve
}

// hubAccounts is the hub's section about people who sign in.
func (c *City) hubAccounts() hubconfig.Accounts {
	if c.past == nil {
		return hubconfig.Accounts{}
	}
	return hubconfig.Accounts{DSN: c.accountsDSN(), Tour: true}
}

// hubLedger is the hub's section about the books.
func (c *City) hubLedger() hubconfig.Ledger {
	l := hubconfig.Ledger{DSN: c.ledger(), City: "citygrid demo"}
	if c.past == nil {
		return l
	}
	l.CutOff, l.Begin = cutOffText, c.past.midnight(bookDays).Format(time.DateOnly)
	l.Tariffs = []string{c.path(tariffFile)}
	for _, p := range c.grid.people {
		if p.ledger() {
			l.People = append(l.People, hubconfig.LedgerPerson{Name: p.Name, Roles: p.Roles, Token: p.digest()})
		}
	}
	return l
}

func (c *City) accountsDSN() string { return "sqlite:" + filepath.Join(c.o.Dir, "accounts.db") }
