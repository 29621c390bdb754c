package pcscd

import (
	"os"
	"testing"
)

// Need starts a daemon for a test and stops it in the end. Where it cannot be had
// the test is skipped with the reason, and fails when CI=true.
func Need(tb testing.TB) *Daemon {
	tb.Helper()
	if err := Missing(); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	d, err := Start(tb.Context(), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return d
}
