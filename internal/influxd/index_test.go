package influxd

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSeriesWithoutName: a full disk has kept the names of some series out of their file.
// The server cannot start on that; it starts all the same, with every point.
func TestSeriesWithoutName(t *testing.T) {
	o := Options{Binary: needBinary(t), Dir: t.TempDir()}
	s := mustStart(t, o)
	var lines strings.Builder
	for n := range 100 {
		fmt.Fprintf(&lines, "m,meter=%d f=1i %d\n", n, n)
	}
	resp, err := http.Post(s.URL()+"/write?db=citygrid", "text/plain", strings.NewReader(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	s.Kill()
	segments, err := filepath.Glob(filepath.Join(o.Dir, "data", "citygrid", "_series", "*", "0000"))
	if err != nil || len(segments) != 8 {
		t.Fatalf("files of series: %q, %v", segments, err)
	}
	for _, path := range segments {
		takeLastName(t, path)
	}
	if s, err := startOnce(startContext(t), o, filepath.Join(o.Dir, "influxd.conf")); err == nil {
		s.Kill()
		t.Fatal("the server starts on a series without a name: there is nothing to mend")
	}
	s = mustStart(t, o)
	resp, err = http.Get(s.URL() + "/query?db=citygrid&q=SELECT+count(f)+FROM+m")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"values":[["1970-01-01T00:00:00Z",100]]`) {
		t.Errorf("of 100 acknowledged points: %s, %v", body, err)
	}
}

// takeLastName writes zeros over the key of the last series in a segment: after a head of
// 5 bytes, entries of a flag, a number of 8 bytes and the key, whose length comes first.
func takeLastName(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from, to := 0, 5
	for to < len(data) && data[to] != 0 {
		from = to + 9
		size, n := binary.Uvarint(data[from:])
		to = from + n + int(size)
	}
	if from == 0 {
		t.Fatalf("%s has no series", path)
	}
	clear(data[from:to])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
