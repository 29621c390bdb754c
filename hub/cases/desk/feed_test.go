package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"citygrid/hub/cases"
	"citygrid/schemas"
)

// TestFeedSkipsNothing reads the feed while two desks write: every entry comes once,
// in the order of its numbers.
func TestFeedSkipsNothing(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w, two := openTown(t, dsn), openTown(t, dsn)
		ctx := context.Background()
		var wg sync.WaitGroup
		const writers, each = 4, 25
		for n := range writers {
			d := w.Desk
			if n%2 == 1 {
				d = two.Desk
			}
			wg.Go(func() {
				for range each {
					if _, err := d.Act(ctx, Submission{Entry: report(2)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { wg.Wait() }()
		last, count := int64(0), 0
		for count < writers*each && !t.Failed() {
			list, err := w.Feed(ctx, last, 7)
			must(t, err)
			for _, e := range list {
				if e.Seq != last+1 {
					t.Fatalf("%d after %d", e.Seq, last)
				}
				last = e.Seq
				count++
			}
		}
		wg.Wait()
		w.sound()
	})
}

func TestCursors(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		ctx := context.Background()
		cursor := func(target string, want int64) {
			t.Helper()
			if got, err := w.Cursor(ctx, target); err != nil || got != want {
				t.Errorf("cursor of %s: %d, %v, want %d", target, got, err, want)
			}
		}
		cursor("early", 0)
		for range 3 {
			w.new(2)
		}
		cursor("early", 0)
		cursor("late", 3)
		w.new(2)
		cursor("late", 3)
		must(t, w.Move(ctx, "early", 2, ""))
		must(t, w.Move(ctx, "early", 1, ""))
		cursor("early", 2)
		must(t, w.Move(ctx, "early", 3, "410 Gone"))
		must(t, w.Move(ctx, "early", 3, "410 Gone"))
		list, err := w.GivenUp(ctx, 10)
		if err != nil || len(list) != 1 || list[0].Reason != "410 Gone" || list[0].Seq != 3 || list[0].Target != "early" || !list[0].At.Equal(w.clock.now()) {
			t.Errorf("%+v, %v", list, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { cursor("at once", 4) })
		}
		wg.Wait()
		for _, limit := range []int{-1, 0, 1} {
			if got, err := w.Feed(ctx, 0, limit); err != nil || len(got) != 1 {
				t.Errorf("limit %d: %d, %v", limit, len(got), err)
			}
		}
		if got, err := w.Feed(ctx, 99, 5); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestPublicIsTheJournals: what webhooks carry holds the canonical entry, so that the
// receiver can check the chain, and no petitioner.
func TestPublicIsTheJournals(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	e := report(2)
	e.Report.Description = "a < b & c"
	_, err := w.Act(context.Background(), Submission{Entry: e, Petitioner: &cases.Petitioner{Phone: "13800000000", Salt: strings.Repeat("0", 32)}})
	must(t, err)
	list, err := w.Feed(context.Background(), 0, 10)
	must(t, err)
	body, err := list[0].Public()
	must(t, err)
	var got struct {
		Type  string
		Seq   int64
		State string
		Entry json.RawMessage
	}
	must(t, json.Unmarshal(body, &got))
	canonical, err := list[0].Entry.MarshalJSON()
	must(t, err)
	if !bytes.Equal(got.Entry, canonical) || got.Type != "case.report" || got.State != "reported" || got.Seq != 1 || bytes.Contains(body, []byte("138")) || bytes.HasSuffix(body, []byte("\n")) {
		t.Errorf("%s", body)
	}
}

// TestChanged is told of one's own entries at once, of another process's with Settle.
func TestChanged(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w, two := openTown(t, dsn), openTown(t, dsn)
		told := func(c <-chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		mine := w.Changed()
		if told(mine) {
			t.Error("told of nothing")
		}
		id := w.new(2)
		if !told(mine) {
			t.Error("not told")
		}
		mine = w.Changed()
		refused := entry(cases.ActTake, of("A"))
		refused.Case = id
		if _, err := w.Act(context.Background(), Submission{Entry: refused}); err == nil || told(mine) {
			t.Error("told of a refused act", err)
		}
		two.new(3)
		must(t, w.Settle(context.Background()))
		if !told(mine) {
			t.Error("not told of the other's")
		}
		mine = w.Changed()
		must(t, w.Settle(context.Background()))
		if told(mine) {
			t.Error("told of nothing new")
		}
	})
}

func TestMedia(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		ctx := context.Background()
		m := Media{SM3: strings.Repeat("a", 64), Original: strings.Repeat("b", 64), Kind: "image", Type: "image/jpeg", Size: 5, By: "inspector",
			TakenAt: monday, Position: schemas.Position{Lon: 116.5, Lat: 39.9, CRS: schemas.WGS84}}
		must(t, w.KeepMedia(ctx, m))
		again := m
		again.By = "other"
		must(t, w.KeepMedia(ctx, again))
		m.At = w.clock.now()
		for _, digest := range []string{m.SM3, m.Original} {
			if got, err := w.MediaBy(ctx, digest); err != nil || got != m {
				t.Errorf("%+v, %v, want %+v", got, err, m)
			}
		}
		if _, err := w.MediaBy(ctx, "x"); err == nil || !strings.Contains(err.Error(), ErrNoMedia.Error()) {
			t.Error(err)
		}
		m.Position.CRS = schemas.GCJ02
		if err := w.KeepMedia(ctx, m); !isField(err) {
			t.Errorf("a camera's position in GCJ-02: %v", err)
		}
	})
}

func TestJournals(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		var want []string
		for n := range 250 {
			id := w.new(1 + n%7)
			if n%10 == 0 {
				w.through(id, toHandling...)
			}
			want = append(want, string(id))
		}
		var got []string
		must(t, w.Journals(context.Background(), func(c *cases.Case, entries []cases.Entry) error {
			if int(c.Entries) != len(entries) || entries[0].Case != c.ID {
				t.Errorf("case %s with %d of %d entries", c.ID, len(entries), c.Entries)
			}
			got = append(got, string(c.ID))
			return nil
		}))
		if !slices.Equal(got, want) {
			t.Errorf("%d journals out of order", len(got))
		}
		stop := fmt.Errorf("enough")
		if err := w.Journals(context.Background(), func(*cases.Case, []cases.Entry) error { return stop }); err != stop {
			t.Error(err)
		}
	})
}

// TestCheckFinds changes the tables behind the desk's back.
func TestCheckFinds(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		for n := range 3 {
			id := w.new(2 + n)
			w.through(id, toHandling...)
		}
		w.send(opened(schemas.EventLeak, "M1", monday))
		w.sound()
		const id = "C20261123000002"
		for name, change := range map[string]struct{ do, undo string }{
			"body":       {"UPDATE case_entries SET body = REPLACE(body, 'worker-A', 'worker-B') WHERE case_id = ? AND number = 5", "UPDATE case_entries SET body = REPLACE(body, 'worker-B', 'worker-A') WHERE case_id = ? AND number = 5"},
			"early body": {"UPDATE case_entries SET body = REPLACE(body, '人民路', '人民街') WHERE case_id = ? AND number = 1", "UPDATE case_entries SET body = REPLACE(body, '人民街', '人民路') WHERE case_id = ? AND number = 1"},
			"no JSON":    {"UPDATE case_entries SET body = 'x' || body WHERE case_id = ? AND number = 2", "UPDATE case_entries SET body = SUBSTR(body, 2) WHERE case_id = ? AND number = 2"},
			"last":       {"UPDATE case_entries SET case_id = 'gone' || case_id WHERE case_id = ? AND number = 5", "UPDATE case_entries SET case_id = ? WHERE case_id LIKE 'gone%'"},
			"all":        {"UPDATE case_entries SET case_id = 'gone' || case_id WHERE case_id = ?", "UPDATE case_entries SET case_id = ? WHERE case_id LIKE 'gone%'"},
			"state":      {"UPDATE cases SET state = 'closed' WHERE id = ?", "UPDATE cases SET state = 'handling' WHERE id = ?"},
			"deadline":   {"UPDATE cases SET deadline_ms = deadline_ms + 1 WHERE id = ?", "UPDATE cases SET deadline_ms = deadline_ms - 1 WHERE id = ?"},
			"numbers":    {"UPDATE cases SET last_seq = last_seq + 1 WHERE id = ?", "UPDATE cases SET last_seq = last_seq - 1 WHERE id = ?"},
			"act":        {"UPDATE case_entries SET act = 'note' WHERE case_id = ? AND number = 5", "UPDATE case_entries SET act = 'take' WHERE case_id = ? AND number = 5"},
			"list":       {"UPDATE case_sent SET department = 'B' WHERE case_id = ?", "UPDATE case_sent SET department = 'A' WHERE case_id = ?"},
		} {
			_, err := w.db.Write.NewRaw(change.do, id).Exec(context.Background())
			must(t, err)
			found := map[cases.CaseID]string{}
			must(t, w.Check(context.Background(), func(f Finding) { found[f.Case] += f.Problem }))
			if found[id] == "" || len(found) > 2 || len(found) == 2 && found["gone"+id] == "" {
				t.Errorf("%s: found %v", name, found)
			}
			_, err = w.db.Write.NewRaw(change.undo, id).Exec(context.Background())
			must(t, err)
			w.sound()
		}
		_, err := w.db.Write.NewRaw("DELETE FROM case_sent").Exec(context.Background())
		must(t, err)
		found := 0
		must(t, w.Check(context.Background(), func(Finding) { found++ }))
		if found != 3 {
			t.Errorf("%d lists lost", found)
		}
	})
}
