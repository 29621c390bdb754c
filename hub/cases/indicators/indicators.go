// Package indicators counts how well a city's case work goes: the indicators of
// performance evaluation [GB/T 30428.4, CJ/T 292] with their numerators and
// denominators as whole numbers, for persons, departments, places, classes and
// periods, and the scores and grades made of them. docs/indicators.md defines each
// one. Everything comes from the journal and the limits file, so that the same
// journals give the same numbers again.
package indicators

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas/codes"
)

// Ratio is a numerator and a denominator. 0/0 is "no data", never 0 %.
type Ratio struct{ Num, Den int64 }

// Known reports whether r says anything.
func (r Ratio) Known() bool { return r.Den != 0 }

// BasisPoints is the ratio in hundredths of a per cent, halves rounded up: 1 of 3 is
// 3333. ok is false for no data. A ratio may exceed 10,000 where docs/indicators.md
// says so.
func (r Ratio) BasisPoints() (bp int64, ok bool) {
	if r.Den <= 0 || r.Num < 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(r.Num), 20_000)
	lo, carry := bits.Add64(lo, uint64(r.Den), 0)
	hi += carry
	if hi >= uint64(r.Den)*2 {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, uint64(r.Den)*2)
	return int64(q), true
}

// String writes "3/4", or "no data".
func (r Ratio) String() string {
	if !r.Known() {
		return "no data"
	}
	return fmt.Sprintf("%d/%d", r.Num, r.Den)
}

// Indicator is one ratio.
type Indicator uint8

// The indicators, in the order of docs/indicators.md.
const (
	ValidReports     Indicator = iota // 有效上报率
	MissedReports                     // 漏报率
	PublicReports                     // 监督举报率
	OnTimeSendVerify                  // 按时发核实率
	OnTimeVerify                      // 按时核实率
	OnTimeAccept                      // 按时受理率
	OnTimeFile                        // 按时立案率
	AccurateFile                      // 准确立案率
	OnTimeDispatch                    // 按时派遣率
	AccurateDispatch                  // 准确派遣率
	OnTimeHandle                      // 按期处置率
	OnTimeSendCheck                   // 按时发核查率
	OnTimeCheck                       // 按时核查率
	Closing                           // 结案率
	OnTimeClosing                     // 按期结案率
	Reworked                          // 返工率
	indicatorCount
)

// Indicators returns every indicator.
func Indicators() []Indicator {
	list := make([]Indicator, indicatorCount)
	for n := range list {
		list[n] = Indicator(n)
	}
	return list
}

// Name is the indicator's name in files and the API.
func (i Indicator) Name() string {
	return [indicatorCount]string{"valid_reports", "missed_reports", "public_reports", "on_time_send_verify", "on_time_verify",
		"on_time_accept", "on_time_file", "accurate_file", "on_time_dispatch", "accurate_dispatch", "on_time_handle",
		"on_time_send_check", "on_time_check", "closing", "on_time_closing", "reworked"}[i]
}

// Chinese is the name in the standards' language.
func (i Indicator) Chinese() string {
	return [indicatorCount]string{"有效上报率", "漏报率", "监督举报率", "按时发核实率", "按时核实率", "按时受理率", "按时立案率", "准确立案率",
		"按时派遣率", "准确派遣率", "按期处置率", "按时发核查率", "按时核查率", "结案率", "按期结案率", "返工率"}[i]
}

// Count is one plain number.
type Count uint8

// The counts, in the order of docs/indicators.md.
const (
	Reports      Count = iota // 上报数
	Accepts                   // 受理数: cases accepted or rejected
	Filed                     // 立案数
	Dispatches                // 派遣数
	Handled                   // 处置数: feed-backs
	Verifies                  // 核实数
	Checks                    // 核查数
	Closed                    // 结案数
	Rejected                  // 不予受理数
	Voided                    // 作废数
	Returns                   // 回退(推诿)数
	Extensions                // 延期数
	Suspensions               // 挂账数
	ManyReworks               // 多次返工数
	Overdue                   // 超期数
	OverrunTwice              // 超时一倍以上数
	Open                      // 积存数
	countCount
)

// Counts returns every count.
func Counts() []Count {
	list := make([]Count, countCount)
	for n := range list {
		list[n] = Count(n)
	}
	return list
}

// Name is the count's name in files and the API.
func (c Count) Name() string {
	return [countCount]string{"reports", "accepts", "filed", "dispatches", "handled", "verifies", "checks", "closed", "rejected", "voided",
		"returns", "extensions", "suspensions", "many_reworks", "overdue", "overrun_twice", "open"}[c]
}

// Dimension is by what numbers are kept apart.
type Dimension string

// The dimensions.
const (
	City        Dimension = "city" // everything; the key is empty
	Inspector   Dimension = "inspector"
	Acceptor    Dimension = "acceptor"
	ShiftLeader Dimension = "shift_leader"
	Dispatcher  Dimension = "dispatcher"
	Department  Dimension = "department"
	Cell        Dimension = "cell"
	Community   Dimension = "community" // 12 digits of the cell's code
	Street      Dimension = "street"    // 9 digits
	Class       Dimension = "class"
)

// Dimensions returns every dimension.
func Dimensions() []Dimension {
	return []Dimension{City, Inspector, Acceptor, ShiftLeader, Dispatcher, Department, Cell, Community, Street, Class}
}

// Period is a stretch of time [From, To) with a name such as "2026-11".
type Period struct {
	Name     string
	From, To time.Time
}

// Months returns the months of a zone from the one of first, n of them.
func Months(first time.Time, n int, zone *time.Location) []Period {
	y, m, _ := first.In(zone).Date()
	list := make([]Period, n)
	for i := range list {
		from := time.Date(y, m+time.Month(i), 1, 0, 0, 0, 0, zone)
		list[i] = Period{from.Format("2006-01"), from, time.Date(y, m+time.Month(i+1), 1, 0, 0, 0, 0, zone)}
	}
	return list
}

// Config is what a tally counts by.
type Config struct {
	Book *limits.Book
	// Periods are in order and do not overlap. What lies in none is not counted.
	Periods []Period
	// AsOf is when the journals were read: what was not due then is not counted.
	AsOf time.Time
	// Duty names the inspectors of a duty grid, so that missed reports count for them.
	// Without it no inspector has that indicator.
	Duty map[codes.DutyCode][]cases.PersonID
}

// Tally counts. It is not safe for use by several goroutines: give each its own and
// Merge them.
type Tally struct {
	cfg  Config
	rows map[rowKey]*numbers
}

type rowKey struct {
	period    int
	dimension Dimension
	key       string
}

type numbers struct {
	ratios [indicatorCount]Ratio
	counts [countCount]int64
}

// New returns an empty tally.
func New(cfg Config) (*Tally, error) {
	if cfg.Book == nil || cfg.AsOf.IsZero() || len(cfg.Periods) == 0 {
		return nil, errors.New("indicators: the limits, the periods and the moment of reading are needed")
	}
	for n, p := range cfg.Periods {
		if !p.From.Before(p.To) || n > 0 && p.From.Before(cfg.Periods[n-1].To) {
			return nil, fmt.Errorf("indicators: period %q is empty or begins before the one before it ends", p.Name)
		}
	}
	return &Tally{cfg: cfg, rows: map[rowKey]*numbers{}}, nil
}

// Merge adds the numbers of another tally of the same periods and moment, over other
// cases.
func (t *Tally) Merge(o *Tally) error {
	same := slices.EqualFunc(t.cfg.Periods, o.cfg.Periods, func(a, b Period) bool { return a.Name == b.Name && a.From.Equal(b.From) && a.To.Equal(b.To) })
	if !same || !t.cfg.AsOf.Equal(o.cfg.AsOf) {
		return errors.New("indicators: merge tallies of different periods or moments")
	}
	for k, from := range o.rows {
		into := t.row(k)
		for n, r := range from.ratios {
			into.ratios[n].Num += r.Num
			into.ratios[n].Den += r.Den
		}
		for n, c := range from.counts {
			into.counts[n] += c
		}
	}
	return nil
}

func (t *Tally) row(k rowKey) *numbers {
	n := t.rows[k]
	if n == nil {
		n = new(numbers)
		t.rows[k] = n
	}
	return n
}

// period returns the place of the period that at lies in, or -1.
func (t *Tally) period(at time.Time) int {
	n := sort.Search(len(t.cfg.Periods), func(n int) bool { return t.cfg.Periods[n].To.After(at) })
	if n == len(t.cfg.Periods) || t.cfg.Periods[n].From.After(at) {
		return -1
	}
	return n
}

// Row is the numbers of one person, department, place, class or the city in a period.
type Row struct {
	Period    string
	Dimension Dimension
	Key       string
	ratios    [indicatorCount]Ratio
	counts    [countCount]int64
}

// Ratio returns an indicator of r.
func (r *Row) Ratio(i Indicator) Ratio { return r.ratios[i] }

// Count returns a count of r.
func (r *Row) Count(c Count) int64 { return r.counts[c] }

// Rows returns what was counted, by period, dimension and key.
func (t *Tally) Rows() []Row {
	keys := make([]rowKey, 0, len(t.rows))
	for k := range t.rows {
		keys = append(keys, k)
	}
	order := Dimensions()
	slices.SortFunc(keys, func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.period, b.period),
			cmp.Compare(slices.Index(order, a.dimension), slices.Index(order, b.dimension)), cmp.Compare(a.key, b.key))
	})
	rows := make([]Row, len(keys))
	for n, k := range keys {
		rows[n] = Row{t.cfg.Periods[k.period].Name, k.dimension, k.key, t.rows[k].ratios, t.rows[k].counts}
	}
	return rows
}
