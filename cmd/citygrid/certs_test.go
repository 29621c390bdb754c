package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCerts goes the way of a first installation, by the commands of the documents.
func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	pass := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("a passphrase of a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	run := func(args ...string) (string, error) {
		cmd := newCerts(func() time.Time { return at })
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		args = append(args, "--dir", dir)
		if args[0] != "ls" {
			args = append(args, "--passphrase", "file:"+pass)
		}
		cmd.SetArgs(args)
		err := cmd.Execute()
		return out.String(), err
	}
	must := func(want string, args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil || !regexp.MustCompile(want).MatchString(out) {
			t.Fatalf("certs %s: %v, printed %q; want %s", strings.Join(args, " "), err, out, want)
		}
		return out
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("certs %s: %v, printed %q; want an error with %q", strings.Join(args, " "), err, out, want)
		}
	}
	refused("certs init makes the authority", "ls")
	must("authority Example City until 2036-03-01, sha256 [0-9a-f]{64}", "init", "--name", "Example City")
	refused("nothing was changed", "init", "--name", "Example City")
	must("servers/broker.example.crt: server broker.example until 2028-02-29", "issue", "--server", "broker.example", "--dns", "nats-1", "--ip", "192.0.2.10")
	must("clients/c-0001.crt: collector c-0001 until 2026-03-11", "issue", "--collector", "c-0001", "--days", "10")
	must("clients/hub.key; bring it to its place", "issue", "--hub", "hub")
	refused("renew or revoke", "issue", "--collector", "c-0001")
	refused("if any flags in the group", "issue", "--collector", "c-0001", "--hub", "hub")
	refused("at least one of the flags", "issue")
	refused("want 1 to 731", "issue", "--collector", "c-9", "--days", "4000")
	refused("serial", "revoke", "--hub", "hub", "--serial", "000")
	must("c-0001 until 2027-03-01", "renew", "--collector", "c-0001", "--days", "365")
	must("revoked: hub hub, serial [0-9a-f]+\ncopy .*crl.pem to the brokers", "revoke", "--hub", "hub")
	list := must("ends in 10 days: renew", "ls")
	for _, want := range []string{`authority\s+Example City\s+2036-03-01\s+good`, `hub\s+hub\s+2028-02-29\s+revoked 2026-03-01`, `collector\s+c-0001\s+2027-03-01\s+good\s+[0-9a-f]+\s+[0-9a-f]{64}`} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("the list lacks %s:\n%s", want, list)
		}
	}
	if err := os.WriteFile(pass, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("empty", "issue", "--collector", "c-2")
}
