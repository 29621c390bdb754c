package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// cardsFile is a file with one prepaid meter, given more keys of the spool and
// of the meter.
func cardsFile(spool, profile, meter string) []byte {
	return fmt.Appendf(nil, `collector: c001
bundle: c001.bundle
data_dir: data
interval: 1m
broker: {url: "tcp://h:1883"}
spool: {%s}
lines:
  - name: gateway
    address: 192.0.2.21:502
    meters:
      - id: W-1
        unit: 7
        profile: %s
        %s
`, spool, profile, meter)
}

func TestCards(t *testing.T) {
	for _, tt := range []struct {
		meter string
		want  time.Duration
	}{
		{"interval: 1m", 0},
		{"cards: false", 0},
		{"cards: true", 15 * time.Minute},
		{"{cards: true, cards_every: 1h}", time.Hour},
	} {
		meter := strings.NewReplacer("{", "", "}", "", ", ", "\n        ").Replace(tt.meter)
		c, err := Parse(cardsFile("cards_quota: 8MiB", "xintai-prepaid-water", meter), t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", tt.meter, err)
		}
		checkRoundTrip(t, c)
		lines, err := c.BuildLines()
		if err != nil {
			t.Fatalf("%s: %v", tt.meter, err)
		}
		if got := lines[0].Meters[0].CardsEvery; got != tt.want || c.Spool.CardsQuota != 8<<20 {
			t.Errorf("%s: every %s, want %s; quota %d", tt.meter, got, tt.want, c.Spool.CardsQuota)
		}
	}
	c, err := Parse(cardsFile("", "xintai-prepaid-water", "cards: true"), t.TempDir())
	if err != nil || c.Spool.CardsQuota != 64<<20 {
		t.Errorf("default quota %d, %v", c.Spool.CardsQuota, err)
	}
}

func TestCardsRefusals(t *testing.T) {
	for _, tt := range []struct{ spool, profile, meter, want string }{
		{"", "xintai-prepaid-water", "cards_every: 15m", "line 14: lines[0].meters[0].cards_every: is given without cards: true"},
		{"", "xintai-prepaid-water", "cards: true\n        cards_every: 9s", "line 15: lines[0].meters[0].cards_every: 9s, want 10s to 24h0m0s"},
		{"", "xintai-prepaid-water", "cards: true\n        cards_every: 25h", "line 15: lines[0].meters[0].cards_every: 25h"},
		{"", "xintai-prepaid-water", "cards: true\n        cards_every: -1h", "cards_every: -1h"},
		{"", "eastron-sdm630", "cards: true", "line 14: lines[0].meters[0].cards: profile eastron-sdm630 has no card slot"},
		{"cards_quota: 1000KiB", "xintai-prepaid-water", "cards: true", "line 6: spool.cards_quota: the quota must be at least 1MiB"},
	} {
		c, err := Parse(cardsFile(tt.spool, tt.profile, tt.meter), t.TempDir())
		if err == nil {
			_, err = c.BuildLines()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.meter, err, tt.want)
		}
	}
}
