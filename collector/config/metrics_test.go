package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestMetricsForEverybody: an address that the network reaches is told about, not refused.
func TestMetricsForEverybody(t *testing.T) {
	for address, warned := range map[string]bool{
		"127.0.0.1:9100": false, "[::1]:9100": false, "localhost:9100": false,
		"0.0.0.0:9100": true, ":9100": true, "[::]:9100": true, "192.0.2.7:9100": true, "box.example:9100": true,
	} {
		text := strings.Replace(whole, "metrics: 127.0.0.1:9100", fmt.Sprintf("metrics: %q", address), 1)
		c, err := Parse([]byte(text), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings(), "\n"), "metrics: whoever reaches"); got != warned {
			t.Errorf("%s: warnings %q", address, c.Warnings())
		}
	}
}
