package api

import (
	"fmt"
	"net/http"
	"sync"

	"citygrid/internal/clientaddr"
)

// Bounds of the live streams that one person, or one address (an IPv6 network of 64 bits
// being one) of people who look around without signing in, may hold open. A page holds one.
const (
	maxStreamsOfPerson  = 16
	maxStreamsOfAddress = 64
)

// streamPlaces counts the live streams, all of them and each person's, so that nobody
// takes the places of all others.
type streamPlaces struct {
	mu    sync.Mutex
	total int
	of    map[string]int
}

// holderOf says whose stream a request would be, and how many that one may have; empty
// for those whom the hub cannot tell apart: without accounts, or behind a proxy that
// does not say for whom it asks.
func holderOf(v *visit) (holder string, most int) {
	switch from := v.site.from; {
	case v.who != nil && v.who.access.Person.ID != "":
		return "person " + v.who.access.Person.ID, maxStreamsOfPerson
	case v.accounts != nil && from.IsValid() && !from.IsLoopback() && !v.accounts.trusts(from):
		return "address " + clientaddr.Of(from).String(), maxStreamsOfAddress
	}
	return "", 0
}

// take takes a place, or returns why there is none. give gives it back.
func (s *streamPlaces) take(holder string, most, all int) (give func(), full *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= all {
		return nil, problem(http.StatusServiceUnavailable, codeStreams,
			fmt.Sprintf("%d pages are open on this hub already. Close one, or read /api/v1/flow instead.", all))
	}
	if holder != "" && s.of[holder] >= most {
		return nil, problem(http.StatusTooManyRequests, codeStreams,
			fmt.Sprintf("You have %d pages open on this hub already. Close one, or read /api/v1/flow instead.", most))
	}
	if s.of == nil {
		s.of = make(map[string]int)
	}
	s.total++
	s.of[holder]++
	return func() { s.give(holder) }, nil
}

func (s *streamPlaces) give(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.of[holder]--; s.of[holder] == 0 {
		delete(s.of, holder)
	}
}
