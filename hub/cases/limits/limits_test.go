package limits

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
)

func sample(t testing.TB) *Book {
	t.Helper()
	b, err := Load(Sample)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	m, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return m.UTC()
}

// TestDeadlinesOfTheSample are worked out by hand with the State Council's days of
// 2026: 1 to 7 October off, Saturday the 10th worked.
func TestDeadlinesOfTheSample(t *testing.T) {
	c := sample(t).Calendar
	for _, row := range []struct {
		start string
		limit cases.Limit
		want  string
	}{
		{"2026-11-23 16:00", cases.Limit{Amount: 6, Unit: cases.UrgentHour}, "2026-11-23 22:00"},
		{"2026-11-23 11:00", cases.Limit{Amount: 1, Unit: cases.WorkHour}, "2026-11-23 12:00"},
		{"2026-11-23 11:00", cases.Limit{Amount: 2, Unit: cases.WorkHour}, "2026-11-23 14:30"},
		{"2026-11-23 16:00", cases.Limit{Amount: 5, Unit: cases.WorkHour}, "2026-11-24 12:00"},
		{"2026-11-27 16:00", cases.Limit{Amount: 2, Unit: cases.WorkHour}, "2026-11-30 09:00"},
		{"2026-11-23 09:00", cases.Limit{Amount: 1, Unit: cases.WorkDay}, "2026-11-24 17:30"},
		{"2026-11-23 20:00", cases.Limit{Amount: 1, Unit: cases.WorkDay}, "2026-11-24 17:30"},
		{"2026-11-28 10:00", cases.Limit{Amount: 1, Unit: cases.WorkDay}, "2026-11-30 17:30"},
		{"2026-09-30 17:00", cases.Limit{Amount: 1, Unit: cases.WorkHour}, "2026-10-08 09:00"},
		{"2026-09-30 09:00", cases.Limit{Amount: 3, Unit: cases.WorkDay}, "2026-10-10 17:30"},
		{"2026-10-01 09:00", cases.Limit{Amount: 1, Unit: cases.WorkDay}, "2026-10-08 17:30"},
	} {
		got, err := c.Deadline(at(t, row.start), row.limit)
		if err != nil || !got.Equal(at(t, row.want)) {
			t.Errorf("%v from %s: %s (%v), want %s", row.limit, row.start, got.In(c.Zone()), err, row.want)
		}
	}
}

func TestNightShift(t *testing.T) {
	var week [7][]Shift
	week[time.Monday] = []Shift{{22 * 60, 30 * 60}}
	week[time.Wednesday] = []Shift{{8 * 60, 12 * 60}}
	c, err := NewCalendar(time.UTC, week, nil)
	if err != nil {
		t.Fatal(err)
	}
	tuesday := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC) // within Monday's shift
	got, err := c.AddDays(tuesday, 1)
	if err != nil || !got.Equal(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("the working day after Monday's night: %s, %v", got, err)
	}
	if got, _ := c.AddWork(tuesday, 5*time.Hour); !got.Equal(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("5 h from 02:00 in the night shift: %s", got)
	}
}

func TestLight(t *testing.T) {
	b := &Book{Calendar: sample(t).Calendar, Starts: AtFiling, Rework: Anew}
	l := cases.Limit{Amount: 10, Unit: cases.UrgentHour}
	start := at(t, "2026-11-23 08:00")
	marks := []cases.Mark{{Kind: cases.MarkFiled, At: start}}
	for after, want := range map[time.Duration]Light{
		-time.Hour: None, 0: Green, 8*time.Hour - time.Millisecond: Green, 8 * time.Hour: Yellow,
		10*time.Hour - time.Millisecond: Yellow, 10 * time.Hour: Red, 35 * time.Hour: Red,
	} {
		h, err := b.Handling(l, marks, start.Add(after))
		if err != nil || h.Light() != want {
			t.Errorf("after %s: %s (%v), want %s", after, h.Light(), err, want)
		}
	}
	h, _ := b.Handling(l, marks, start.Add(35*time.Hour))
	if h.Overrun() != 2500 || !h.Late {
		t.Errorf("overrun %d, late %v; want 2500", h.Overrun(), h.Late)
	}
	if h, err := b.Handling(cases.Limit{}, marks, start.Add(time.Hour)); err != nil || h.Light() != None || h.Late {
		t.Errorf("without a limit: %s, %v", h.Light(), err)
	}
}

func TestStartsAndReturn(t *testing.T) {
	start := at(t, "2026-11-23 08:00")
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	marks := []cases.Mark{{Kind: cases.MarkFiled, At: start}, {Kind: cases.MarkDispatched, At: hour(1)}, {Kind: cases.MarkExtended, At: hour(2), Amount: 5},
		{Kind: cases.MarkReturned, At: hour(3)}, {Kind: cases.MarkDispatched, At: hour(4)}}
	l := cases.Limit{Amount: 10, Unit: cases.UrgentHour}
	for _, row := range []struct {
		starts Starts
		now    int
		want   time.Time
	}{{AtFiling, 0, hour(10)}, {AtFiling, 5, hour(15)}, {AtDispatch, 0, time.Time{}}, {AtDispatch, 2, hour(16)}, {AtDispatch, 3, time.Time{}}, {AtDispatch, 5, hour(14)}} {
		b := &Book{Calendar: sample(t).Calendar, Starts: row.starts, Rework: Anew}
		if h, err := b.Handling(l, marks, hour(row.now)); err != nil || !h.Deadline.Equal(row.want) {
			t.Errorf("%s at hour %d: %s (%v), want %s", row.starts, row.now, h.Deadline, err, row.want)
		}
	}
}

func TestFind(t *testing.T) {
	head := "zone: UTC\nweek: {mon: [\"08:00-16:00\"]}\nstarts: filed\nrework: left\nlimits:\n"
	line := func(code, condition, area string, amount int) string {
		return fmt.Sprintf("  - {class: \"CJ/T 214-2007:component:%s\", condition: %q, area: %q, amount: %d, unit: work_hour}\n", code, condition, area, amount)
	}
	b, err := Load([]byte(head + line("01", "", "", 1) + line("01", "broken", "1", 2) + line("0101", "", "", 3) + line("0101", "broken", "", 4) +
		line("0101", "broken", "2", 5) + line("0101", "", "2", 6)))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		code, condition, area string
		want                  int64
	}{{"0102", "x", "", 1}, {"0102", "broken", "1", 2}, {"0102", "broken", "2", 1}, {"0101", "x", "", 3}, {"0101", "broken", "1", 4},
		{"0101", "broken", "2", 5}, {"0101", "x", "2", 6}, {"0201", "x", "", 0}} {
		r, ok := b.Find(codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: row.code}, row.condition, row.area)
		if ok != (row.want > 0) || r.Limit.Amount != row.want {
			t.Errorf("%v: %d, want %d", row, r.Limit.Amount, row.want)
		}
	}
	if _, ok := b.Find(codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Event, Code: "0101"}, "x", ""); ok {
		t.Error("an event took the limit of a component")
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	text := string(Sample)
	for _, row := range []struct{ old, new, want string }{
		{"zone: Asia/Shanghai", "zone: Asia/Nowhere", "line 5: zone"},
		{`  tue: ["08:30-12:00", "13:30-17:30"]`, `  tue: ["08:30-12:00", "11:30-17:30"]`, "line 11: shift \"11:30-17:30\""},
		{`  wed: ["08:30-12:00", "13:30-17:30"]`, `  wed: ["8:30-12:00"]`, "line 12: shift"},
		{`  wed:`, `  wen:`, `"wen" is no weekday`},
		{"2026-10-01..2026-10-07", "2026-10-07..2026-10-01", "line 19: holiday"},
		{"2026-10-01..2026-10-07", "2026-10-32", "line 19: holiday"},
		{"2026-10-10: fri", "2026-10-05: fri", "the day is a holiday too"},
		{"2026-10-10: fri", "2026-10-10: sat", "line 28: moved"},
		{"starts: dispatched", "starts: sent", "line 32: starts"},
		{"starts: dispatched\n", "", "starts: missing"},
		{"  verify: {minutes: 30}", "  verify: {minutes: 0}", "line 39: stage verify"},
		{"  verify: {minutes: 30}", "  look: {minutes: 3}", "line 39: stage \"look\""},
		{"    amount: 36", "    amount: 36.5", "line 57: amount"},
		{"    amount: 36\n", "", "amount \"\""},
		{"    amount: 36\n    unit: urgent_hour", "    amount: 36\n    unit: hours", "line 58"},
		{"event:0105", "event:", "line 86"},
		{"    condition: 井盖缺失或破损, 无法及时更换", "    condition: 井盖缺失或破损", "stands in line 49 already"},
		{"    closes: 水面整洁", "    close: 水面整洁", "line 90"},
		{"sensors: [accept, file]", "sensors: [dispatch]", "sensors: \"dispatch\""},
		{"offline: 72h", "offline: 3 days", "offline"},
	} {
		if !strings.Contains(text, row.old) {
			t.Errorf("the sample has no %q", row.old)
			continue
		}
		_, err := Load([]byte(strings.Replace(text, row.old, row.new, 1)))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want %q", row.new, err, row.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Sample)
	f.Add([]byte("zone: UTC\nweek: {mon: [\"22:00-06:00\"]}\nstarts: filed\nrework: left\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Load(data)
		if err != nil {
			return
		}
		for _, u := range cases.Units() {
			start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			end, err := b.Calendar.Deadline(start, cases.Limit{Amount: 3, Unit: u})
			if err == nil && !end.After(start) {
				t.Errorf("%s: ends at %s", u, end)
			}
		}
	})
}

func BenchmarkDeadline(b *testing.B) {
	c := sample(b).Calendar
	start := at(b, "2026-11-23 16:00")
	for _, u := range cases.Units() {
		b.Run(string(u), func(b *testing.B) {
			b.ReportAllocs()
			for n := range b.N {
				if _, err := c.Deadline(start.Add(time.Duration(n%100_000)*time.Minute), cases.Limit{Amount: 15, Unit: u}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHandling(b *testing.B) {
	book := sample(b)
	start := at(b, "2026-11-23 16:00")
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	marks := []cases.Mark{{Kind: cases.MarkFiled, At: start}, {Kind: cases.MarkDispatched, At: hour(1)}, {Kind: cases.MarkSuspended, At: hour(20)},
		{Kind: cases.MarkResumed, At: hour(70)}, {Kind: cases.MarkFedBack, At: hour(120)}}
	for range b.N {
		if _, err := book.Handling(cases.Limit{Amount: 4, Unit: cases.WorkDay}, marks, hour(200)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for range b.N {
		sample(b)
	}
}
