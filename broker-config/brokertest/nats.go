package brokertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	brokerconfig "citygrid/broker-config"
)

// NATS runs the embedded broker in the test's process.
func NATS(t testing.TB, a *brokerconfig.Access) *Broker {
	t.Helper()
	port := freePort(t)
	return launch(t, &inProcess{options: brokerconfig.Options{Dir: t.TempDir(), Port: port, Access: a}}, port)
}

type inProcess struct {
	options brokerconfig.Options
	broker  *brokerconfig.Broker
}

func (r *inProcess) start() (err error) {
	r.broker, err = brokerconfig.Start(context.Background(), r.options)
	return err
}

func (r *inProcess) stop() error {
	if r.broker == nil {
		return nil
	}
	defer func() { r.broker = nil }()
	return r.broker.Close()
}

func (r *inProcess) kill() error {
	return errors.New("it runs in the test's process; use NATSProcess")
}

// childEnv holds a child's orders, as JSON.
const childEnv = "CITYGRID_BROKERTEST_CHILD"

type orders struct {
	Dir    string
	Port   int
	Access *brokerconfig.Access
}

// NATSProcess runs the embedded broker in a child process, which Kill ends the
// hard way. The test binary is its own child, so its TestMain must be
//
//	func TestMain(m *testing.M) { brokertest.Main(m) }
func NATSProcess(t testing.TB, a *brokerconfig.Access) *Broker {
	t.Helper()
	port := freePort(t)
	o, err := json.Marshal(orders{Dir: t.TempDir(), Port: port, Access: a})
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, &process{
		ready: childReady,
		command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+string(o))
			// The pipe closes when this process ends, however it ends.
			_, _ = cmd.StdinPipe()
			return cmd
		},
	}, port)
}

const childReady = "broker child is ready"

// Main runs the tests, or a broker when this process is the child of another
// test. It does not return.
func Main(m *testing.M) {
	if o := os.Getenv(childEnv); o != "" {
		if err := child([]byte(o)); err != nil {
			fmt.Fprintln(os.Stderr, "broker child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs a broker until SIGTERM, or until the parent is gone.
func child(data []byte) error {
	var o orders
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := brokerconfig.Start(ctx, brokerconfig.Options{Dir: o.Dir, Port: o.Port, Access: o.Access, Log: log})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, childReady)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	<-ctx.Done()
	return b.Close()
}
