package collector

import "time"

// DefaultProbeShare is the share of a line's time that its failing meters may
// use together while healthy ones wait, unless Line.ProbeShare says otherwise.
const DefaultProbeShare = 0.05

// budgetSpan bounds what is saved up: the share of this much time.
const budgetSpan = time.Minute

// budget is the time that the probes of a line's failing meters may take from
// its healthy ones: a token bucket whose tokens are time. A probe whose length
// nobody can know beforehand may overdraw it; then the next one waits.
type budget struct {
	share  float64
	credit time.Duration
	at     time.Time // up to when credit has been given
}

func newBudget(share float64, now time.Time) budget {
	if share <= 0 {
		share = DefaultProbeShare
	}
	share = min(share, 1)
	return budget{share: share, credit: part(share, budgetSpan), at: now}
}

func part(share float64, d time.Duration) time.Duration { return time.Duration(share * float64(d)) }

// open reports whether a probe may begin that keeps healthy meters waiting.
func (b *budget) open(now time.Time) bool {
	// A clock that was set forward gives no more than a full bucket.
	if passed := now.Sub(b.at); passed > 0 {
		b.credit = min(b.credit+part(b.share, min(passed, time.Hour)), part(b.share, budgetSpan))
	}
	b.at = now
	return b.credit > 0
}

// full reports whether no more can be saved up.
func (b *budget) full() bool { return b.credit >= part(b.share, budgetSpan) }

// next returns when open or full will become true, as long as nothing is spent.
func (b *budget) next(now time.Time) time.Time {
	wanted := time.Duration(0)
	if b.open(now) {
		wanted = part(b.share, budgetSpan)
	}
	missing := wanted - b.credit
	return now.Add(time.Duration(float64(missing)/b.share) + time.Millisecond)
}

// spend takes the time that healthy meters have waited for a probe.
func (b *budget) spend(d time.Duration) { b.credit -= d }

// levy takes the time that healthy meters have waited for one that was thought
// to be sound, as far as there is any. Such a read asks nobody's leave: were it
// to make a debt, a line on which many meters die at once would not look for
// them for hours.
func (b *budget) levy(d time.Duration) { b.credit = min(b.credit, max(b.credit-d, 0)) }
