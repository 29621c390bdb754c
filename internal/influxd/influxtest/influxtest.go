// Package influxtest starts InfluxDB for tests: the program that `make bin/influxd`
// builds.
package influxtest

import (
	"context"
	"os"
	"testing"
	"time"

	"citygrid/internal/influxd"
)

// startTimeout bounds the wait for the first answer.
const startTimeout = time.Minute

// Find returns the path of InfluxDB. Where it is not built the test is skipped with the
// reason, and fails with CI=true.
func Find(tb testing.TB) string {
	tb.Helper()
	path, err := influxd.Find()
	if err != nil && os.Getenv("CI") == "true" {
		tb.Fatal(err)
	} else if err != nil {
		tb.Skip(err)
	}
	return path
}

// Start starts an InfluxDB with options, of which Binary and Dir are set where they are
// empty. It is killed when the test ends.
func Start(tb testing.TB, o influxd.Options) *influxd.Server {
	tb.Helper()
	if o.Binary == "" {
		o.Binary = Find(tb)
	}
	if o.Dir == "" {
		o.Dir = tb.TempDir()
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	s, err := influxd.Start(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	return s
}
