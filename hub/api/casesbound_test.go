package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/indicators"
)

// crowd knows how many are in it at most.
type crowd struct{ now, most atomic.Int32 }

func (c *crowd) enter() (leave func()) {
	n := c.now.Add(1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	return func() { c.now.Add(-1) }
}

// slowIndicators count for as long as their context lets them, or a second.
type slowIndicators struct {
	crowd
	forever bool
}

func (s *slowIndicators) Rows(ctx context.Context, _ []indicators.Period) ([]indicators.Row, error) {
	defer s.enter()()
	if s.forever {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(time.Second)
	return nil, nil
}

// largeMedia has one film, as large as the desk says.
type largeMedia struct {
	memoryMedia
	crowd
}

func (m *largeMedia) Open(context.Context, string) ([]byte, string, error) {
	defer m.enter()()
	time.Sleep(time.Second)
	return []byte("film"), "video/mp4", nil
}

// atOnce asks the same several times at once, and returns the answers.
func (tn *town) atOnce(t *testing.T, n int, target string) []*httptest.ResponseRecorder {
	out := make([]*httptest.ResponseRecorder, n)
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() { out[k] = tn.do(t, "lead", "GET", target, "", 0, nil) })
	}
	all.Wait()
	return out
}

const novemberCount = "/api/v1/indicators?from=2026-11-01&to=2026-11-30"

// TestOneCountAtATime: each reads every journal. It is given up in the end, and says so.
func TestOneCountAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowIndicators{}
		tn := openTown(t, func(c *Cases) { c.Indicators = slow })
		for _, w := range tn.atOnce(t, 5, novemberCount) {
			if w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if n := slow.most.Load(); n != 1 {
			t.Errorf("%d counted at once", n)
		}
		slow.forever = true
		begun := time.Now()
		w := tn.do(t, "lead", "GET", novemberCount, "", 503, nil)
		if took := time.Since(begun); took != countTime || !strings.Contains(w.Body.String(), "given up") {
			t.Errorf("after %v: %s", took, w.Body)
		}
	})
}

// TestFilmsInMemory: what is being sent fits in memory, however many ask.
func TestFilmsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &largeMedia{}
		tn := openTown(t, func(c *Cases) { c.Media = m })
		film := strings.Repeat("ab", 32)
		if err := tn.desk.KeepMedia(t.Context(), desk.Media{SM3: film, Original: film, Kind: "video", Type: "video/mp4", Size: mediaMemory/2 - 1}); err != nil {
			t.Fatal(err)
		}
		for _, w := range tn.atOnce(t, 6, "/api/v1/media/"+film) {
			if w.Code != 200 || w.Body.String() != "film" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if n := m.most.Load(); n != 2 {
			t.Errorf("%d in memory at once, want 2", n)
		}
	})
}
