package config

import (
	"strings"
	"testing"
	"time"
)

// spoolFile is a configuration with so much under spool.
func spoolFile(spool string) []byte {
	return []byte("collector: c1\nbundle: b\ndata_dir: d\ninterval: 1m\nbroker: {url: \"tcp://h:1\"}\nspool:\n" + spool +
		"lines:\n  - name: a\n    address: 127.0.0.1:502\n    meters: [{id: m1, unit: 1, profile: eastron-sdm630}]\n")
}

func TestSpoolPolicy(t *testing.T) {
	tests := map[string]struct {
		spool string
		full  WhenFull
		after time.Duration
	}{
		"nothing said": {"  quota: 2MiB\n", Stop, 0},
		"said":         {"  when_full: stop\n  drop_after: 0s\n  cards_when_full: stop\n  events_when_full: stop\n", Stop, 0},
		"dropping":     {"  when_full: drop_oldest\n  drop_after: 2160h\n", DropOldest, 90 * 24 * time.Hour},
	}
	for name, tt := range tests {
		c, err := Parse(spoolFile(tt.spool), ".")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := c.Spool; s.WhenFull != tt.full || time.Duration(s.DropAfter) != tt.after || s.CardsWhenFull != Stop || s.EventsWhenFull != Stop {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestSpoolPolicyRefused(t *testing.T) {
	tests := map[string]struct{ spool, want string }{
		"a word of its own": {"  when_full: drop\n", `line 7: spool.when_full: "drop" is unknown`},
		"cards":             {"  cards_when_full: drop_oldest\n", "line 7: spool.cards_when_full: \"drop_oldest\": card entries are money"},
		"events":            {"  quota: 1MiB\n  events_when_full: drop_oldest\n", "line 8: spool.events_when_full: \"drop_oldest\": component events are never dropped"},
		"too soon":          {"  drop_after: 23h\n", "line 7: spool.drop_after: 23h0m0s is shorter than 24h"},
		"negative":          {"  drop_after: -48h\n", "spool.drop_after"},
		"unknown key":       {"  cards_drop_after: 48h\n", "cards_drop_after"},
		"small quota":       {"  cards_quota: 1KiB\n", "line 7: spool.cards_quota: the quota must be at least 1MiB"},
		"commit":            {"  commit_every: -1s\n", "line 7: spool.commit_every"},
	}
	for name, tt := range tests {
		if _, err := Parse(spoolFile(tt.spool), "."); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
}
