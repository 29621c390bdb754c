package child

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleEnv makes this test program play a child.
const roleEnv = "CITYGRID_CHILD_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	play(role)
}

// play is the life of a child: it does what its role is, says that it is ready
// and waits to be ended.
func play(role string) {
	switch role {
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "busy":
		ballast := bytes.Repeat([]byte("citygrid"), 8<<20) // 64 MiB
		for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; {
			ballast[len(ballast)/2]++
		}
		runtime.KeepAlive(ballast)
	case "failing":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("ready")
		<-asked
		os.Exit(3)
	case "short":
		os.Exit(7)
	case "parent":
		p, err := Start("grandchild", program("idle"))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("pid", p.Pid())
	case "holder":
		cmd := program("idle")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("pid", cmd.Process.Pid)
	}
	fmt.Println("ready")
	<-time.After(time.Minute) // longer than any test
}

// program is this test program in a role.
func program(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}

// mustStart starts a child and waits until it is ready. It returns the lines
// that came before.
func mustStart(t *testing.T, role string) (p *Process, lines []string) {
	t.Helper()
	cmd := program(role)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	cmd.Stdout = write
	p, err = Start("the "+role, cmd)
	_ = write.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	for out := bufio.NewScanner(read); out.Scan(); lines = append(lines, out.Text()) {
		if out.Text() == "ready" {
			return p, lines
		}
	}
	t.Fatalf("the %s ended before it was ready: %q", role, lines)
	return nil, nil
}

func ended(p *Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func TestStopAsksInOrder(t *testing.T) {
	p, _ := mustStart(t, "idle")
	if p.Name() != "the idle" || p.Pid() <= 0 || p.State() != nil || ended(p) {
		t.Errorf("name %q, pid %d, state %v, ended %v", p.Name(), p.Pid(), p.State(), ended(p))
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Fatal(err)
	}
	status, ok := p.State().Sys().(syscall.WaitStatus)
	if !ended(p) || !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended %v by %v, want SIGTERM", ended(p), p.State())
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	p.Kill() // no harm
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	p, _ := mustStart(t, "stubborn")
	err := p.Stop(10 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "the stubborn") || !strings.Contains(err.Error(), strconv.Itoa(p.Pid())) {
		t.Errorf("error %v, want the child's name and pid", err)
	}
	if status, ok := p.State().Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v, want SIGKILL", p.State())
	}
}

func TestStopTellsAFailedEnd(t *testing.T) {
	p, _ := mustStart(t, "failing")
	if err := p.Stop(10 * time.Second); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v, want the exit code", err)
	}
}

func TestKillWaitsForTheEnd(t *testing.T) {
	p, _ := mustStart(t, "idle")
	p.Kill()
	if !ended(p) || p.State() == nil {
		t.Error("Kill returned before the end")
	}
}

func TestEndByItself(t *testing.T) {
	p, err := Start("short", program("short"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if code := p.State().ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Errorf("Stop of a child that has ended: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	_, err := Start("ghost", exec.Command("/nowhere/ghost"))
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "start ghost: ") {
		t.Errorf("error %v", err)
	}
}

func TestSample(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not measure a running child")
	}
	p, _ := mustStart(t, "busy")
	running := p.Sample()
	if running.PeakRSS < 64<<20 || running.PeakRSS > 1<<30 {
		t.Errorf("peak memory %d bytes, want 64 MiB and the runtime's", running.PeakRSS)
	}
	if running.CPU < 50*time.Millisecond || running.CPU > time.Minute {
		t.Errorf("CPU time %s, want some 200 ms", running.CPU)
	}
	p.Kill()
	after := p.Sample()
	if after.PeakRSS != running.PeakRSS || after.CPU < running.CPU {
		t.Errorf("after the end %+v, before %+v: what was measured is kept", after, running)
	}
}

// lines hands on what is written, a line at a time.
type lines struct {
	rest []byte
	out  chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.out <- string(line)
		l.rest = rest
	}
}

// A grandchild that holds the child's output must not hold Stop.
func TestGrandchildHoldsNobody(t *testing.T) {
	out := &lines{out: make(chan string, 10)} // not a file: os/exec copies until every holder has ended
	cmd := program("holder")
	cmd.Stdout = out
	p, err := Start("holder", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	pid, err := strconv.Atoi(strings.TrimPrefix(<-out.out, "pid "))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	for line := ""; line != "ready"; line = <-out.out { // the child's or the grandchild's
	}
	begun := time.Now()
	if err := p.Stop(30 * time.Second); err != nil || time.Since(begun) > 20*time.Second {
		t.Errorf("Stop took %s: %v", time.Since(begun), err)
	}
	if runtime.GOOS == "linux" && !alive(pid) {
		t.Error("the grandchild does not hold the output any more: this test shows nothing")
	}
}

// TestChildDiesWithParent kills a parent and waits until the child that it had
// started is gone too.
func TestChildDiesWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system knows no signal on the death of the parent")
	}
	parent, lines := mustStart(t, "parent")
	if len(lines) != 1 {
		t.Fatalf("output %q", lines)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(lines[0], "pid "))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the grandchild does not run")
	}
	parent.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child outlives its parent")
		}
	}
}

// alive reports whether the process runs. A zombie, which nobody here can wait
// for, does not [proc(5)].
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
