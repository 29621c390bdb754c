// Package pgtest starts a PostgreSQL of its own for tests and benchmarks: a new,
// empty cluster in a temporary folder, reached by a socket in that folder and by no
// port, gone when it is stopped. Debian's packages postgresql-15 or newer give the
// programs; no service of the machine is touched.
package pgtest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"citygrid/internal/child"
)

// ErrAbsent says that no PostgreSQL is on this machine.
var ErrAbsent = errors.New("no PostgreSQL in /usr/lib/postgresql; install Debian's package postgresql-15")

// startTimeout bounds the wait for the socket, stopTimeout that for an orderly end.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 90 * time.Second
)

// Server is a running PostgreSQL.
type Server struct {
	bin, dir string
	wrap     []string
	proc     *child.Process
	mu       sync.Mutex
	made     int
}

// Start makes a cluster and starts its server. It listens on no port. The caller
// stops it.
func Start() (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	wrap, owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	s := &Server{bin: bin, dir: dir, wrap: wrap}
	if err := s.start(owner); err != nil {
		_ = os.RemoveAll(dir) // the first error says more
		return nil, err
	}
	return s, nil
}

// find returns the folder of the programs of the newest version.
func find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", ErrAbsent
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged returns the words before a command that run it as somebody whom
// PostgreSQL accepts: it refuses root. setpriv keeps the process id, and sets the
// parent-death signal again, which the kernel clears when the user changes
// [prctl(2), PR_SET_PDEATHSIG].
func unprivileged() (wrap []string, uid int, err error) {
	if os.Geteuid() != 0 {
		return nil, os.Geteuid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, 0, fmt.Errorf("%w: its user is missing: %w", ErrAbsent, err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return nil, 0, fmt.Errorf("user postgres: %w", err)
	}
	return []string{"setpriv", "--reuid", u.Uid, "--regid", u.Gid, "--clear-groups", "--pdeathsig", "KILL"}, uid, nil
}

func (s *Server) start(owner int) error {
	if err := os.Chown(s.dir, owner, -1); err != nil {
		return fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	// Whoever may enter the folder is trusted, and it is 0700.
	if out, err := s.command("initdb", "-D", filepath.Join(s.dir, "data"), "-U", "citygrid", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Errorf("log of PostgreSQL: %w", err)
	}
	defer log.Close()
	cmd := s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=",
		"-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB")
	cmd.Stdout, cmd.Stderr = log, log
	if s.proc, err = child.Start("postgres", cmd); err != nil {
		return err
	}
	return s.await()
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	line := append(slices.Clone(s.wrap), filepath.Join(s.bin, program))
	line = append(line, args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = s.dir
	return cmd
}

// await returns when the server takes connections. The socket alone does not say
// so: it is there a moment before.
func (s *Server) await() error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(startTimeout); time.Now().Before(limit); {
		select {
		case <-s.proc.Done():
			return fmt.Errorf("PostgreSQL ended at once: %s", s.log())
		case <-tick.C:
		}
		c, err := net.Dial("unix", filepath.Join(s.dir, ".s.PGSQL.5432"))
		if err != nil {
			continue
		}
		_ = c.Close()
		if s.command("pg_isready", "-h", s.dir, "-q").Run() == nil {
			return nil
		}
	}
	s.proc.Kill()
	return fmt.Errorf("PostgreSQL takes no connection after %s: %s", startTimeout, s.log())
}

func (s *Server) log() []byte {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// Database creates a new, empty database and returns how to reach it, as a
// postgres:// address.
func (s *Server) Database() (string, error) {
	s.mu.Lock()
	s.made++
	name := fmt.Sprintf("test%d", s.made)
	s.mu.Unlock()
	if out, err := s.command("createdb", "-h", s.dir, "-U", "citygrid", name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("createdb %s: %w: %s", name, err, out)
	}
	u := url.URL{Scheme: "postgres", User: url.User("citygrid"), Path: "/" + name,
		RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String(), nil
}

// Usage says what the server's first process cost so far.
func (s *Server) Usage() child.Usage { return s.proc.Sample() }

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	err := s.proc.Stop(stopTimeout)
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Need returns a new database of s, made by the first call of start, which is
// usually sync.OnceValues(pgtest.Start) kept by the test file. Without PostgreSQL
// the test is skipped at a desk and fails where the environment says CI=true.
func Need(tb testing.TB, start func() (*Server, error)) string {
	tb.Helper()
	s, err := start()
	switch {
	case errors.Is(err, ErrAbsent) && os.Getenv("CI") != "true":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	dsn, err := s.Database()
	if err != nil {
		tb.Fatal(err)
	}
	return dsn
}
