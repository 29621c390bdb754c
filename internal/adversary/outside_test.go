package adversary

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// atTheAPI runs the attacks on the API, which are tests of package hub/api because they
// need its insides, and takes their rows from their log.
func atTheAPI(tab *table) {
	out := goTest(tab, "./hub/api", "^TestAdversary")
	rows := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		_, text, ok := strings.Cut(lines.Text(), "adversary|")
		fields := strings.Split(text, "|")
		if !ok || len(fields) != 4 {
			continue
		}
		r := row{name: fields[0]}
		if _, err := fmt.Sscan(strings.Join(fields[1:], " "), &r.tries, &r.accepted, &r.counted); err != nil {
			tab.t.Fatalf("row %q: %v", text, err)
		}
		tab.add(r)
		rows++
	}
	if rows < 10 {
		tab.t.Errorf("%d rows of hub/api, want 10 or more:\n%s", rows, out)
	}
}

// atTheServer runs the tests of the HTTP server; each is one try.
func atTheServer(tab *table) {
	names := []string{"TestSlowLoris", "TestOneAddress", "TestOversizedHeaders", "TestCompressedBodies", "TestRequestsBeyondTheBound", "TestHeadersHaveATime", "TestBodiesHaveATime", "TestUnreadBodiesHaveATime", "TestIdleConnectionsEnd"}
	out := goTest(tab, "./internal/httpd", "^("+strings.Join(names, "|")+")$")
	r := row{name: "HTTP: slow-loris, endless headers and bodies, compression (tests)", tries: uint64(len(names))}
	for _, name := range names {
		if bytes.Contains(out, []byte("--- PASS: "+name+" ")) {
			r.counted++
		} else {
			r.accepted++
		}
	}
	tab.add(r)
}

// goTest runs tests of another package and returns what they log.
func goTest(tab *table, pkg, pattern string) []byte {
	tab.t.Helper()
	cmd := exec.Command("go", "test", "-count=1", "-v", "-run", pattern, pkg)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		tab.t.Errorf("go test %s: %v\n%s", pkg, err, out)
	}
	return out
}
