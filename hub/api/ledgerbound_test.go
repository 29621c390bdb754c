package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/hub/ledger"
)

// slowFiles count how many imports are under way at once, until they may end.
type slowFiles struct {
	LedgerFiles
	now, most atomic.Int64
	end       chan struct{}
}

func (s *slowFiles) Import(context.Context, Upload) (ledger.Import, error) {
	n := s.now.Add(1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	<-s.end
	s.now.Add(-1)
	return ledger.Import{}, nil
}

// bodyReads counts the bodies that somebody has begun to read.
type bodyReads struct {
	io.Reader
	begun *atomic.Int64
	once  bool
}

func (b *bodyReads) Read(p []byte) (int, error) {
	if !b.once {
		b.once = true
		b.begun.Add(1)
	}
	return b.Reader.Read(p)
}

// TestUploadsAreBounded: a file may be 256 MiB; what is beyond a few at once waits
// unread, and is told to come again when that takes long.
func TestUploadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &slowFiles{end: make(chan struct{})}
		h := newHandler(t, func(o *Options) { o.Ledger = &Ledger{Auth: people(t), Files: files} })
		var begun atomic.Int64
		answers := make(chan int, 6)
		for range 6 {
			go func() {
				r := httptest.NewRequest("POST", "/api/v1/ledger/imports?name=x", &bodyReads{Reader: strings.NewReader("x"), begun: &begun})
				r.Header.Set("Authorization", "Bearer token-zhang")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				answers <- w.Code
			}()
		}
		synctest.Wait()
		if files.most.Load() > heavyAtOnce || begun.Load() > heavyAtOnce {
			t.Errorf("%d imports, %d bodies at once", files.most.Load(), begun.Load())
		}
		time.Sleep(heavyWait + time.Second)
		synctest.Wait()
		for range 6 - heavyAtOnce {
			if code := <-answers; code != 503 {
				t.Errorf("after the wait: %d", code)
			}
		}
		close(files.end)
		for range heavyAtOnce {
			if code := <-answers; code != 200 {
				t.Errorf("taken: %d", code)
			}
		}
	})
}

// TestPeopleAreDifferent: names that look the same are one person's.
func TestPeopleAreDifferent(t *testing.T) {
	for _, other := range []string{"zhang san", "Ｚhang San", "Zhang San ", "Zhang  San", "Zhang\u00a0San", "Zhang\tSan"} {
		var list []TokenPerson
		for _, name := range []string{"Zhang San", other} {
			list = append(list, TokenPerson{Person: Person{Name: name, Roles: []Role{Reviewer}}, Token: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name)))})
		}
		if _, err := NewTokens(list); err == nil {
			t.Errorf("%q is a second person beside Zhang San", other)
		}
	}
}
