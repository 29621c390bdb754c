package peers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/hub/enrolment"
	"citygrid/internal/child"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// The accounts at the broker beside the hub's and the collectors'.
const (
	feederUser   = "feeder"
	telegrafUser = "telegraf"
)

// river is a Mosquitto and an InfluxDB of its own for one program, both empty,
// and the keys of the collectors.
type river struct {
	dir       string
	keys      enrolment.Folder
	secret    secret.Secret // of the master key
	passwords map[string]secret.Secret
	sealing   *sealing
	access    *brokerconfig.Access

	mosquitto  *child.Process
	subscribed *lines // what Mosquitto says of subscriptions
	brokerURL  string
	series     seriesServer
	sink       *sink // in the place of InfluxDB; nil: there is one
}

// seriesDatabase is where every program writes.
const seriesDatabase = "citygrid"

// openRiver makes the keys and starts the servers, a sink in the place of
// InfluxDB where that is asked for. Close it in any case.
func openRiver(ctx context.Context, dir string, dry bool) (*river, error) {
	r := &river{dir: dir, keys: enrolment.Folder(filepath.Join(dir, "keys")), passwords: make(map[string]secret.Secret), subscribed: newLines()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	if err := r.enrol(); err != nil {
		return r, fmt.Errorf("enrol the collectors: %w", err)
	}
	if err := r.startMosquitto(ctx); err != nil {
		return r, fmt.Errorf("start Mosquitto: %w", err)
	}
	if dry {
		s, err := startSink()
		if err == nil {
			r.series, r.sink = s, s
		}
		return r, err
	}
	var err error
	r.series, err = startInflux(ctx, dir)
	return r, err
}

// Close ends the servers.
func (r *river) Close() error {
	var errs []error
	if r.series != nil {
		errs = append(errs, r.series.Stop())
	}
	if r.mosquitto != nil {
		errs = append(errs, r.mosquitto.Stop(stopping))
	}
	return errors.Join(errs...)
}

const tenant = "bench"

// enrol makes the master key, enrols the collectors, and gives the feeder and
// Telegraf accounts at the broker.
func (r *river) enrol() error {
	r.secret = secret.New(brokerconfig.NewPassword())
	office := enrolment.Office{Folder: r.keys, By: "bench"}
	if err := office.Init(tenant, r.secret, seal.MinRounds); err != nil {
		return err
	}
	master, err := seal.ReadMaster(r.keys.Master(), r.secret)
	if err != nil {
		return err
	}
	r.sealing = &sealing{provider: seal.DefaultProvider(), master: master, tenant: tenant,
		generations: make(map[schemas.CollectorID]uint16), sealers: make(map[schemas.CollectorID]*seal.Sealer)}
	for n := range storingCollectors {
		id := schemas.CollectorID(fmt.Sprintf("c-%02d", n))
		issued, err := office.Issue(master, enrolment.Request{Area: storingArea, Collector: id, Bundle: filepath.Join(r.dir, string(id)+".bundle")})
		if err != nil {
			return err
		}
		r.sealing.generations[id] = issued.Generation
	}
	list, err := enrolment.Load(r.keys.List())
	if err != nil {
		return err
	}
	if r.access, err = list.Access(nil); err != nil {
		return err
	}
	up := schemas.Topic{Stream: schemas.Readings}.String()
	return errors.Join(r.account(feederUser, []string{up, benchTopic}, nil), r.account(telegrafUser, nil, []string{benchTopic}))
}

func (r *river) account(name string, publish, subscribe []string) error {
	password := brokerconfig.NewPassword()
	hash, err := brokerconfig.HashPassword(password)
	r.passwords[name] = secret.New(password)
	r.access.Users = append(r.access.Users, brokerconfig.User{Name: name, PasswordHash: hash, Publish: publish, Subscribe: subscribe})
	return err
}

// findMosquitto finds Debian's broker, which lies outside the usual path.
func findMosquitto() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mosquitto is missing; \"make packages\" installs it")
}

// startMosquitto starts Mosquitto with the configuration that citygrid renders
// for a city, and lets it say who subscribes.
func (r *river) startMosquitto(ctx context.Context) error {
	program, err := findMosquitto()
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	dir := filepath.Join(r.dir, "mosquitto")
	err = errors.Join(l.Close(), os.MkdirAll(dir, 0o700)) // Mosquitto cannot ask for any port
	if err != nil {
		return err
	}
	files, err := brokerconfig.RenderMosquitto(r.access, brokerconfig.MosquittoOptions{ConfigDir: dir, DataDir: dir, Host: "127.0.0.1", Port: port, RunAs: me.Username})
	if err != nil {
		return err
	}
	files[brokerconfig.MosquittoConf] = append(files[brokerconfig.MosquittoConf], "log_dest stderr\nlog_type error\nlog_type warning\nlog_type subscribe\n"...)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command(program, "-c", filepath.Join(dir, brokerconfig.MosquittoConf))
	cmd.Stdout, cmd.Stderr = r.subscribed, r.subscribed
	if r.mosquitto, err = child.Start("mosquitto", cmd); err != nil {
		return err
	}
	r.brokerURL = fmt.Sprintf("tcp://127.0.0.1:%d", port)
	return r.awaitBroker(ctx, port)
}

// awaitBroker waits until the broker's port is open.
func (r *river) awaitBroker(ctx context.Context, port int) error {
	return await(ctx, starting, "Mosquitto", func() (bool, error) {
		if r.mosquitto.State() != nil {
			return false, fmt.Errorf("it ended by itself: %s", tail(r.subscribed.String()))
		}
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
}

// awaitSubscriber waits until that user has subscribed at the broker.
func (r *river) awaitSubscriber(ctx context.Context, user string, p *child.Process) error {
	return await(ctx, starting, user, func() (bool, error) {
		if state := p.State(); state != nil {
			return false, fmt.Errorf("it ended by itself: %s", state)
		}
		return r.subscribed.hasWord(user), nil
	})
}

// await asks done every few milliseconds, at most for the given time.
func await(ctx context.Context, most time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s: %w", what, ctx.Err())
		}
	}
}

// feed publishes the messages, as fast as the broker takes them.
func (r *river) feed(ctx context.Context, all []message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var fed error
	err := mqttlink.Run(ctx, mqttlink.Config{
		URL: r.brokerURL, ClientID: feederUser, User: feederUser, Password: r.passwords[feederUser], CleanSession: true,
	}, func(ctx context.Context, conn *mqttlink.Conn) error {
		defer cancel() // once is enough
		fed = publishAll(ctx, conn, all)
		return fed
	})
	return errors.Join(err, fed)
}

func publishAll(ctx context.Context, conn *mqttlink.Conn, all []message) error {
	var last *mqttlink.Token
	for _, m := range all {
		last = conn.Publish(ctx, m.topic, m.payload, false)
	}
	if last == nil {
		return nil
	}
	return last.Wait(ctx)
}

// lines keeps what a program says. Safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLines() *lines { return new(lines) }

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all of it.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// hasWord reports whether a line has the word.
func (l *lines) hasWord(word string) bool {
	in := bufio.NewScanner(strings.NewReader(l.String()))
	for in.Scan() {
		for field := range strings.FieldsSeq(in.Text()) {
			if field == word {
				return true
			}
		}
	}
	return false
}
