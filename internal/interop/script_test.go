package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/internal/child"
)

// debianPython is the interpreter that Debian's packages are for; another one
// that comes first in PATH does not know them.
const debianPython = "/usr/bin/python3"

// absent skips the test on a desk, and fails it where everything must run.
func absent(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// script runs a program of testdata with a job on its stdin until the test ends,
// and returns the first line that it prints.
func script(t *testing.T, name string, job any) string {
	t.Helper()
	if _, err := os.Stat(debianPython); err != nil {
		absent(t, "no "+debianPython+": apt-get install python3")
	}
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(debianPython, "-I", filepath.Join("testdata", name))
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(text)+"\n"), &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := child.Start(name, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	cut := time.AfterFunc(30*time.Second, p.Kill)
	defer cut.Stop()
	first, err := bufio.NewReader(out).ReadString('\n')
	if reason, ok := strings.CutPrefix(first, "missing "); ok {
		absent(t, strings.TrimSpace(reason))
	}
	if err != nil {
		p.Kill() // what it said is whole then
		t.Fatalf("%s ended without a word: %v\n%s", name, err, said.String())
	}
	return strings.TrimSpace(first)
}

// slaves runs a program that says where it serves.
func slaves(t *testing.T, name string, job any) (address string) {
	t.Helper()
	said := script(t, name, job)
	address, ok := strings.CutPrefix(said, "ready ")
	if !ok {
		t.Fatalf("%s said %q", name, said)
	}
	return address
}
