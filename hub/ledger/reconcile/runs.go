package reconcile

// span32 is a run of purchase numbers, both ends included.
type span32 struct{ first, last uint32 }

// runs is a set of purchase numbers as runs, in order, none touching the next.
// An account that was never out of order has one.
type runs []span32

// find returns the index of the run that has n, or where a run of n would go.
func (r runs) find(n uint32) (int, bool) {
	for i := len(r) - 1; i >= 0; i-- {
		if n > r[i].last {
			return i + 1, false
		}
		if n >= r[i].first {
			return i, true
		}
	}
	return 0, false
}

// has reports whether n is in r.
func (r runs) has(n uint32) bool {
	_, ok := r.find(n)
	return ok
}

// top returns the highest number, 0 for none.
func (r runs) top() uint32 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1].last
}

// with returns r and the numbers first to last. It never writes into r.
func (r runs) with(first, last uint32) runs {
	if i, ok := r.find(first); ok && r[i].last >= last {
		return r
	}
	out := make(runs, 0, len(r)+1)
	i := 0
	for ; i < len(r) && uint64(r[i].last)+1 < uint64(first); i++ {
		out = append(out, r[i])
	}
	for ; i < len(r) && uint64(r[i].first) <= uint64(last)+1; i++ {
		first, last = min(first, r[i].first), max(last, r[i].last)
	}
	out = append(out, span32{first, last})
	return append(out, r[i:]...)
}

// without returns r less n. It never writes into r.
func (r runs) without(n uint32) runs {
	i, ok := r.find(n)
	if !ok {
		return r
	}
	out := append(make(runs, 0, len(r)+1), r[:i]...)
	if n > r[i].first {
		out = append(out, span32{r[i].first, n - 1})
	}
	if n < r[i].last {
		out = append(out, span32{n + 1, r[i].last})
	}
	return append(out, r[i+1:]...)
}

// holes calls fn with each run of numbers from first to last that are not in r.
func (r runs) holes(first, last uint32, fn func(first, last uint32)) {
	next := uint64(first)
	for _, s := range r {
		if uint64(s.last) < next {
			continue
		}
		if s.first > last {
			break
		}
		if uint64(s.first) > next {
			fn(uint32(next), s.first-1)
		}
		next = uint64(s.last) + 1
	}
	if next <= uint64(last) {
		fn(uint32(next), last)
	}
}
