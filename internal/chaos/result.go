package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"citygrid/internal/city"
)

// Result is what became of one trial.
type Result struct {
	Seed    uint64       `json:"seed"`
	Seconds float64      `json:"seconds"`
	Drain   float64      `json:"drain_s"`
	Faults  map[Kind]int `json:"faults"`
	// Readings, Cards and Events were on a collector's disk, each counted once; Mishaps
	// are what the simulators made happen.
	Readings int `json:"readings"`
	Cards    int `json:"card_entries"`
	Events   int `json:"events"`
	Mishaps  int `json:"mishaps"`
	// Lost was on disk and is nowhere. Duplicated is at the hub and was never on disk, or
	// is there twice. Wrong differs from what was on disk, or from what the meter showed.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Wrong      int `json:"wrong"`
	Panics     int `json:"panics"`
	// StoreCrashes are InfluxDB's own, as when its mapped files find no room on a full
	// disk; what it had confirmed must be there afterwards.
	StoreCrashes int `json:"influxdb_crashes"`
	// Clashes are readings of one meter, quantity and millisecond with two values;
	// CasesWrong faults of the cases; Unexpected envelopes that the hub refused without a
	// reason that the plan has.
	Clashes    int `json:"clashes"`
	CasesWrong int `json:"cases_wrong"`
	Unexpected int `json:"refused_unexpectedly"`
	// Problem is why the trial could not be carried through.
	Problem string `json:"problem,omitempty"`
	// Excused counts, by reason, what is not at the hub and need not be: destroyed on the
	// collector's disk by that fault, on the disk of a twin that does not come back, or put
	// aside by the hub with that code.
	Excused map[string]int `json:"excused"`
	// BadPoints were refused by InfluxDB, each alone.
	BadPoints int `json:"bad_points"`
	// Refused counts envelopes that the hub has put aside, by code.
	Refused map[string]int `json:"refused"`
	// In which windows the kills fell: Torn left half a record in the spool, Unreleased
	// records whose points were in the store, and Rewritten are points that an earlier
	// hub had written and not remembered. Refusals are starts of a part that failed.
	Torn       int `json:"kills_mid_write"`
	Unreleased int `json:"kills_before_release"`
	Rewritten  int `json:"points_rewritten"`
	// InSync counts kills in the middle of an fsync, Unremembered those of a hub between
	// the points in the store and its replay state on disk.
	InSync       int `json:"kills_in_fsync"`
	Unremembered int `json:"kills_before_remember"`
	Refusals     int `json:"failed_starts"`
	// MissingEnvelopes is the hub's own count of what never came; Reported that of the
	// collector's log lines about lost records.
	MissingEnvelopes int `json:"missing_envelopes"`
	Reported         int `json:"losses_told"`
	// Told are live readings destroyed on the collector's disk of which the hub's ledger of
	// completeness says that they are missing. ReadAgain are those in whose slot the hub
	// has another live reading: the meter was read again, or a part of the read was in
	// another envelope. Shut are those of which the collector tells in envelopes that the
	// hub has put aside, or would tell, were its last session not refused as that of a
	// copy: docs/operations.md has its key renewed then. Untold are all others.
	Told      int `json:"damaged_told"`
	ReadAgain int `json:"damaged_read_again"`
	Shut      int `json:"damaged_box_refused"`
	Untold    int `json:"damaged_untold"`
	// NoSpace are complaints of the programs that their disk is full; NoDisk says that no
	// disk could be filled here.
	NoSpace  int              `json:"complaints_no_space"`
	NoDisk   bool             `json:"no_disk,omitempty"`
	Peak     map[string]int64 `json:"peak_rss_bytes"`
	Examples []string         `json:"examples,omitempty"`
}

func newResult(p Plan) *Result {
	return &Result{Seed: p.Seed, Faults: map[Kind]int{}, Excused: map[string]int{}, Refused: map[string]int{}, Peak: map[string]int64{}}
}

// maxExamples bounds the violations that a result spells out.
const maxExamples = 12

func (r *Result) example(format string, args ...any) {
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Bad counts all that must not be.
func (r *Result) Bad() int {
	bad := r.Lost + r.Duplicated + r.Wrong + r.Panics + r.Clashes + r.CasesWrong + r.Unexpected + r.Untold
	if r.Problem != "" {
		bad++
	}
	return bad
}

// String is one line for a person.
func (r *Result) String() string {
	faults := 0
	for _, n := range r.Faults {
		faults += n
	}
	text := fmt.Sprintf("seed %d: %d faults, %d readings, %d card entries, %d events: %d lost, %d duplicated, %d wrong, %d panics; %.1f s",
		r.Seed, faults, r.Readings, r.Cards, r.Events, r.Lost, r.Duplicated, r.Wrong, r.Panics, r.Seconds)
	if more := r.Clashes + r.CasesWrong + r.Unexpected; more > 0 {
		text += fmt.Sprintf("; %d clashes, %d cases wrong, %d refused without a reason", r.Clashes, r.CasesWrong, r.Unexpected)
	}
	if r.Problem != "" {
		text += "; " + r.Problem
	}
	return text
}

// Report sums trials up.
type Report struct {
	Trials int `json:"trials"`
	Result
	Failed  []*Result `json:"failed,omitempty"`
	Each    []*Result `json:"each"`
	Elapsed float64   `json:"elapsed_s"`
}

func newReport() *Report { return &Report{Result: *newResult(Plan{})} }

// add enters a trial.
func (r *Report) add(one *Result) {
	r.Trials++
	for _, sum := range []struct{ to, from map[string]int }{{r.Excused, one.Excused}, {r.Refused, one.Refused}} {
		for k, n := range sum.from {
			sum.to[k] += n
		}
	}
	for k, n := range one.Faults {
		r.Faults[k] += n
	}
	for part, n := range one.Peak {
		r.Peak[part] = max(r.Peak[part], n)
	}
	for _, sum := range []struct {
		to   *int
		from int
	}{
		{&r.Readings, one.Readings}, {&r.Cards, one.Cards}, {&r.Events, one.Events}, {&r.Mishaps, one.Mishaps},
		{&r.Lost, one.Lost}, {&r.Duplicated, one.Duplicated}, {&r.Wrong, one.Wrong}, {&r.Panics, one.Panics},
		{&r.Clashes, one.Clashes}, {&r.CasesWrong, one.CasesWrong}, {&r.Unexpected, one.Unexpected}, {&r.BadPoints, one.BadPoints},
		{&r.Torn, one.Torn}, {&r.Unreleased, one.Unreleased}, {&r.Rewritten, one.Rewritten}, {&r.Refusals, one.Refusals},
		{&r.InSync, one.InSync}, {&r.Unremembered, one.Unremembered}, {&r.Told, one.Told}, {&r.ReadAgain, one.ReadAgain},
		{&r.Shut, one.Shut}, {&r.Untold, one.Untold}, {&r.StoreCrashes, one.StoreCrashes}, {&r.MissingEnvelopes, one.MissingEnvelopes}, {&r.Reported, one.Reported}, {&r.NoSpace, one.NoSpace},
	} {
		*sum.to += sum.from
	}
	r.Seconds += one.Seconds
	r.NoDisk = r.NoDisk || one.NoDisk
	r.Each = append(r.Each, one)
	if one.Bad() > 0 {
		r.Failed = append(r.Failed, one)
	}
}

// toldBound is up to where a loss is told.
const toldBound = `what was destroyed on a collector's disk is told slot by slot, once the collector has stopped in good order or the hour is over;
of a slot that was read twice, or whose read went out in two envelopes, the ledger of gaps has the rest and knows of no gap`

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	total := 0
	for _, n := range r.Faults {
		total += n
	}
	fmt.Fprintln(w, "trials\tfaults\treadings\tcard entries\tevents\tlost\tduplicated\twrong\tpanics\tfailed\t")
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", r.Trials, total, r.Readings, r.Cards, r.Events, r.Lost, r.Duplicated, r.Wrong, r.Panics, len(r.Failed))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "faults: %s\n", words(r.Faults))
	fmt.Fprintf(out, "kills in the middle of an fsync: %d, of a record: %d, between store and replay state: %d (%d points written again), between receipt and release: %d; starts that failed: %d; complaints about full disks: %d\n",
		r.InSync, r.Torn, r.Unremembered, r.Rewritten, r.Unreleased, r.Refusals, r.NoSpace)
	fmt.Fprintf(out, "bad points, each put aside alone: %d; readings, entries and events not stored, by reason: %s; of the destroyed, told by the hub's ledger of gaps: %d, in a slot that it has otherwise: %d, in what the hub has put aside of a box that it refuses as a copy: %d, not told: %d; envelopes put aside: %s\n",
		r.BadPoints, words(r.Excused), r.Told, r.ReadAgain, r.Shut, r.Untold, words(r.Refused))
	if r.StoreCrashes > 0 {
		fmt.Fprintf(out, "InfluxDB's own crashes, as of a mapped file on a full disk: %d\n", r.StoreCrashes)
	}
	if r.NoDisk {
		fmt.Fprintln(out, "no disk was filled: a small file system of its own needs root on Linux")
	}
	if r.Told+r.ReadAgain+r.Shut+r.Untold > 0 {
		fmt.Fprintln(out, toldBound)
	}
	_, err := fmt.Fprintf(out, "peak memory: collector %d MiB, hub %d MiB; %.0f s for %.0f s of trials\n",
		r.Peak[city.Collector]>>20, r.Peak[city.Hub]>>20, r.Elapsed, r.Seconds)
	return err
}

func words[K ~string](counts map[K]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return strings.Join(list, ", ")
}

// JSON returns the report for programs.
func (r *Report) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}
