package api

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// MeterQuery selects and orders rows of the live table.
type MeterQuery struct {
	// Medium, Quality and State keep only rows that have them; empty: all.
	Medium  schemas.Medium
	Quality string
	State   string
	// Search keeps rows whose id contains it, in any case.
	Search string
	// Area keeps the meters of a cell, or of the area whose code begins its cells'.
	Area string
	// Sort is one of "meter", "-meter", "taken_at", "-taken_at", "value",
	// "-value", "quality"; empty means "meter". "quality" puts the worst first.
	Sort string
	// Cursor continues after the last row of an earlier page.
	Cursor string
	// Limit is the size of a page, 1 to MaxPage.
	Limit int
}

// MaxPage bounds MeterQuery.Limit.
const MaxPage = 200

// MeterRow is a meter with the last reading of its main quantity.
type MeterRow struct {
	ID     string `json:"id" doc:"The meter's id in the asset register"`
	Medium string `json:"medium" enum:"water,power,gas,device"`
	State  string `json:"state" enum:"answering,late,failing" doc:"late: nothing for three of its own intervals; failing: its collector reports that it does not answer"`
	// Value and what follows are of the main quantity.
	Quantity string     `json:"quantity" doc:"The main quantity; empty when the meter never answered"`
	Value    *string    `json:"value" doc:"Exact decimal; null when the meter had no value to give"`
	Unit     string     `json:"unit" doc:"UCUM code of the value"`
	Quality  string     `json:"quality" enum:"good,suspect,missing,none" doc:"none: the meter never answered"`
	Reason   string     `json:"reason" doc:"Why the value is not good; empty when it is"`
	TakenAt  *time.Time `json:"taken_at" doc:"When the collector had the meter's answer"`
	Fault    *FaultJSON `json:"fault,omitempty"`
}

// MeterPage is a page of rows.
type MeterPage struct {
	At    time.Time  `json:"at" doc:"The moment of this answer"`
	Total int        `json:"total" doc:"Rows that match, on all pages"`
	Rows  []MeterRow `json:"rows" nullable:"false"`
	Next  string     `json:"next,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
}

// MeterDetail is a meter with the last reading of every quantity.
type MeterDetail struct {
	At       time.Time   `json:"at"`
	ID       string      `json:"id"`
	Medium   string      `json:"medium" enum:"water,power,gas,device"`
	State    string      `json:"state" enum:"answering,late,failing"`
	Fault    *FaultJSON  `json:"fault,omitempty"`
	Readings []LastValue `json:"readings" nullable:"false"`
	Interval float64     `json:"interval_s,omitempty" doc:"Seconds between the last two readings of the main quantity"`
}

// LastValue is the last reading of one quantity.
type LastValue struct {
	Quantity string     `json:"quantity"`
	Value    *string    `json:"value" doc:"Exact decimal; null when the meter had no value to give"`
	Unit     string     `json:"unit"`
	Quality  string     `json:"quality" enum:"good,suspect,missing"`
	Reason   string     `json:"reason"`
	TakenAt  time.Time  `json:"taken_at"`
	StoredAt *time.Time `json:"stored_at,omitempty" doc:"When the store had it; absent for a reading from before the hub's start"`
}

// errCursor means a cursor that this query did not give out.
var errCursor = errors.New("the cursor is not from an earlier page of the same order: leave it out to start again")

// key is what a row is ordered by; id settles ties, so that pages neither
// repeat nor skip a row that did not move.
type key struct {
	Sort  string          `json:"s"`
	N     int64           `json:"n,omitempty"`
	None  bool            `json:"z,omitempty"` // no value: always last
	Value schemas.Decimal `json:"v,omitzero"`
	ID    schemas.MeterID `json:"i"`
}

// order compares two keys of the same sort.
func order(a, b *key) int {
	c := 0
	switch strings.TrimPrefix(a.Sort, "-") {
	case "taken_at", "quality":
		c = cmp.Compare(a.N, b.N)
	case "value":
		if a.None != b.None {
			if a.None {
				return 1
			}
			return -1
		}
		c = a.Value.Cmp(b.Value)
	default:
		c = strings.Compare(string(a.ID), string(b.ID))
	}
	if strings.HasPrefix(a.Sort, "-") {
		c = -c
	}
	if c == 0 {
		c = strings.Compare(string(a.ID), string(b.ID))
	}
	return c
}

// Meters returns the page of rows that q selects. The only error is a cursor
// that is none.
func (l *Live) Meters(q MeterQuery) (MeterPage, error) {
	if q.Sort == "" {
		q.Sort = "meter"
	}
	after, err := parseCursor(q)
	if err != nil {
		return MeterPage{}, err
	}
	search := strings.ToLower(q.Search)
	limit := min(max(q.Limit, 1), MaxPage)
	page := MeterPage{At: l.now().UTC(), Rows: []MeterRow{}}
	now := page.At.UnixMilli()

	l.mu.RLock()
	defer l.mu.RUnlock()
	best := make([]ranked, 0, limit+2)
	first, end := l.places(q.Area)
	for _, m := range l.meters {
		if !l.within(m, &q, first, end) || !m.matches(&q, search, now) {
			continue
		}
		page.Total++
		if len(best) > limit && q.Sort == "meter" && m.id >= best[limit].ID {
			continue // the usual order: nothing has to be made of a row that comes later
		}
		k := m.key(q.Sort)
		if after != nil && order(&k, after) <= 0 {
			continue
		}
		best = offer(best, ranked{k, m}, limit+1)
	}
	if len(best) > limit {
		best = best[:limit]
		page.Next = best[limit-1].cursor()
	}
	for _, r := range best {
		page.Rows = append(page.Rows, l.row(r.meter, now))
	}
	return page, nil
}

// ranked is a candidate for a page.
type ranked struct {
	key
	meter *meter
}

// offer puts r into best, which stays ordered and at most n long.
func offer(best []ranked, r ranked, n int) []ranked {
	if len(best) == n && order(&r.key, &best[n-1].key) >= 0 {
		return best
	}
	i, _ := slices.BinarySearchFunc(best, r, func(a, b ranked) int { return order(&a.key, &b.key) })
	best = slices.Insert(best, i, r)
	return best[:min(len(best), n)]
}

func (m *meter) matches(q *MeterQuery, search string, now int64) bool {
	if q.Medium != "" && m.medium != q.Medium {
		return false
	}
	if search != "" && !strings.Contains(m.folded, search) {
		return false
	}
	if q.Quality != "" && q.Quality != m.quality() {
		return false
	}
	return q.State == "" || q.State == m.state(now)
}

// quality is that of the main quantity, or "none".
func (m *meter) quality() string {
	if len(m.cells) == 0 {
		return "none"
	}
	return m.cells[0].quality.String()
}

func (m *meter) key(sort string) key {
	k := key{Sort: sort, ID: m.id}
	switch strings.TrimPrefix(sort, "-") {
	case "taken_at":
		k.N = m.newest()
	case "quality":
		k.N = -3
		if len(m.cells) > 0 {
			k.N = -int64(m.cells[0].quality)
		}
		if m.fault != nil {
			k.N = -4
		}
	case "value":
		k.None = len(m.cells) == 0 || m.cells[0].quality == schemas.Missing
		if !k.None {
			k.Value = m.cells[0].value
		}
	}
	return k
}

func (k key) cursor() string {
	text, err := json.Marshal(k)
	if err != nil { // a key holds only strings and integers
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseCursor(q MeterQuery) (*key, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return nil, errCursor
	}
	var k key
	if err := json.Unmarshal(text, &k); err != nil || k.Sort != q.Sort || k.Value.Validate() != nil {
		return nil, errCursor
	}
	return &k, nil
}

// row returns m as the API shows it. The caller holds the lock.
func (l *Live) row(m *meter, now int64) MeterRow {
	r := MeterRow{ID: string(m.id), Medium: string(m.medium), State: m.state(now), Quality: "none", Fault: m.faultJSON()}
	if len(m.cells) == 0 {
		return r
	}
	v := l.value(&m.cells[0])
	r.Quantity, r.Value, r.Unit, r.Quality, r.Reason = v.Quantity, v.Value, v.Unit, v.Quality, v.Reason
	r.TakenAt = &v.TakenAt
	return r
}

func (m *meter) faultJSON() *FaultJSON {
	if m.fault == nil {
		return nil
	}
	return &FaultJSON{
		Meter: string(m.id), Collector: string(m.fault.collector),
		Since: m.fault.since.UTC(), Error: m.fault.text, Cause: string(m.fault.cause),
	}
}

func (l *Live) value(c *cell) LastValue {
	info := &l.quantities[c.quantity]
	v := LastValue{
		Quantity: string(info.Quantity), Unit: string(info.Unit),
		Quality: c.quality.String(), Reason: string(c.reason),
		TakenAt: time.UnixMilli(c.takenAt).UTC(),
	}
	if c.storedAt != 0 {
		v.StoredAt = timeOrNil(time.UnixMilli(c.storedAt))
	}
	if c.quality != schemas.Missing {
		s := c.value.String()
		v.Value = &s
	}
	return v
}

// Meter returns the last reading of every quantity of one meter; ok is false
// when the hub has not heard of it.
func (l *Live) Meter(id schemas.MeterID) (d MeterDetail, ok bool) {
	now := l.now().UTC()
	l.mu.RLock()
	defer l.mu.RUnlock()
	m := l.byID[id]
	if m == nil {
		return MeterDetail{}, false
	}
	d = MeterDetail{
		At: now, ID: string(m.id), Medium: string(m.medium), State: m.state(now.UnixMilli()),
		Fault: m.faultJSON(), Readings: make([]LastValue, 0, len(m.cells)),
		Interval: float64(m.interval) / 1000,
	}
	for i := range m.cells {
		d.Readings = append(d.Readings, l.value(&m.cells[i]))
	}
	return d, true
}
