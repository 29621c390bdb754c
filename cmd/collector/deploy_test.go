package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestUnitCallsUs: the unit of deploy/systemd calls a command and flags that there are.
func TestUnitCallsUs(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/citygrid-collector.service")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/collector (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(calls) != 1 {
		t.Fatalf("%d calls of collector, want one", len(calls))
	}
	cmd, rest, err := newRoot().Find(strings.Fields(calls[0][1]))
	if err != nil || !cmd.Runnable() {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(rest); err != nil || len(cmd.Flags().Args()) > 0 || cmd.ValidateRequiredFlags() != nil {
		t.Errorf("%s: %v, left %v, %v", calls[0][1], err, cmd.Flags().Args(), cmd.ValidateRequiredFlags())
	}
}
