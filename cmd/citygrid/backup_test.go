package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/internal/backup"
	"citygrid/internal/city"
	"citygrid/internal/influxd"
	"citygrid/internal/pgtest"
)

// commandsOf are the lines of the shell blocks under a heading of docs/operations.md.
func commandsOf(t *testing.T, heading string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, ok := strings.Cut(string(text), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("docs/operations.md has no %q", heading)
	}
	chapter = regexp.MustCompile(`(?m)^#{2,3} `).Split(chapter, 2)[0]
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(chapter, -1) {
		for line := range strings.Lines(block[1]) {
			if line, _, _ = strings.Cut(line, "  #"); strings.TrimSpace(line) != "" {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

// site is a hub in a folder, to which the commands of the manual are done.
type site struct {
	t      *testing.T
	dir    string
	broker string // its address
	ready  city.Ready
	end    func()
}

// do does a line of the manual: our own commands here, the others by a shell.
func (s *site) do(line string) {
	s.t.Helper()
	words := strings.Fields(line)
	switch {
	case line == "systemctl stop citygrid-hub":
		s.end()
	case line == "systemctl start citygrid-hub":
		s.ready, s.end = startCommand(s.t, "hub", "-c", "hub.yaml")
		until(s.t, s.ready.URL, "all its parts", func(_ int, r api.ReadyJSON) bool { return r.Ready })
	case words[0] == "citygrid":
		root := newRoot()
		var said bytes.Buffer
		root.SetArgs(words[1:])
		root.SetOut(&said)
		root.SilenceErrors, root.SilenceUsage = true, true
		if err := root.ExecuteContext(s.t.Context()); err != nil {
			s.t.Fatalf("%s: %v\n%s", line, err, said.String())
		}
	default:
		cmd := exec.Command("sh", "-ec", line)
		cmd.Dir = s.dir
		if said, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v\n%s", line, err, said)
		}
	}
}

// stored asks the hub which readings of P-1 it has since from.
func (s *site) stored(from time.Time) (times []time.Time) {
	s.t.Helper()
	url := fmt.Sprintf("%s/api/v1/meters/P-1/readings?quantity=power.voltage.l1&from=%s&to=%s", s.ready.URL,
		from.UTC().Format(time.RFC3339), time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
	answer, err := http.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		Points []struct {
			At    time.Time `json:"at"`
			Count int64     `json:"count"`
		} `json:"points"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	for _, one := range body.Points {
		if one.Count > 0 {
			times = append(times, one.At.UTC())
		}
	}
	return times
}

// receipted publishes an envelope and waits for its receipt.
func (s *site) receipted(what string, envelope []byte) {
	s.t.Helper()
	receipts := make(chan []byte, 4)
	publishSealed(s.t, s.dir, "tcp://"+s.broker, envelope, receipts)
	select {
	case <-receipts:
	case <-time.After(patience):
		s.t.Fatalf("no receipt for %s", what)
	}
}

// TestTheManualsBackup does what docs/operations.md says, line by line: a copy of a
// running hub, its end, and its return from the copy. What was copied is there again,
// and what came later is taken when it is sent again, though it had been receipted.
func TestTheManualsBackup(t *testing.T) {
	program, err := influxd.Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := &site{t: t, dir: t.TempDir(), broker: freePort(t)}
	file := hubFile(t, s.dir, s.broker, "http://unused")
	if err := os.Mkdir(filepath.Join(s.dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(s.dir, "bin", "influxd")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`influx: {url: "http://unused"}`), fmt.Appendf(nil, `influx: {bundled: true, backup: %q}
ledger: {dsn: "sqlite:ledger.db", city: Test, people: [{name: Zhang, roles: [clerk], token: "sha256:%064d"}]}
grid: {dsn: "sqlite:grid.db", media: {dir: media}}
accounts: {dsn: "sqlite:accounts.db", tour: true}
`, freePort(t), 1), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	letters := filepath.Join(s.dir, "data", "dead-letters.jsonl.1")
	if err := errors.Join(os.Mkdir(filepath.Dir(letters), 0o700), os.WriteFile(letters, []byte("{}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	back, forth := commandsOf(t, "### Taking a copy"), commandsOf(t, "### Going back to a copy")
	t.Chdir(s.dir)
	s.do("systemctl start citygrid-hub")
	begin := time.Now().Add(-time.Minute)
	before, after := time.Now().UTC().Truncate(time.Millisecond), time.Now().UTC().Truncate(time.Millisecond).Add(time.Second)
	first, second := sealedBatch(t, s.dir, 1, before), sealedBatch(t, s.dir, 2, after)
	s.receipted("the first batch", first)

	if len(back) == 0 || !strings.HasPrefix(back[0], "citygrid backup ") {
		t.Fatalf("commands %q", back)
	}
	for _, line := range back {
		s.do(line)
	}
	s.hasAll(strings.Fields(back[0])[5])
	s.receipted("the second batch", second)
	if got := s.stored(begin); !slices.Equal(got, []time.Time{before, after}) {
		t.Fatalf("stored %v", got)
	}
	for _, line := range forth {
		s.do(line)
		if strings.HasPrefix(line, "citygrid restore ") { // the hub makes what it does not find
			s.cameBack(filepath.Join(strings.Fields(back[0])[5], "replay", "replay"), filepath.Join("data", "replay"))
		}
	}
	if got := s.stored(begin); !slices.Equal(got, []time.Time{before}) {
		t.Errorf("after going back: %v, want %v", got, before)
	}
	s.receipted("the second batch again", second)
	if got := s.stored(begin); !slices.Equal(got, []time.Time{before, after}) {
		t.Errorf("sent again: %v, want both", got)
	}
	for _, path := range []string{"ledger.db", "grid.db", "accounts.db", letters} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// cameBack checks that a folder has what its copy has.
func (s *site) cameBack(from, to string) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		rel, bad := filepath.Rel(from, path)
		want, unread := os.ReadFile(path)
		got, absent := os.ReadFile(filepath.Join(to, rel))
		if !bytes.Equal(got, want) {
			s.t.Errorf("%s is not as it was copied", rel)
		}
		return errors.Join(bad, unread, absent)
	})
	if err != nil || files == 0 {
		s.t.Errorf("%d files of %s, %v", files, to, err)
	}
}

// hasAll checks that a copy has every part of a hub, the replay state first, and of each
// at least one file.
func (s *site) hasAll(dir string) {
	s.t.Helper()
	m, err := backup.Check(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if want := []string{"replay", "keys", "config", "ledger.db", "grid.db", "accounts.db", "completeness.db", "media", "refused", "readings"}; !slices.Equal(m.Parts, want) || len(m.Missing) > 0 {
		s.t.Errorf("the copy has %q without %q, want %q", m.Parts, m.Missing, want)
	}
	for _, part := range m.Parts {
		has := func(f backup.File) bool { return f.Size > 0 && (f.Path == part || strings.HasPrefix(f.Path, part+"/")) }
		if part != "media" && !slices.ContainsFunc(m.Files, has) { // nobody took a photo
			s.t.Errorf("nothing of %s is in the copy", part)
		}
	}
}

// TestTheManualsPostgreSQL does the same for a database in PostgreSQL.
func TestTheManualsPostgreSQL(t *testing.T) {
	start := sync.OnceValues(pgtest.Start)
	t.Setenv("DATABASE", pgtest.Need(t, start))
	t.Setenv("EMPTY", pgtest.Need(t, start))
	if server, err := start(); err == nil {
		t.Cleanup(func() { _ = server.Stop() })
	}
	lines := commandsOf(t, "### PostgreSQL")
	if len(lines) != 2 {
		t.Fatalf("commands %q", lines)
	}
	s := &site{t: t, dir: t.TempDir()}
	s.do(`psql --quiet --dbname="$DATABASE" --command="CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7)"`)
	for _, line := range lines {
		s.do(line)
	}
	s.do(`test "$(psql --quiet --tuples-only --no-align --dbname="$EMPTY" --command="SELECT n FROM t")" = 7`)
}
