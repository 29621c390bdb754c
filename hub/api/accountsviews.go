package api

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"citygrid/hub/accounts"
)

const (
	// viewTime is how long the audit log has a look at something as one.
	viewTime = 5 * time.Minute
	// maxViews bounds what is remembered. Beyond it looks are written down again sooner.
	maxViews = 20_000
)

// view is who looks at what, from where.
type view struct {
	person accounts.PersonKey
	from   netip.Addr
	what   string
}

// views remembers which looks the audit log has. It is safe for concurrent use.
type views struct {
	now     func() time.Time
	writing chan struct{} // a place for who writes one down

	mu   sync.Mutex
	seen map[view]time.Time
}

func newViews(now func() time.Time) *views {
	return &views{now: now, writing: make(chan struct{}, 1), seen: map[view]time.Time{}}
}

// once calls write unless it has for the same view within viewTime. It returns nil only
// when the view is written down, so that questions of one page that come together wait
// for the first of them.
func (v *views) once(ctx context.Context, one view, write func() error) error {
	if v.has(one) {
		return nil
	}
	select {
	case v.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-v.writing }()
	if v.has(one) {
		return nil
	}
	at := v.now()
	if err := write(); err != nil {
		return err
	}
	v.keep(one, at)
	return nil
}

// has reports whether a view is written down. A clock that was set back counts as none.
func (v *views) has(one view) bool {
	now := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.seen[one]
	return ok && !now.Before(at) && now.Sub(at) < viewTime
}

func (v *views) keep(one view, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.seen) >= maxViews {
		for old, then := range v.seen {
			if at.Before(then) || at.Sub(then) >= viewTime {
				delete(v.seen, old)
			}
		}
	}
	if len(v.seen) >= maxViews {
		clear(v.seen)
	}
	v.seen[one] = at
}
