// Package child starts programs that must not outlive this one: InfluxDB, the
// parts of the demo, brokers in tests. It stops them in good order and measures
// what they cost.
package child

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a running child. Its methods may be called from any goroutine.
type Process struct {
	name  string
	proc  *os.Process
	done  chan struct{}
	state *os.ProcessState // set before done is closed

	mu   sync.Mutex
	last Usage // the last sample
}

// Usage is what a run of a child cost.
type Usage struct {
	// CPU is user plus system time.
	CPU time.Duration
	// PeakRSS is the largest resident memory in bytes; 0 where the system does
	// not tell.
	PeakRSS int64
}

// Start starts cmd as a child named name. The child gets a process group of
// its own, so that an interrupt typed at the terminal reaches this process
// alone; on Linux it is killed when this process ends, however it ends.
// cmd.SysProcAttr and cmd.WaitDelay are set by Start.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	// A stray grandchild that holds a pipe must not hold us.
	cmd.WaitDelay = time.Second
	p := &Process{name: name, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.own(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// own starts the child and waits for its end. The parent-death signal of Linux
// fires when the thread that forked ends, so that thread is kept for as long
// as the child lives [prctl(2), PR_SET_PDEATHSIG].
func (p *Process) own(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.proc = cmd.Process
	started <- nil
	_ = cmd.Wait() // the state says the same and more
	p.state = cmd.ProcessState
	close(p.done)
}

// Name returns the name given to Start.
func (p *Process) Name() string { return p.name }

// Pid returns the child's process id.
func (p *Process) Pid() int { return p.proc.Pid }

// Done is closed when the child has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how the child ended; nil while it runs.
func (p *Process) State() *os.ProcessState {
	select {
	case <-p.done:
		return p.state
	default:
		return nil
	}
}

// Stop asks the child to end and waits. When it does not end within the
// timeout it is killed, and the error says so; so does that of a child which
// ends with an exit code that tells of a failure. Stopping a child that has
// ended already is no error.
func (p *Process) Stop(timeout time.Duration) error {
	p.Sample()
	if err := p.proc.Signal(syscall.SIGTERM); err != nil {
		p.Kill() // it has ended, or the system knows no SIGTERM
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		if p.state.ExitCode() > 0 { // -1: the signal ended it
			return fmt.Errorf("stop %s (pid %d): it ended with %s", p.name, p.Pid(), p.state)
		}
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("stop %s (pid %d): it did not end within %s and was killed", p.name, p.Pid(), timeout)
	}
}

// Kill ends the child at once (SIGKILL: what it wrote without fsync stays in the
// system's cache, other than after a power cut), and waits until it is
// gone.
func (p *Process) Kill() {
	// An error means that the child has ended already, which is what is wanted.
	_ = p.proc.Kill()
	<-p.done
}

// Sample measures the child now, or as it was when it ended. Stop samples by
// itself; a child that may end by itself should be sampled now and then, because
// its peak memory cannot be had afterwards.
func (p *Process) Sample() Usage {
	now := usageOf(p.Pid())
	p.mu.Lock()
	defer p.mu.Unlock()
	if state := p.State(); state != nil {
		// Its number may be another process's by now: nothing of now is used.
		now = Usage{CPU: state.UserTime() + state.SystemTime()}
	}
	p.last.CPU = max(p.last.CPU, now.CPU)
	p.last.PeakRSS = max(p.last.PeakRSS, now.PeakRSS)
	return p.last
}
