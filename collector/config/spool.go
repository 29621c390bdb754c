package config

import (
	"errors"
	"fmt"
	"time"
)

// Spool bounds the durable queues, and says what happens at the bounds.
type Spool struct {
	Quota       Size     `yaml:"quota,omitempty"`
	CommitEvery Duration `yaml:"commit_every,omitempty"`
	// WhenFull is what a full queue of readings does.
	WhenFull WhenFull `yaml:"when_full,omitempty"`
	// DropAfter is the age at which readings that still wait are dropped; 0, the
	// default, is never.
	DropAfter Duration `yaml:"drop_after,omitempty"`
	// CardsQuota bounds the queue of the card entries, which is one of its own.
	CardsQuota Size `yaml:"cards_quota,omitempty"`
	// CardsWhenFull can only be stop: no card entry is ever dropped.
	CardsWhenFull WhenFull `yaml:"cards_when_full,omitempty"`
	// EventsQuota bounds that of the component events, the third one.
	EventsQuota Size `yaml:"events_quota,omitempty"`
	// EventsWhenFull can only be stop: no event is ever dropped.
	EventsWhenFull WhenFull `yaml:"events_when_full,omitempty"`
}

// WhenFull is what a full queue does.
type WhenFull string

const (
	// Stop: nothing more is taken until there is room. Nothing is dropped.
	Stop WhenFull = "stop"
	// DropOldest: the oldest that wait make room, at most a sixteenth of the quota at
	// a time, and each reading among them is noted as lost.
	DropOldest WhenFull = "drop_oldest"
)

// leastDropAfter leaves an outage of a day its readings.
const leastDropAfter = Duration(24 * time.Hour)

func (s *Spool) check(c *Config) error {
	if s.CommitEvery < 0 {
		return c.at(errNegative, "spool", "commit_every")
	}
	for _, quota := range []struct {
		key  string
		size Size
	}{{"quota", s.Quota}, {"cards_quota", s.CardsQuota}, {"events_quota", s.EventsQuota}} {
		if quota.size < 1<<20 {
			return c.at(errors.New("the quota must be at least 1MiB"), "spool", quota.key)
		}
	}
	if s.WhenFull != Stop && s.WhenFull != DropOldest {
		return c.at(fmt.Errorf("%q is unknown: write stop (reading stops, nothing is dropped) or drop_oldest", s.WhenFull), "spool", "when_full")
	}
	if s.CardsWhenFull != Stop {
		return c.at(fmt.Errorf("%q: card entries are money and are never dropped; only stop is possible. Give them more room with cards_quota", s.CardsWhenFull), "spool", "cards_when_full")
	}
	if s.EventsWhenFull != Stop {
		return c.at(fmt.Errorf("%q: component events are never dropped; only stop is possible. Give them more room with events_quota", s.EventsWhenFull), "spool", "events_when_full")
	}
	if s.DropAfter != 0 && s.DropAfter < leastDropAfter {
		return c.at(fmt.Errorf("%s is shorter than %s; write 0s to keep readings until they are delivered", s.DropAfter, leastDropAfter), "spool", "drop_after")
	}
	return nil
}
