package intake

import (
	"strings"
	"testing"

	"citygrid/hub/ledger"
)

// TestBills: a bill has a due day and no purchase number.
func TestBills(t *testing.T) {
	const names = "#citygrid,1,sales,water,bank-collect,2026-11-21,1\norder,kind,meter,purchase,amount,due,at\n"
	for row, says := range map[string]string{
		"b,bill,W-1,,50.00,2026-12-06,2026-11-21T09:30:00+08:00":  "",
		"b,bill,W-1,,50.00,,2026-11-21T09:30:00+08:00":            "column 6 (due)",
		"b,bill,W-1,,50.00,2026-11-20,2026-11-21T09:30:00+08:00":  "column 6 (due)",
		"b,bill,W-1,7,50.00,2026-12-06,2026-11-21T09:30:00+08:00": "column 4 (purchase)",
		"b,purchase,W-1,7,50.00,2026-12-06,2026-11-21T09:30:00Z":  "column 6 (due)",
	} {
		f, err := read(sealed(names+row+"\n#total,1,50.00,0.00\n"), mustNamed(t, "citygrid"), options())
		if says == "" {
			if err != nil || f.Sales[0].Kind != ledger.Bill || f.Sales[0].Due != must(ledger.ParseDay("2026-12-06")) {
				t.Errorf("%s: %+v, %v", row, f, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", row, err)
		}
	}
}
