package config

import (
	"strings"
	"testing"
	"time"
)

const goodLedger = good + `ledger:
  dsn: sqlite:ledger.db
  cut_off: "23:00"
  begin: 2026-01-01
  rules: {version: v2, sale_no_pay: 3}
  people:
  - {name: zhang, roles: [clerk], token: "sha256:` + digits + `"}
`

const digits = "0f5b2ae3c1d7486d9b0a5f1e7c62d8943be01a7dd25f6c8e91b4a3077d6c5e2f"

func TestLedger(t *testing.T) {
	c, err := Parse([]byte(goodLedger), "")
	if err != nil {
		t.Fatal(err)
	}
	zone, err := c.Ledger.Location()
	if err != nil || zone.String() != DefaultZone {
		t.Errorf("zone %v, %v", zone, err)
	}
	if at, err := c.Ledger.CutOffTime(); err != nil || at != 23*time.Hour {
		t.Errorf("cut-off %v, %v", at, err)
	}
	for _, text := range []string{"", "24:00", "00:00"} {
		if at, err := (&Ledger{CutOff: text}).CutOffTime(); err != nil || at != 0 {
			t.Errorf("cut-off %q: %v, %v", text, at, err)
		}
	}
	if *c.Ledger.Rules.SaleNoPay != 3 || c.Ledger.Rules.StaleCard != nil {
		t.Errorf("rules %+v", c.Ledger.Rules)
	}
}

func TestLedgerErrors(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "dsn:", "dns:", "field dns not found"},
		{"people without dsn", "  dsn: sqlite:ledger.db\n", "", "ledger.dsn: missing"},
		{"no path", "sqlite:ledger.db", "\"sqlite:\"", "dsn: want sqlite:PATH"},
		{"another database", "sqlite:ledger.db", "mysql://h/d", "dsn: want sqlite:PATH or postgres"},
		{"password in the address", "sqlite:ledger.db", "postgres://u:hunter2@h/d", "dsn: holds a password"},
		{"password in the query", "sqlite:ledger.db", "postgres://u@h/d?password=hunter2", "dsn: holds a password"},
		{"password of a file", "cut_off:", "password: env:X\n  cut_off:", "no password with it"},
		{"issuer", "cut_off:", "issuer: 1101\n  cut_off:", "issuer: \"1101\", want 8 digits"},
		{"zone", "cut_off:", "zone: Mars\n  cut_off:", "zone \"Mars\""},
		{"zone of this machine", "cut_off:", "zone: Local\n  cut_off:", "zone \"Local\""},
		{"cut-off", "23:00", "23h", "cut_off \"23h\""},
		{"begin", "2026-01-01", "2026-02-30", "begin \"2026-02-30\""},
		{"rules without version", "version: v2, ", "", "rules.version: missing"},
		{"days", "sale_no_pay: 3", "sale_no_pay: -1", "rules.sale_no_pay: -1 days"},
		{"role", "[clerk]", "[admin]", "role \"admin\""},
		{"no role", "[clerk]", "[]", "zhang has no role"},
		{"no name", "name: zhang", "name: \"\"", "want a name"},
		{"blank name", "name: zhang", "name: \"zhang \"", "want a name"},
		{"capitals", "  people:\n", "  people:\n  - {name: ZHANG, roles: [reviewer], token: \"sha256:" + strings.Replace(digits, "0f", "1f", 1) + "\"}\n", "stands twice"},
		{"tariffs of one name", "cut_off:", "tariffs: [water/t.yaml, gas/t.yaml]\n  cut_off:", "tariffs: two files are named t.yaml"},
		{"plain token", "sha256:" + digits, "hunter2", "people[0]: zhang: token: want sha256:"},
		{"twice", "  people:\n", "  people:\n  - {name: li, roles: [clerk], token: \"sha256:" + strings.ToUpper(digits) + "\"}\n", "stands twice"},
	} {
		text := strings.Replace(goodLedger, tt.old, tt.new, 1)
		if text == goodLedger {
			t.Fatalf("%s: %q is not in the file", tt.name, tt.old)
		}
		_, err := Parse([]byte(text), "")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a secret: %v", tt.name, err)
		}
	}
}
