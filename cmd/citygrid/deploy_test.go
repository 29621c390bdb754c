package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnitsCallUs: the units of deploy/systemd call commands and flags that there are.
func TestUnitsCallUs(t *testing.T) {
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("units %v, %v", units, err)
	}
	calls := 0
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/citygrid (.*)$`).FindAllStringSubmatch(string(text), -1) {
			calls++
			cmd, rest, err := newRoot().Find(strings.Fields(m[1]))
			if err != nil || !cmd.Runnable() {
				t.Errorf("%s: %v", unit, err)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil || len(cmd.Flags().Args()) > 0 || cmd.ValidateRequiredFlags() != nil {
				t.Errorf("%s: %s: %v, left %v, %v", unit, m[1], err, cmd.Flags().Args(), cmd.ValidateRequiredFlags())
			}
		}
	}
	if calls != 2 {
		t.Errorf("%d calls of citygrid, want hub and broker", calls)
	}
}
