package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/schemas"
)

// scripted is a server that gives its answers one after the other, the last one for
// ever, and a Store whose pauses take no time.
func scripted(t *testing.T, answers ...string) (s *Store, asked *[]string, paused *[]time.Duration) {
	asked, paused = new([]string), new([]time.Duration)
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		io.WriteString(w, answers[min(len(*asked), len(answers)-1)])
		*asked = append(*asked, r.FormValue("q"))
	}))
	t.Cleanup(srv.Close)
	s = openAt(t, Config{URL: srv.URL})
	s.pause = func(ctx context.Context, d time.Duration) bool {
		*paused = append(*paused, d)
		return ctx.Err() == nil
	}
	return s, asked, paused
}

func readingRows(rows string) string {
	return `{"results":[{"series":[{"name":"reading","tags":{"meter":"a","quantity":"water.flow","origin":""},` +
		`"columns":["time","mantissa","exponent","quality","reason"],"values":[` + rows + `]}]}]}`
}

// TestHalfPoints: a point that is met while it is written is asked for again, and comes
// whole, in its place; one that stays half is an error after a bounded time, and never
// a value.
func TestHalfPoints(t *testing.T) {
	const half = `[1700000000001,null,null,0,null]`
	three := func(middle string) string {
		return readingRows(`[1700000000000,5,-1,0,null],` + middle + `,[1700000000002,7,-1,0,null]`)
	}
	whole := readingRows(`[1700000000001,6,-1,0,null]`)
	tests := []struct {
		name    string
		answers []string
		want    string // mantissas, or what the error says
		tries   int
	}{
		{"at once", []string{three(half), whole}, "5 6 7", 1},
		{"later", []string{three(half), readingRows(`[1700000000001,6,null,0,null]`), readingRows(half), whole}, "5 6 7", 3},
		{"no quality", []string{three(`[1700000000001,6,-1,null,null]`), whole}, "5 6 7", 1},
		{"no reason", []string{three(`[1700000000001,6,-1,1,null]`), readingRows(`[1700000000001,6,-1,1,"jump"]`)}, "5 6jump 7", 1},
		{"gone", []string{three(half), `{"results":[{}]}`}, "5 7", 1},
		{"for ever", []string{three(half), readingRows(half)}, "some fields of the point are missing", halfTries},
		{"not of this program", []string{three(`[1700000000001,6,99,0,null]`)}, "outside", 0},
		{"away", []string{three(half), `{"error":"engine is closed"}`}, "engine is closed", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, asked, paused := scripted(t, tt.answers...)
			var got []string
			err := s.Each(t.Context(), at(0), at(1<<41), func(r schemas.Reading) error {
				got = append(got, fmt.Sprint(r.Value.Mantissa, r.Reason))
				return nil
			})
			if text := strings.Join(got, " "); err == nil && text != tt.want {
				t.Errorf("%s, want %s", text, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.want) || len(got) != 1) {
				t.Errorf("after %v: %v, want %q", got, err, tt.want)
			}
			if len(*asked) != 1+tt.tries || len(*paused) != max(0, tt.tries-1) {
				t.Errorf("asked %d times with pauses %v, want %d", len(*asked), *paused, 1+tt.tries)
			}
			for _, q := range (*asked)[1:] {
				for _, part := range []string{`"meter" = 'a'`, `"quantity" = 'water.flow'`, `"origin" = ''`, at(1700000000001).Format(timeLayout)} {
					if !strings.Contains(q, part) {
						t.Errorf("%s: has no %s", q, part)
					}
				}
			}
		})
	}
}

// TestHalfPointAndStop: who stops waiting is heard at once.
func TestHalfPointAndStop(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, asked, _ := scripted(t, readingRows(`[1700000000001,null,null,0,null]`))
	s.pause = func(context.Context, time.Duration) bool { cancel(stop); return false }
	if err := s.Each(ctx, at(0), at(1<<41), func(schemas.Reading) error { return nil }); !errors.Is(err, stop) || len(*asked) != 2 {
		t.Errorf("asked %d times: %v", len(*asked), err)
	}
}

// TestHalfHours: an hour of a cell without one of its fields is asked for again, never
// shown as a consumption of 0; only a flow may be missing.
func TestHalfHours(t *testing.T) {
	answer := func(row string) string {
		return `{"results":[{"series":[{"name":"cell_hour","tags":{"cell":"none","medium":"water"},"columns":["` +
			strings.Join(cellColumns(), `","`) + `"],"values":[` + row + `]}]}]}`
	}
	const full = `[1700000000000,5000000000,-9,1,0,null,4,3,0,0,16,15,7]`
	want := CellHour{Place: "none", Medium: schemas.Water, Hour: at(1700000000000), Value: schemas.Decimal{Mantissa: 5_000_000_000, Exponent: -9},
		Known: true, Meters: 4, Counted: 3, Expected: 16, Got: 15, Rows: 7}
	cells := strings.Split(strings.Trim(full, "[]"), ",")
	for n := 1; n < len(cells); n++ {
		torn := slices.Clone(cells)
		torn[n] = "null"
		s, asked, _ := scripted(t, answer("["+strings.Join(torn, ",")+"]"), answer(full))
		tries := 2
		if cellColumns()[n] == "flow_min" {
			tries = 1
		}
		if got := hoursOf(t, s, false, "", schemas.Water, at(0), at(1<<41)); len(got) != 1 || got[0] != want || len(*asked) != tries {
			t.Errorf("without %s: asked %d times: %+v", cellColumns()[n], len(*asked), got)
		}
	}
}

// TestHalfSums: the sum over hours of which one is being written is made of the hours.
func TestHalfSums(t *testing.T) {
	sums := `{"results":[{"series":[{"tags":{"cell":"none"},"columns":["time","sum","min","max","known","broken","flow","meters","counted","partial","carried","expected","got","mantissas","exponents","knowns"],` +
		`"values":[[0,5,-9,-9,2,0,null,4,3,0,0,16,15,1,2,2]]}]}]}`
	hours := `{"results":[{"series":[{"name":"cell_hour","tags":{"cell":"none","medium":"water"},"columns":["` + strings.Join(cellColumns(), `","`) +
		`"],"values":[[3600000,5,-9,1,0,null,4,3,0,0,16,15,7],[7200000,6,-9,1,0,null,4,3,0,0,16,15,7]]}]}]}`
	s, asked, _ := scripted(t, sums, hours)
	err := s.CellSums(t.Context(), schemas.Water, at(0), at(1<<41), func(h CellHour) error {
		if h.Value != (schemas.Decimal{Mantissa: 11, Exponent: -9}) || !h.Known {
			t.Errorf("%+v", h)
		}
		return nil
	})
	if err != nil || len(*asked) != 2 {
		t.Errorf("asked %d times: %v", len(*asked), err)
	}
}

// TestReadsWhileWriting: who reads what is being written sees whole readings or none.
func TestReadsWhileWriting(t *testing.T) {
	s := openReal(t, 5000)
	var stop atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		defer stop.Store(true)
		for round := range 10 {
			var batch []schemas.Reading
			for n := range 5000 {
				// New series, as at the first reading of a meter, and new points of known ones.
				batch = append(batch, good(fmt.Sprintf("m%d", n%500+round/5*500), int64(n), -3, 1700000000000+int64(round*100+n/500)*1000))
			}
			if err := s.Write(t.Context(), batch); err != nil {
				t.Error(err)
				return
			}
		}
	})
	asked, again := 0, 0
	s.pause = func(ctx context.Context, d time.Duration) bool { again++; return pause(ctx, d) }
	for !stop.Load() {
		asked++
		err := s.Each(t.Context(), at(0), at(1<<41), func(r schemas.Reading) error {
			if want := int64(r.TakenAt.UnixMilli()/1000) % 100 % 10; r.Value.Exponent != -3 || r.Value.Mantissa/500 != want {
				t.Errorf("%+v is not what was written", r)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
			break
		}
	}
	group.Wait()
	t.Logf("asked %d times for all, waited %d times for a point", asked, again)
}
