package desk

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/pgtest"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// benches runs a benchmark once for each database.
func benches(b *testing.B, run func(b *testing.B, dsn string)) {
	b.Run("sqlite", func(b *testing.B) { run(b, "sqlite:"+filepath.Join(b.TempDir(), "cases.db")) })
	b.Run("postgres", func(b *testing.B) { run(b, pgtest.Need(b, postgres)) })
}

// BenchmarkActs reports cases, 1 and 100 in a transaction. Each transaction is on the
// disk before it counts.
func BenchmarkActs(b *testing.B) {
	benches(b, func(b *testing.B, dsn string) {
		w := openTown(b, dsn)
		for _, each := range []int{1, 100} {
			b.Run(fmt.Sprint(each), func(b *testing.B) {
				for b.Loop() {
					list := make([]Submission, each)
					for n := range list {
						list[n] = Submission{Entry: report(2)}
					}
					results, err := w.ActAll(context.Background(), list)
					must(b, err)
					must(b, results[each-1].Err)
				}
				b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "acts/s")
			})
		}
	})
}

// BenchmarkStoreEvents opens a leak: a case reported, accepted and filed.
func BenchmarkStoreEvents(b *testing.B) {
	benches(b, func(b *testing.B, dsn string) {
		w := openTown(b, dsn)
		at := monday
		for b.Loop() {
			at = at.Add(time.Second)
			w.send(opened(schemas.EventLeak, schemas.MeterID(fmt.Sprint("M", at.Unix())), at))
		}
	})
}

// large is how many cases a large desk has: a year of a district.
const large = 200_000

// fillLarge makes them past the desk, 500 at once: nine of ten are at their end, and a
// tenth of these went all the way.
func fillLarge(b *testing.B, dsn string) *town {
	b.Helper()
	w := openTown(b, dsn)
	seq := int64(0)
	const atOnce = 500
	for from := 0; from < large; from += atOnce {
		var rows []caseRow
		must(b, w.db.Change(context.Background(), func(tx bun.Tx) error {
			sent := w.db.Bulk(tx, "case_sent", "case_id, department, open, first_seq", "")
			entries := w.db.Bulk(tx, "case_entries", "seq, case_id, number, act, role, person, department, received_ms, state, body", "")
			for n := from; n < from+atOnce; n++ {
				rows = append(rows, w.generate(n, &seq, entries))
			}
			must(b, entries.End(context.Background(), nil))
			if _, err := tx.NewInsert().Model(&rows).Exec(context.Background()); err != nil {
				return err
			}
			for k, row := range rows {
				if row.Handler != "" || row.State == string(cases.Dispatched) {
					must(b, sent.Add(context.Background(), row.ID, string(department(from+k)), row.Open, row.FirstSeq))
				}
			}
			return sent.End(context.Background(), nil)
		}))
		w.clock.add(2 * time.Minute)
	}
	_, err := w.db.Write.ExecContext(context.Background(), "UPDATE case_counters SET last = ?", seq)
	must(b, err)
	return w
}

// generate makes case n, and returns its row.
func (w *town) generate(n int, seq *int64, to *sqldb.Bulk) caseRow {
	acts := []cases.Act{cases.ActReport, cases.ActReject}
	whole := append(append([]cases.Act{cases.ActReport}, toHandling...), toClosed...)
	switch {
	case n >= large-20_000:
		acts = whole[:1+n%8]
	case n%10 == 0:
		acts = whole
	}
	c, first := &cases.Case{}, *seq+1
	for _, a := range acts {
		e := entry(a, by(usual(a)))
		switch a {
		case cases.ActReport:
			e = report(1 + n%900)
			e.Case, e.Report.ClassName, e.Report.Cell, e.Report.Duty = cases.CaseID(fmt.Sprintf("C20261123%06d", n+1)), "井盖", cellOf(1+n%900), "D1"
			e.Report.Position.Lat += float64(n%1000) / 1e4
		case cases.ActFile:
			e.Filing = &cases.Filing{Cell: c.Cell, Condition: "missing", Limit: cases.Limit{Amount: 6, Unit: cases.UrgentHour}}
		case cases.ActDispatch:
			e.Departments = []cases.DepartmentID{department(n)}
		case cases.ActTake, cases.ActFeedBack:
			e.Actor = of(department(n))
		}
		e.ReceivedAt, e.At = w.clock.now(), w.clock.now()
		c.Prepare(&e, &w.o.Rules)
		must(w.tb, c.Apply(&e, &w.o.Rules))
		*seq++
		body, err := e.MarshalJSON()
		must(w.tb, err)
		must(w.tb, to.Add(context.Background(), *seq, string(c.ID), e.Number, string(e.Act), string(e.Role), string(e.Person), string(e.Department), millis(e.ReceivedAt), string(c.State), string(body)))
	}
	row, err := w.rowOf(c)
	must(w.tb, err)
	row.FirstSeq, row.LastSeq = first, *seq
	return row
}

func department(n int) cases.DepartmentID { return cases.DepartmentID(fmt.Sprintf("D%d", n/7%20)) }

// BenchmarkLarge lists 50 of 200,000 cases, and reads all journals.
func BenchmarkLarge(b *testing.B) {
	benches(b, func(b *testing.B, dsn string) {
		w := fillLarge(b, dsn)
		ctx := context.Background()
		for name, f := range map[string]Filter{
			"all": {}, "open": {Open: true}, "state": {States: []cases.State{cases.Handling}}, "states": {States: []cases.State{cases.Filed, cases.Dispatched}},
			"closed": {States: []cases.State{cases.Closed}}, "cell": {Cell: string(cellOf(5))}, "cell open": {Cell: string(cellOf(5)), Open: true}, "area": {Cell: "110101001"}, "area open": {Cell: "110101001", Open: true},
			"no area": {Cell: "330101", Open: true}, "class": {Class: coverClass.String(), Open: true}, "department": {Department: "D3"}, "department open": {Department: "D3", Open: true},
			"handler": {Handler: "D3", Open: true}, "inspector": {Inspector: "inspector"}, "request": {Request: "any"}, "red": {Light: limits.Red}, "yellow open": {Light: limits.Yellow, Open: true},
			"red open": {Light: limits.Red, Open: true}, "green open": {Light: limits.Green, Open: true}, "since": {Since: w.clock.now().Add(-6 * time.Hour)}, "early": {Until: monday.Add(time.Hour)},
			"near": {Near: inCell(7, 500), Metres: 300}, "near open": {Near: inCell(7, 500), Metres: 300, Open: true}, "source": {Source: cases.SourceSensor}, "source open": {Source: cases.SourceSensor, Open: true}, "deep": {Before: 1000},
			"duty": {Duty: "D1", Open: true},
		} {
			b.Run("list "+name, func(b *testing.B) {
				for b.Loop() {
					if _, err := w.List(ctx, f); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("journals", func(b *testing.B) {
			for b.Loop() {
				count, entries, most := 0, 0, uint64(0)
				var m runtime.MemStats
				must(b, w.Journals(ctx, func(c *cases.Case, list []cases.Entry) error {
					count++
					entries += len(list)
					if count%20_000 == 0 {
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapInuse)
					}
					return nil
				}))
				b.ReportMetric(float64(most)/(1<<20), "heap-MiB")
				b.ReportMetric(float64(entries), "entries")
				if count != large {
					b.Fatalf("%d cases", count)
				}
			}
		})
		b.Run("check", func(b *testing.B) {
			for b.Loop() {
				w.sound()
			}
		})
		b.Run("count open", func(b *testing.B) {
			for b.Loop() {
				_, err := w.Count(ctx, Filter{Open: true})
				must(b, err)
			}
		})
	})
}
