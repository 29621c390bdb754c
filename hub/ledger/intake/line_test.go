package intake

import (
	"strings"
	"testing"
)

// TestLineFindsEachRow: the n-th row that Read gives is the n-th line of data, whatever
// stands around it.
func TestLineFindsEachRow(t *testing.T) {
	own := "\xef\xbb\xbf#citygrid,1,payments,water,counter-1,2026-11-21,1\r\norder,kind,amount,at\r\n\r\nS-1,payment,1.00,2026-11-21T09:30:00+08:00\r\nS-2,payment,2.00,2026-11-21T09:30:00+08:00\r\n#total,2,3.00,0.00\r\n"
	bank := "H|bank|20261121|1|\n1|r1|B-1||C|100|20261121093000\n2|r2|B-2||C|200|20261121093000\nT|2|300|0|\n"
	for _, tt := range []struct {
		mapping, raw string
		row, line    int
		begins       string
		names        string
	}{
		{"citygrid", own, 1, 4, "S-1,", "order,kind,amount,at"},
		{"citygrid", own, 2, 5, "S-2,", "order,kind,amount,at"},
		{"bank", bank, 1, 2, "1|r1|B-1", ""},
		{"bank", bank, 2, 3, "2|r2|B-2", ""},
	} {
		got, ok := Line([]byte(tt.raw), mustNamed(t, tt.mapping), tt.row)
		if !ok || got.Line != tt.line || !strings.HasPrefix(got.Text, tt.begins) || strings.HasSuffix(got.Text, "\r") || got.Names != tt.names {
			t.Errorf("%s row %d: %+v, %t", tt.mapping, tt.row, got, ok)
		}
	}
	for _, raw := range []string{own, bank, ""} {
		mapping := "citygrid"
		if raw == bank {
			mapping = "bank"
		}
		if got, ok := Line([]byte(raw), mustNamed(t, mapping), 3); ok {
			t.Errorf("a third row of %s: %+v", mapping, got)
		}
	}
}
