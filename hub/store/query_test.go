package store

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

func TestReadAnswers(t *testing.T) {
	const piece = `"series":[{"name":"reading","columns":["time"],"values":[[1]]}]`
	stop := errors.New("stop")
	tests := []struct {
		name, body string
		fail       error
		pieces     int
		want       string
	}{
		{"nothing", `{"results":[{"statement_id":0}]}`, nil, 0, ""},
		{"two lines", `{"results":[{` + piece + `,"partial":true}]}` + "\n" + `{"results":[{` + piece + `}]}` + "\n", nil, 2, ""},
		{"an error after rows", `{"results":[{` + piece + `,"partial":true}]}` + "\n" + `{"results":[{"error":"timeout"}]}`, nil, 1, "timeout"},
		{"an error of all", `{"error":"no"}`, nil, 0, "no"},
		{"ends early", `{"results":[{` + piece + `,"partial":true}]}`, nil, 1, "EOF"},
		{"cut", `{"results":[{` + piece, nil, 0, "unexpected EOF"},
		{"not JSON", `<html>`, nil, 0, "invalid character"},
		{"the callback stops", `{"results":[{` + piece + `}]}{"results":[{` + piece + `}]}`, stop, 1, "stop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			err := readAnswers(strings.NewReader(tt.body), func(*series) error { n++; return tt.fail })
			if n != tt.pieces {
				t.Errorf("%d pieces, want %d", n, tt.pieces)
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if tt.fail != nil && err != tt.fail {
				t.Errorf("the callback's error came back as %v", err)
			}
		})
	}
}

// TestStalledAnswer: the first piece arrives, the second never does.
func TestStalledAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"results":[{"series":[{"columns":["time","count"],"values":[[0,5]]}],"partial":true}]}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	s := openAt(t, Config{URL: srv.URL, Timeout: 20 * time.Millisecond})
	if _, err := s.Count(t.Context(), time.Time{}, time.Now()); kind(err) != "retryable" || !strings.Contains(err.Error(), "no answer within") {
		t.Error(err)
	}
}

// TestServerDiesInAnswer: the connection ends between two pieces.
func TestServerDiesInAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"results":[{"series":[{"columns":["time","count"],"values":[[0,5]]}]}]}`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	if _, err := openAt(t, Config{URL: srv.URL}).Count(t.Context(), time.Time{}, time.Now()); kind(err) != "retryable" {
		t.Error(err)
	}
}

// TestServerBreaksInAnswer: what InfluxDB 1.8.10 answered after a full disk; asking again
// does not help, and the line says what does.
func TestServerBreaksInAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"results":[{"statement_id":0,"error":"SELECT mantissa::integer FROM citygrid.autogen.reading [panic:runtime error: index out of range [1] with length 0]"}]}`)
	}))
	defer srv.Close()
	if _, err := openAt(t, Config{URL: srv.URL}).Count(t.Context(), time.Time{}, time.Now()); kind(err) != "config" || !errors.Is(err, ErrBroke) || !strings.Contains(err.Error(), "see that its disk has room, and restart it; docs/operations.md") {
		t.Error(err)
	}
}

func TestForeignRows(t *testing.T) {
	columns := readingColumns()
	tests := []struct{ name, values, want string }{
		{"good", `[[1700000000000,9223372036854775807,-18,0,null]]`, ""},
		{"spaces", " [ [ 1700000000000 , -9223372036854775808 , 18 , 1 , \"a\\\"],b\" ] ] ", ""},
		{"missing", `[[1700000000000,null,null,2,"nan"]]`, ""},
		{"empty", `[]`, ""},
		{"no mantissa", `[[1700000000000,null,0,0,null]]`, "without mantissa"},
		{"no exponent", `[[1700000000000,5,null,0,null]]`, "without mantissa"},
		{"float mantissa", `[[1700000000000,5.0,0,0,null]]`, "mantissa"},
		{"mantissa of 20 digits", `[[1700000000000,92233720368547758070,0,0,null]]`, "mantissa"},
		{"exponent", `[[1700000000000,5,19,0,null]]`, "exponent"},
		{"quality", `[[1700000000000,5,1,3,null]]`, "quality"},
		{"no quality", `[[1700000000000,5,1,null,null]]`, "quality"},
		{"no time", `[[null,5,1,0,null]]`, "time"},
		{"too few cells", `[[1700000000000,5,1,0]]`, "unexpected form"},
		{"too many cells", `[[1700000000000,5,1,0,null,1]]`, "unexpected form"},
		{"no rows", `null`, "unexpected form"},
		{"open end", `[[1700000000000,5,1,0,"a`, "unexpected form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := newRows(&series{Columns: columns, Values: []byte(tt.values)}, columns...)
			if err == nil {
				err = rows.each(func() error { return rows.reading(&schemas.Reading{}) })
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := newRows(&series{Columns: []string{"time"}, Values: []byte(`[]`)}, columns...); err == nil {
		t.Error("other columns are taken")
	}
}

// FuzzReadings feeds whole answers to the reader of readings: no panic, and
// what comes out is a reading that can be shown.
func FuzzReadings(f *testing.F) {
	f.Add(`{"results":[{"series":[{"name":"reading","tags":{"meter":"a","quantity":"water.flow"},"columns":["time","mantissa","exponent","quality","reason"],"values":[[1700000000000,5,-1,0,null],[1700000000001,null,null,2,"nan"]]}]}]}`)
	f.Add(`{"results":[{"series":[{"columns":["time","mantissa","exponent","quality","reason"],"values":[[1,"a\"",[],{},null]]}]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		_ = readAnswers(strings.NewReader(body), func(piece *series) error {
			rows, err := newRows(piece, readingColumns()...)
			if err != nil {
				return err
			}
			var r schemas.Reading
			return rows.each(func() error {
				if err := rows.reading(&r); err != nil {
					return err
				}
				if err := r.Value.Validate(); err != nil || r.Quality > schemas.Missing || !r.HasValue() && r.Value != (schemas.Decimal{}) {
					t.Fatalf("%+v: %v", r, err)
				}
				return nil
			})
		})
	})
}

func TestBounded(t *testing.T) {
	first, end := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	day := time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)
	tests := []struct{ in, want time.Time }{
		{time.Time{}, first}, {end.Add(1), end}, {day, day}, {day.Add(1), day.Add(time.Millisecond)},
		{day.In(time.FixedZone("CST", 8*3600)), day},
	}
	for _, tt := range tests {
		if got := bounded(tt.in); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestGrid(t *testing.T) {
	day := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		from, to time.Time
		points   int
		step     time.Duration
		n        int
	}{
		{day, day.Add(24 * time.Hour), 96, 15 * time.Minute, 96},
		{day, day.Add(24 * time.Hour), 95, 30 * time.Minute, 48},
		{day.Add(time.Millisecond), day.Add(24*time.Hour + time.Millisecond), 96, 30 * time.Minute, 49},
		{day, day.Add(time.Second), 1, time.Second, 1},
		{day, day.AddDate(0, 0, 7), 7, 24 * time.Hour, 7},
	}
	for _, tt := range tests {
		step, start, n := grid(tt.from, tt.to, tt.points)
		if step != tt.step || n != tt.n || start.After(tt.from) {
			t.Errorf("%s to %s in %d: step %s, %d from %s", tt.from, tt.to, tt.points, step, n, start)
		}
	}
	// Whatever is asked for, the steps cover the range and are not too many.
	first, end := bounded(time.Time{}), bounded(day.AddDate(999, 0, 0))
	for _, points := range []int{1, 2, 3, 10, 999, 100_000} {
		for _, r := range [][2]time.Time{{first, end}, {day, end}, {day, day.Add(time.Millisecond)}, {first, day.Add(time.Hour)}} {
			step, start, n := grid(r[0], r[1], points)
			if n < 1 || n > points || start.After(r[0]) || start.Add(time.Duration(n)*step).Before(r[1]) {
				t.Errorf("%v in %d: step %s, %d from %s", r, points, step, n, start)
			}
		}
	}
}
