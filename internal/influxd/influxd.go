// Package influxd starts and stops the InfluxDB 1.8 that `make bin/influxd`
// builds, as a child of this process, for `citygrid demo` and for tests. It
// listens on the loopback interface unless told otherwise, reports nothing to
// its maker and keeps everything below one folder.
//
// A city runs its own InfluxDB; nothing here is meant for that.
package influxd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"citygrid/internal/child"
)

// Options say what to start.
type Options struct {
	// Binary is the path of influxd; empty means Find.
	Binary string
	// Dir holds the configuration and all data; it is created when absent.
	// One server at a time may use it. Its path must not contain * ? [ or \.
	Dir string
	// Host is the address to listen on; empty means 127.0.0.1.
	Host string
	// Port is the TCP port; 0 lets the system choose a free one.
	Port int
	// Backup is the address for Copy and PutBack, which InfluxDB gives to anybody who
	// reaches it; empty means a free port of the loopback interface.
	Backup string
	// Database is created when absent; empty means "citygrid". Its alphabet is
	// [0-9A-Za-z_-].
	Database string
	// User and Password switch authentication on when User is not empty: the
	// user is created as administrator.
	User, Password string
	// Log receives the server's log, line by line; nil discards it. It is
	// written to from one goroutine at a time.
	Log io.Writer
}

// stopTimeout is how long Stop waits for an orderly end: a snapshot of the
// write cache can be a gigabyte.
const stopTimeout = 20 * time.Second

var databasePattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// Server is a running influxd. Its methods may be called from any goroutine.
type Server struct {
	url   string
	child *child.Process
	log   *logLines
}

// Start runs influxd on o.Dir and returns when it answers and o.Database
// exists. ctx bounds the start only: the server runs until Stop or Kill, or, on
// Linux, until this process ends, however it ends.
//
// The error names what the operator can mend: a missing program, a folder that
// cannot be written, a port in use; otherwise it carries the server's last
// words.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start influxd: %w", err)
	}
	path, err := writeConfig(o)
	if err != nil {
		return nil, fmt.Errorf("start influxd: %w", err)
	}
	if err := errors.Join(sealLogs(o.Dir), mendManifests(o.Dir)); err != nil {
		return nil, fmt.Errorf("start influxd: %w", err)
	}
	s, err := startOnce(ctx, o, path)
	if errors.Is(err, errIndexBroken) {
		if err := dropIndexes(o.Dir); err != nil {
			return nil, fmt.Errorf("start influxd: %w", err)
		}
		return startOnce(ctx, o, path)
	}
	return s, err
}

func startOnce(ctx context.Context, o Options, configPath string) (*Server, error) {
	s, err := launch(o, configPath)
	if err != nil {
		return nil, fmt.Errorf("start influxd: %w", err)
	}
	if err := s.waitReady(ctx, o); err != nil {
		s.Kill()
		return nil, fmt.Errorf("start influxd on %s: %w", o.Dir, err)
	}
	return s, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Binary == "" {
		path, err := Find()
		if err != nil {
			return o, err
		}
		o.Binary = path
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Database == "" {
		o.Database = "citygrid"
	}
	if o.Backup == "" {
		o.Backup = "127.0.0.1:0"
	}
	if !databasePattern.MatchString(o.Database) {
		return o, fmt.Errorf("database name %q: want 1 to 64 of 0-9 A-Z a-z _ -", o.Database)
	}
	if o.Dir == "" {
		return o, errors.New("no folder given for its data")
	}
	if o.Port < 0 || o.Port > 65535 {
		return o, fmt.Errorf("port %d is outside 0..65535", o.Port)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, err
	}
	o.Dir = dir
	return o, checkDir(dir)
}

// checkDir refuses folders in which InfluxDB 1.8 would not find its own
// write-ahead log after a restart: it takes the whole path for a pattern
// (tsdb/engine/tsm1, segmentFileNames).
func checkDir(dir string) error {
	special := "*?[\\"
	if filepath.Separator == '\\' {
		special = "*?["
	}
	if strings.ContainsAny(dir, special) {
		return fmt.Errorf("folder %s: InfluxDB cannot use a path with any of %s; choose another folder", dir, special)
	}
	return nil
}

// launch starts the child and the goroutine that owns it.
func launch(o Options, configPath string) (*Server, error) {
	lines := newLogLines(o.Log)
	cmd := exec.Command(o.Binary, "run", "-config", configPath)
	cmd.Dir = o.Dir
	// Only what the configuration file says: INFLUXDB_* variables of the
	// caller would override it.
	cmd.Env = []string{"HOME=" + o.Dir, "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = lines, lines
	p, err := child.Start("influxd", cmd)
	if err != nil {
		return nil, fmt.Errorf("%w; build it with `make bin/influxd`", err)
	}
	return &Server{child: p, log: lines}, nil
}

func (s *Server) waitReady(ctx context.Context, o Options) error {
	select {
	case addr := <-s.log.addr:
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("its log names the address %q: %w", addr, err)
		}
		s.url = "http://" + net.JoinHostPort(o.Host, port)
	case <-s.child.Done():
		return s.explainExit(o)
	case <-ctx.Done():
		return fmt.Errorf("wait for its HTTP port: %w%s", context.Cause(ctx), s.log.lastWords())
	}
	return s.prepare(ctx, o)
}

// explainExit turns an early end into what the operator can do about it.
func (s *Server) explainExit(o Options) error {
	if s.log.contains("address already in use") {
		return fmt.Errorf("port %d of %s is in use by another program: stop that program or choose another port", o.Port, o.Host)
	}
	err := fmt.Errorf("it ended by itself (%s)%s", s.child.State(), s.log.lastWords())
	if s.log.contains(indexTrace) {
		return fmt.Errorf("%w: %w", errIndexBroken, err)
	}
	return err
}

// URL returns the base address, such as "http://127.0.0.1:41234".
func (s *Server) URL() string { return s.url }

// Port returns the TCP port that the server listens on.
func (s *Server) Port() int {
	_, port, _ := net.SplitHostPort(s.url[len("http://"):])
	n, _ := strconv.Atoi(port)
	return n
}

// Pid returns the child's process id.
func (s *Server) Pid() int { return s.child.Pid() }

// Done is closed when the child has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.child.Done() }

// Stop asks the server to end in good order and waits. When it does not end
// within 20 s it is killed, and the error says so: no acknowledged point is
// lost by that. Stopping a server that has ended already is no error.
func (s *Server) Stop() error { return s.child.Stop(stopTimeout) }

// Kill ends the server at once, as a power cut of the process would, and waits
// until it is gone.
func (s *Server) Kill() { s.child.Kill() }

// Sample measures the server now, or as it was when it ended.
func (s *Server) Sample() child.Usage { return s.child.Sample() }
