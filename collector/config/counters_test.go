package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestCounters(t *testing.T) {
	for _, tt := range []struct{ counters, want string }{
		{"[{dir: counter-1}, {dir: /var/lib/counter-2}]", ""},
		{"[{}]", "counters[0].dir: missing"},
		{"[{dir: a}, {dir: ./a}]", "counters[1].dir: ./a is there twice"},
		{"[{folder: a}]", "folder"},
	} {
		text := bytes.Replace(cardsFile("cards_quota: 8MiB", "xintai-prepaid-water", "cards: true"), []byte("lines:\n"), []byte("counters: "+tt.counters+"\nlines:\n"), 1)
		c, err := Parse(text, t.TempDir())
		if tt.want == "" {
			if err != nil || len(c.Counters) != 2 {
				t.Errorf("%s: %v", tt.counters, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.counters, err, tt.want)
		}
	}
}
