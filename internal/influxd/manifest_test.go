package influxd

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestKillWhileAnIndexIsMade empties the tables of contents of an index, as a kill
// between the two steps of InfluxDB's writing does. The bare server then refuses the
// shard for ever.
func TestKillWhileAnIndexIsMade(t *testing.T) {
	o := Options{Binary: needBinary(t), Dir: filepath.Join(t.TempDir(), "odd name")}
	write := func(s *Server, line string) {
		t.Helper()
		resp, err := http.Post(s.URL()+"/write?db=citygrid", "text/plain", strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatalf("write %s: %s: %s, %v", line, resp.Status, body, err)
		}
	}
	s := mustStart(t, o)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} { // some partition gets each
		write(s, name+",tag="+name+" f=1i 1")
	}
	s.Kill()
	paths, err := filepath.Glob(filepath.Join(o.Dir, "data", "*", "*", "*", "index", "*", "MANIFEST"))
	if err != nil || len(paths) != 8 {
		t.Fatalf("tables of contents: %q, %v", paths, err)
	}
	var before [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, text)
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := mendManifests(o.Dir); err != nil {
		t.Fatal(err)
	}
	for n, path := range paths {
		if text, err := os.ReadFile(path); err != nil || string(text) != string(before[n]) {
			t.Errorf("%s was\n%s and is\n%s, %v", path, before[n], text, err)
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	s = mustStart(t, o)
	write(s, "a,tag=a f=2i 2")
	resp, err := http.Get(s.URL() + "/query?db=citygrid&q=SELECT+sum(f)+FROM+a,b,c,d,e,f,g,h")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if n := strings.Count(string(body), `"name":`); err != nil || n != 8 || !strings.Contains(string(body), `"values":[["1970-01-01T00:00:00Z",3]]`) {
		t.Errorf("%d of 8 series: %s, %v", n, body, err)
	}
}

func TestIndexFilesByAge(t *testing.T) {
	files := []string{"L1-00000002.tsi", "L0-00000001.tsl", "L0-00000003.tsl", "L2-00000004.tsi", "L1-00000005.tsi"}
	slices.SortFunc(files, byAge)
	if want := []string{"L0-00000003.tsl", "L0-00000001.tsl", "L1-00000005.tsi", "L1-00000002.tsi", "L2-00000004.tsi"}; !slices.Equal(files, want) {
		t.Errorf("%q, want %q", files, want)
	}
}
