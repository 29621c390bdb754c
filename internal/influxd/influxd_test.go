package influxd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// needBinary returns the program, or skips at a desk and fails in CI.
func needBinary(t *testing.T) string {
	t.Helper()
	path, err := Find()
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

func startContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(startContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func TestStartStopRestart(t *testing.T) {
	o := Options{Binary: needBinary(t), Dir: filepath.Join(t.TempDir(), `a "new" folder`), Log: &bytes.Buffer{}}
	s := mustStart(t, o)
	if u := s.Sample(); u.PeakRSS < 1<<20 {
		t.Errorf("usage before the end is %+v", u)
	}
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") || s.Port() == 0 || s.Pid() == 0 {
		t.Fatalf("url %s, port %d, pid %d", s.URL(), s.Port(), s.Pid())
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if u := s.Sample(); u.CPU <= 0 || u.PeakRSS < 1<<20 {
		t.Errorf("usage after the end is %+v", u)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	if err := s.ping(t.Context()); err == nil {
		t.Error("the server answers after Stop")
	}

	o.Port = s.Port()
	again := mustStart(t, o)
	if again.URL() != s.URL() {
		t.Errorf("restarted on %s, want %s", again.URL(), s.URL())
	}
	again.Kill()
	select {
	case <-again.Done():
	default:
		t.Error("Kill returned before the end")
	}
	mustStart(t, o) // after a kill, on the same folder and port
}

func TestOptionsReachTheServer(t *testing.T) {
	s := mustStart(t, Options{Binary: needBinary(t), Dir: t.TempDir(), Database: "city-2", User: `o"p`, Password: `p'w\`})
	o := Options{User: `o"p`, Password: `p'w\`}
	if err := s.exec(t.Context(), o, `CREATE RETENTION POLICY "r" ON "city-2" DURATION 1d REPLICATION 1`); err != nil {
		t.Error(err)
	}
	if err := s.exec(t.Context(), Options{}, `CREATE DATABASE "x"`); !isRefusal(err) {
		t.Errorf("without credentials: %v, want a refusal", err)
	}
	if err := s.exec(t.Context(), o, `CREATE RETENTION POLICY "r" ON "nowhere" DURATION 1d REPLICATION 1`); err == nil {
		t.Error("an error of a statement was not seen")
	}
}

func TestConfiguration(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	s := mustStart(t, Options{Binary: needBinary(t), Dir: dir, Log: &log})
	resp, err := http.Post(s.URL()+"/write?db=citygrid", "text/plain", strings.NewReader("m,t=1 f=1i 1"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// Only a tsi1 index has a folder of its own in the shard.
	if found, err := filepath.Glob(filepath.Join(dir, "data", "citygrid", "autogen", "*", "index")); err != nil || len(found) != 1 {
		t.Errorf("index folders: %q, %v", found, err)
	}
	if text := log.String(); strings.Contains(text, "addr=[::]") || strings.Contains(text, "_internal") {
		t.Errorf("it listens on every interface, or keeps a database of its own:\n%s", text)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "data", "_internal")); err != nil || len(found) != 0 {
		t.Errorf("a database of its own: %q, %v", found, err)
	}
}

// TestTwoKillsLoseNothing leaves half an entry at the end of the write-ahead
// log twice, which the bare server answers by dropping what was acknowledged in
// between.
func TestTwoKillsLoseNothing(t *testing.T) {
	o := Options{Binary: needBinary(t), Dir: filepath.Join(t.TempDir(), "odd name")}
	for life := range 3 {
		s := mustStart(t, o)
		resp, err := http.Post(s.URL()+"/write?db=citygrid", "text/plain", strings.NewReader("m f=1i "+strconv.Itoa(life)))
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		s.Kill()
		tearLog(t, o.Dir)
	}
	s := mustStart(t, o)
	resp, err := http.Get(s.URL() + "/query?db=citygrid&q=SELECT+count(f)+FROM+m")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"values":[["1970-01-01T00:00:00Z",3]]`) {
		t.Errorf("of three acknowledged points: %s, %v", body, err)
	}
}

// tearLog appends the head of an entry that promises 4,096 bytes.
func tearLog(t *testing.T, dir string) {
	t.Helper()
	var last string
	err := filepath.WalkDir(filepath.Join(dir, "wal"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".wal") {
			last = path
		}
		return err
	})
	if err != nil || last == "" {
		t.Fatalf("no log: %v", err)
	}
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte{1, 0, 0, 16, 0, 42, 42}); err != nil {
		t.Fatal(err)
	}
}

func TestStartErrors(t *testing.T) {
	binary := needBinary(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	tests := []struct {
		name string
		ctx  context.Context
		o    Options
		want string
	}{
		{"port in use", nil, Options{Binary: binary, Port: busy.Addr().(*net.TCPAddr).Port}, "in use by another program"},
		{"no binary", nil, Options{Binary: "/nowhere/influxd"}, "make bin/influxd"},
		{"no program", nil, Options{Binary: "/bin/false"}, "ended by itself"},
		{"folder is a file", nil, Options{Binary: binary, Dir: filepath.Join(file, "sub")}, "choose a folder"},
		{"folder is a pattern", nil, Options{Binary: binary, Dir: filepath.Join(t.TempDir(), "a[1]")}, "cannot use a path"},
		{"bad database", nil, Options{Binary: binary, Database: `x"; DROP`}, "database name"},
		{"bad port", nil, Options{Binary: binary, Port: 65536}, "outside 0..65535"},
		{"cancelled", cancelled, Options{Binary: binary}, "context canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.Dir == "" {
				tt.o.Dir = t.TempDir()
			}
			ctx := tt.ctx
			if ctx == nil {
				ctx = startContext(t)
			}
			s, err := Start(ctx, tt.o)
			if err == nil {
				s.Kill()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
	if _, err := Start(t.Context(), Options{Binary: binary}); err == nil {
		t.Error("started without a folder")
	}
}

func TestFindUp(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	for _, dir := range []string{deep, filepath.Join(root, "bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(root, "bin", "influxd")
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, ok := findUp(deep, "influxd"); ok {
		t.Errorf("found %s, which cannot be run", p)
	}
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	if p, ok := findUp(deep, "influxd"); !ok || p != program {
		t.Errorf("found %q, %v", p, ok)
	}
	// The root of a module ends the search.
	if err := os.WriteFile(filepath.Join(root, "a", "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, ok := findUp(deep, "influxd"); ok {
		t.Errorf("found %s above the module", p)
	}
}

func TestListenAddr(t *testing.T) {
	tests := []struct {
		line, want string
		ok         bool
	}{
		{`ts=2026-01-02T03:04:05.1Z lvl=info msg="Listening on HTTP" log_id=0x service=httpd addr=127.0.0.1:38483 https=false`, "127.0.0.1:38483", true},
		{`ts=2026-01-02T03:04:05.1Z lvl=info msg="Listening on HTTP" log_id=0x service=httpd addr=[::1]:9 https=false`, "[::1]:9", true},
		{`msg="Listening for signals" addr=1.2.3.4:5`, "", false},
		{`msg="Listening on HTTP"`, "", false},
	}
	for _, tt := range tests {
		if got, ok := listenAddr(tt.line); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.line, got, ok)
		}
	}
}

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	l := newLogLines(&out)
	for i := range 2 * tailLines {
		text := "line " + strconv.Itoa(i) + "\n"
		l.Write([]byte(text[:3])) // a line may come in pieces
		l.Write([]byte(text[3:]))
	}
	l.Write(bytes.Repeat([]byte{'x'}, 3*maxLine))
	if len(l.tail) != tailLines || l.contains("line 0\n") || !l.contains("line 15") {
		t.Errorf("tail is %q", l.lastWords())
	}
	if len(l.part) >= maxLine {
		t.Errorf("%d bytes of an endless line are kept", len(l.part))
	}
	if n := strings.Count(out.String(), "\n"); n != 2*tailLines {
		t.Errorf("%d lines were passed on", n)
	}
}

// TestChildDiesWithParent runs this test program as a parent, kills it and
// waits until the store that it had started is gone too.
func TestChildDiesWithParent(t *testing.T) {
	if dir := os.Getenv("INFLUXD_TEST_PARENT"); dir != "" {
		s, err := Start(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("\nURL " + s.URL() + "\n")
		<-s.Done()
		return
	}
	needBinary(t)
	if runtime.GOOS != "linux" {
		t.Skip("this system knows no signal on the death of the parent")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	cmd.Env = append(os.Environ(), "INFLUXD_TEST_PARENT="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url := urlFrom(t, bufio.NewScanner(out))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitGone(t, url)
}

func urlFrom(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "URL "); ok {
			return url
		}
	}
	t.Fatal("the parent ended without a URL")
	return ""
}

func waitGone(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the child outlives its parent")
		}
		if err != nil {
			return
		}
		resp.Body.Close()
	}
}
