package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/collector"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas/seal"
)

// box is a folder with a bundle and a configuration whose meter and broker are
// not there.
func box(t *testing.T, metrics string) (configFile string) {
	t.Helper()
	dir := t.TempDir()
	master, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Issue(master, "310115", "c1", 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.WriteBundle(filepath.Join(dir, "box.bundle"), bundle); err != nil {
		t.Fatal(err)
	}
	configFile = filepath.Join(dir, "c.yaml")
	text := fmt.Sprintf(`{collector: c1, bundle: box.bundle, data_dir: data, interval: 15m, metrics: %q,
broker: {url: "tcp://127.0.0.1:1"},
lines: [{name: a, address: "127.0.0.1:2", meters: [{id: P-1, unit: 1, profile: eastron-sdm630}]}]}`, metrics)
	if err := os.WriteFile(configFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return configFile
}

func mustAssemble(t *testing.T, path string) *program {
	t.Helper()
	p, err := assemble(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// TestRun starts the program as the demo does: it says where its metrics are,
// answers there, and leaves its counters when it is told to stop.
func TestRun(t *testing.T) {
	path := box(t, "127.0.0.1:0")
	p := mustAssemble(t, path)
	summary := filepath.Join(t.TempDir(), "summary.json")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx, write, summary); _ = write.Close() }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatalf("%v, run: %v", err, <-ended)
	}
	var ready struct{ Ready, Metrics string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Ready != "collector" {
		t.Fatalf("first line %q: %v", line, err)
	}
	base := "http://" + ready.Metrics
	for _, tt := range []struct {
		path, want string
		status     int
	}{
		{"/healthz", "ok", http.StatusOK},
		{"/readyz", "broker: not connected", http.StatusServiceUnavailable},
		{"/metrics", "citygrid_collector_reads_done_total 0", http.StatusOK},
		{"/metrics", "citygrid_spool_records 0", http.StatusOK},
		{"/summary", `"reads_done":0`, http.StatusOK},
		{"/other", "not found", http.StatusNotFound},
	} {
		if status, body := get(t, base+tt.path); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %.200q, want %d %q", tt.path, status, body, tt.status, tt.want)
		}
	}
	// Another one on the same folder is a failure while running: exit code 1.
	if err := mustAssemble(t, path).run(ctx, io.Discard, ""); !errors.Is(err, durable.ErrLocked) || cli.ExitCode(err) != 1 {
		t.Errorf("a second collector: %v", err)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	var s collector.Summary
	if err := json.Unmarshal(data, &s); err != nil {
		t.Errorf("summary %s: %v", data, err)
	}
	if _, err := http.Get(base + "/healthz"); err == nil {
		t.Error("the metrics are served after the end")
	}
}

func TestRunErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	path := box(t, busy.Addr().String())
	if err := mustAssemble(t, path).run(t.Context(), io.Discard, ""); err == nil || cli.ExitCode(err) != 1 ||
		!strings.Contains(err.Error(), "metrics: "+busy.Addr().String()) {
		t.Errorf("a metrics port that is taken: %v", err)
	}
	// The refusal has freed the folder.
	done, cancel := context.WithCancel(t.Context())
	cancel()
	path2 := mustAssemble(t, path)
	path2.metrics = ""
	if err := path2.run(done, io.Discard, ""); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	path3 := mustAssemble(t, path)
	path3.metrics = ""
	if err := path3.run(done, io.Discard, filepath.Join(t.TempDir(), "nowhere", "s.json")); err == nil || cli.ExitCode(err) != 1 {
		t.Errorf("a summary that cannot be written: %v", err)
	}
}
