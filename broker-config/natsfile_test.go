package brokerconfig_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"citygrid/internal/certs"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// fileServers runs the ready files for NATS as they are, but for folders and ports, with
// certificates of citygrid certs: one server, or the three of the cluster.
func fileServers(t *testing.T, w *town, file string, n int) (urls []string, servers []*server.Server) {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, w.folder.CA(), filepath.Join(dir, "ca.crt"))
	copyFile(t, w.broker.Cert, filepath.Join(dir, "broker.crt"))
	copyFile(t, w.broker.Key, filepath.Join(dir, "broker.key"))
	copyFile(t, filepath.Join("nats", "users.conf"), filepath.Join(dir, "users.conf"))
	var routes []string
	for range n {
		routes = append(routes, freeAddress(t))
	}
	for i := range n {
		text, err := os.ReadFile(filepath.Join("nats", file))
		if err != nil {
			t.Fatal(err)
		}
		edits := []string{"/etc/citygrid/tls", dir, "/var/lib/nats", filepath.Join(dir, "store", strconv.Itoa(i)),
			"127.0.0.1:4222", "127.0.0.1:-1", "0.0.0.0:8883", "127.0.0.1:-1", "0.0.0.0:6222", routes[i],
			"server_name: citygrid-1", "server_name: citygrid-" + strconv.Itoa(i+1), "max_file: 20GB", "max_file: 1GB"}
		for j, r := range routes {
			edits = append(edits, fmt.Sprintf("nats-%d.example:6222", j+1), r)
		}
		path := filepath.Join(dir, strconv.Itoa(i)+".conf")
		if err := os.WriteFile(path, []byte(strings.NewReplacer(edits...).Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := server.ProcessConfigFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o.NoSigs, o.NoLog = true, true
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	waitFor(t, func() bool {
		return n == 1 || slices.ContainsFunc(servers, func(s *server.Server) bool { return s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == n })
	})
	for _, s := range servers {
		waitFor(t, func() bool { return s.ReadyForConnections(100 * time.Millisecond) })
		v, err := s.Varz(nil)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, "ssl://127.0.0.1:"+strconv.Itoa(v.MQTT.Port))
	}
	return urls, servers
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick, bound := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-bound:
			t.Fatal("the servers do not come up")
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestReadyNATSFilesServe: with the ready files a reading goes up and its receipt comes
// down, over TLS 1.3 and certificates; nobody else gets in, and a collector neither speaks
// nor hears for another.
func TestReadyNATSFilesServe(t *testing.T) {
	for file, n := range map[string]int{"single.conf": 1, "cluster.conf": 3} {
		t.Run(file, func(t *testing.T) {
			w := newTown(t)
			urls, servers := fileServers(t, w, file, n)
			first, last := urls[0], urls[len(urls)-1]
			up, down := topicOf("310115", "c-0001", schemas.Readings), topicOf("310115", "c-0001", schemas.Receipts)
			hub, c := w.as(first, "hub-1", topicOf("310115", "", schemas.Readings)), w.as(last, "c-0001", down)
			c.publish(t, topicOf("310115", "c-0002", schemas.Readings), "forged") // acknowledged and dropped
			c.publish(t, up, "a reading")
			if got := hub.collect(t, "a reading"); len(got) != 1 || got[0] != up+" a reading" {
				t.Errorf("the hub got %q", got)
			}
			hub.publish(t, down, "a receipt")
			if got := c.collect(t, "a receipt"); len(got) != 1 {
				t.Errorf("the collector got %q", got)
			}
			c.stop()
			own := w.users["c-0001"]
			refuse := func(name, want, user string, i *certs.Issued, filters ...string) {
				t.Helper()
				cfg := config(last, user, filters...)
				cfg.Password, cfg.TLS = secret.Secret{}, w.shows(w.folder.CA(), i)
				if _, err := dial(t, cfg); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", name, err, want)
				}
			}
			for _, filter := range []string{topicOf("310115", "c-0002", schemas.Receipts), topicOf("310115", "", schemas.Receipts), up, "citygrid/#", "#", "$SYS/#", "$JS/#"} {
				refuse(filter, mqttlink.ErrNotAuthorized.Error(), "c-0001", &own, filter)
			}
			nobody := w.client(certs.Collector, "c-0009")
			refuse("a certificate of nobody", "not authorised", "c-0009", &nobody)
			refuse("no certificate", "the broker wants a client certificate", "c-0001", nil)
			old := w.shows(w.folder.CA(), &own)
			old.MinVersion, old.MaxVersion = 0x0303, 0x0303
			cfg := config(last, "c-0001")
			cfg.Password, cfg.TLS = secret.Secret{}, old
			if _, err := dial(t, cfg); err == nil || !strings.Contains(err.Error(), "does not speak") {
				t.Errorf("TLS 1.2: %v", err)
			}
			for _, user := range []string{"", "CN=hub-1", "CN=c-0001"} {
				if answer := natsConnect(t, servers[0].Addr().String(), user); !strings.Contains(answer, "Authorization Violation") {
					t.Errorf("the NATS protocol, user %q without a password: %q, want a refusal", user, answer)
				}
			}
		})
	}
}

// natsConnect speaks the protocol of NATS itself, in clear, and returns the answer.
func natsConnect(t *testing.T, address, user string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"user\":%q,\"pass\":\"\",\"protocol\":1}\r\nPING\r\n", user)
	for {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "INFO") {
			return line
		}
	}
}
