package brokerconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The ready files for NATS are read by the server's own parser, and carry the
// settings and the rights that the embedded broker has.
func TestReadyNATSFiles(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	copyConf(t, dir, "users.conf")
	example := exampleAccess()
	for _, name := range []string{"single.conf", "cluster.conf"} {
		o, err := server.ProcessConfigFile(copyConf(t, dir, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.SyncInterval != syncInterval || o.MQTT.AckWait != ackWait || !o.MQTT.TLSMap || !o.JetStream || o.JetStreamMaxStore < 20e9 {
			t.Errorf("%s: settings differ from the embedded broker's: %+v", name, o.MQTT)
		}
		if want, _ := windowFor(example); o.MQTT.MaxAckPending != want {
			t.Errorf("%s: max_ack_pending is %d, want %d for its hub", name, o.MQTT.MaxAckPending, want)
		}
		if len(o.Users) != len(example.Users) {
			t.Fatalf("%s: %d users, want those of the example", name, len(o.Users))
		}
		for i, u := range o.Users {
			want := permissions(example.Users[i])
			if u.Username != "CN="+example.Users[i].Name ||
				!slices.Equal(u.Permissions.Publish.Allow, want.Publish.Allow) ||
				!slices.Equal(u.Permissions.Subscribe.Allow, want.Subscribe.Allow) {
				t.Errorf("%s: rights of %s differ from the example's", name, u.Username)
			}
		}
	}
}

// copyConf copies a ready file with the certificates' folder replaced.
func copyConf(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("nats", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	text = []byte(strings.ReplaceAll(string(text), "/etc/citygrid/tls", dir))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{
		"ca.crt": cert, "broker.crt": cert,
		"broker.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
