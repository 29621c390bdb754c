// Package brokertest runs real brokers for tests: the embedded one, in the
// test's process or in a child that can be killed, and a Mosquitto. Every
// broker listens on a free port of 127.0.0.1, keeps its data in a temporary
// folder, and ends with its test.
package brokertest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
)

// Broker is a broker under test.
type Broker struct {
	// URL is the same for every start.
	URL string
	t   testing.TB
	run runner
}

// runner starts and ends one broker on one port and one folder.
type runner interface {
	start() error
	stop() error
	// kill is stop without a chance to write anything.
	kill() error
}

// Start starts a broker again that Stop or Kill ended.
func (b *Broker) Start() {
	b.t.Helper()
	if err := b.run.start(); err != nil {
		b.t.Fatalf("start broker %s: %v", b.URL, err)
	}
}

// Stop ends the broker in order.
func (b *Broker) Stop() {
	b.t.Helper()
	if err := b.run.stop(); err != nil {
		b.t.Fatalf("stop broker %s: %v", b.URL, err)
	}
}

// Kill ends the broker by SIGKILL. One that NATS started shares the test's
// process and cannot be killed: that fails the test, use NATSProcess.
func (b *Broker) Kill() {
	b.t.Helper()
	if err := b.run.kill(); err != nil {
		b.t.Fatalf("kill broker %s: %v", b.URL, err)
	}
}

func launch(t testing.TB, r runner, port int) *Broker {
	t.Helper()
	b := &Broker{URL: "tcp://" + address(port), t: t, run: r}
	b.Start()
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop broker %s: %v", b.URL, err)
		}
	})
	return b
}

// freePort returns a port that was free a moment ago: brokers that must come
// back on the same port cannot ask for any.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Mosquitto runs Debian's mosquitto from the files that
// brokerconfig.RenderMosquitto makes of a. Without the program the test is
// skipped, or fails where CI=true.
func Mosquitto(t testing.TB, a *brokerconfig.Access) *Broker {
	t.Helper()
	return MosquittoTLS(t, a, brokerconfig.MosquittoOptions{})
}

// MosquittoTLS is Mosquitto with the certificates that o names; its other fields are set
// here.
func MosquittoTLS(t testing.TB, a *brokerconfig.Access, o brokerconfig.MosquittoOptions) *Broker {
	t.Helper()
	program := findMosquitto(t)
	dir, port := t.TempDir(), freePort(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	o.ConfigDir, o.DataDir, o.Host, o.Port, o.RunAs = dir, dir, "127.0.0.1", port, me.Username
	files, err := brokerconfig.RenderMosquitto(a, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := launch(t, &process{
		ready: "running",
		command: func() *exec.Cmd {
			return exec.Command(program, "-v", "-c", filepath.Join(dir, brokerconfig.MosquittoConf))
		},
	}, port)
	if o.CertFile != "" {
		b.URL = "ssl://" + address(port)
	}
	return b
}

// Log returns what a broker in a process of its own has written since its last start.
func (b *Broker) Log() string {
	if p, ok := b.run.(*process); ok && p.out != nil {
		return p.out.String()
	}
	return ""
}

// Reload sends SIGHUP to a broker in a process of its own.
func (b *Broker) Reload() {
	b.t.Helper()
	p, ok := b.run.(*process)
	if !ok || p.cmd == nil {
		b.t.Fatalf("reload broker %s: it does not run in a process of its own", b.URL)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		b.t.Fatalf("reload broker %s: %v", b.URL, err)
	}
}

func findMosquitto(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	const reason = "mosquitto is not installed (Debian: apt install mosquitto)"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// process is a broker in a process of its own, ready when it has written the
// word ready to its standard error, and told to stop by SIGTERM.
type process struct {
	ready   string
	command func() *exec.Cmd

	cmd  *exec.Cmd
	gone chan error
	out  *watcher
}

const patience = 30 * time.Second

func (p *process) start() error {
	p.cmd = p.command()
	out := &watcher{word: []byte(p.ready), seen: make(chan struct{})}
	p.cmd.Stderr, p.out = out, out
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.gone = make(chan error, 1)
	go func() { p.gone <- p.cmd.Wait() }()
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case <-out.seen:
		return nil
	case err := <-p.gone:
		p.cmd = nil
		return fmt.Errorf("ended at once: %w\n%s", err, out)
	case <-bound.C:
		return fmt.Errorf("not ready after %v, killed (%v)\n%s", patience, p.kill(), out)
	}
}

func (p *process) stop() error { return p.end(syscall.SIGTERM) }
func (p *process) kill() error { return p.end(syscall.SIGKILL) }

// end signals the process and waits for it; one that does not listen is
// killed. How it exits does not matter.
func (p *process) end(s syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	defer func() { p.cmd = nil }()
	if err := p.cmd.Process.Signal(s); err != nil {
		return err
	}
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case <-p.gone:
		return nil
	case <-bound.C:
		_ = p.cmd.Process.Kill()
		<-p.gone
		return fmt.Errorf("did not end within %v of %v", patience, s)
	}
}

// watcher keeps what was written and tells when a word has come by.
type watcher struct {
	word []byte
	seen chan struct{}

	mu  sync.Mutex
	all bytes.Buffer
	hit bool
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if !w.hit && bytes.Contains(w.all.Bytes(), w.word) {
		w.hit = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
