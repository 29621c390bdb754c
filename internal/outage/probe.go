package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	hubconfig "citygrid/hub/config"
	"citygrid/internal/influxd"
)

const (
	// slot is how exactly the moment of taking is known, sampleEvery that of
	// storing; both make a wait look longer, never shorter.
	slot        = 100 * time.Millisecond
	sampleEvery = 200 * time.Millisecond
	// followed is how long a reading is looked for.
	followed = 20 * time.Second
)

// probe asks InfluxDB, from outside the system, which of the readings of the
// last seconds it has. It learns at which of its looks a reading was there.
type probe struct {
	url  string // of InfluxDB, which keeps it
	mu   sync.Mutex
	seen map[int64][]sighting // by slot of taking
	// last is what InfluxDB has counted since its start, ended what it had counted
	// at its earlier ends.
	last, ended uint64
}

// sighting: at that moment the slot had so many readings more than before.
type sighting struct {
	at   time.Time
	more int
}

func newProbe(url string) *probe { return &probe{url: url, seen: make(map[int64][]sighting)} }

// look looks until ctx is done. A look that fails is left out: InfluxDB may be
// what was taken away.
func (p *probe) look(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_ = p.lookOnce(ctx, now)
		}
	}
}

// lookOnce counts the readings of the last seconds, slot by slot.
func (p *probe) lookOnce(ctx context.Context, now time.Time) error {
	from := now.Add(-followed).Truncate(time.Second)
	q := fmt.Sprintf(`SELECT count("quality") FROM "reading" WHERE "quantity" = '%s' AND time >= %dms AND time < %dms GROUP BY time(%dms) fill(none)`,
		sampled, from.UnixMilli(), now.Add(time.Second).UnixMilli(), slot.Milliseconds())
	rows, err := p.query(ctx, q)
	if err != nil {
		return err
	}
	at := time.Now() // the answer was made before
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, row := range rows {
		had := 0
		for _, s := range p.seen[row[0]] {
			had += s.more
		}
		if more := int(row[1]) - had; more > 0 {
			p.seen[row[0]] = append(p.seen[row[0]], sighting{at, more})
		}
	}
	return nil
}

// waits returns the quantiles of the readings taken from one moment to another.
func (p *probe) waits(from, to time.Time) (w Waits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []float64
	for taken, list := range p.seen {
		start := time.UnixMilli(taken)
		if start.Before(from) || !start.Before(to) {
			continue
		}
		for _, s := range list {
			for range s.more {
				all = append(all, s.at.Sub(start).Seconds())
			}
		}
	}
	if len(all) == 0 {
		return w
	}
	slices.Sort(all)
	return Waits{Readings: len(all), P50: all[(len(all)-1)/2], P99: all[len(all)-1-len(all)/100], Most: all[len(all)-1]}
}

// points is how many points InfluxDB has acknowledged since the probe began, by
// its own account.
func (p *probe) points(ctx context.Context) (uint64, error) {
	written, err := influxd.Written(ctx, p.url)
	if err != nil {
		return 0, err
	}
	return p.total(written), nil
}

// total adds what InfluxDB had counted before it was started again.
func (p *probe) total(written uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if written < p.last {
		p.ended += p.last
	}
	p.last = written
	return p.ended + written
}

// query returns time and value of each row of a statement with one series.
func (p *probe) query(ctx context.Context, statement string) ([][2]int64, error) {
	var answer struct {
		Results []struct {
			Error  string `json:"error"`
			Series []struct {
				Values [][2]int64 `json:"values"`
			} `json:"series"`
		} `json:"results"`
	}
	values := url.Values{"db": {hubconfig.DefaultBucket}, "epoch": {"ms"}, "q": {statement}}
	if err := p.get(ctx, "/query?"+values.Encode(), &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != 1 || answer.Results[0].Error != "" {
		return nil, fmt.Errorf("InfluxDB answers %q: %+v", statement, answer)
	}
	if len(answer.Results[0].Series) == 0 {
		return nil, nil
	}
	return answer.Results[0].Series[0].Values, nil
}

func (p *probe) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("InfluxDB: %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
