package httpd

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/internal/certs"
	"citygrid/internal/secret"
)

// TestHTTPS: TLS 1.3 alone, HTTP/2 and HTTP/1.1, HSTS, and a certificate that is replaced
// while the server runs.
func TestHTTPS(t *testing.T) {
	folder, pass := certs.Folder(filepath.Join(t.TempDir(), "ca")), secret.New("a passphrase of a test")
	if err := folder.Init("x", pass, time.Now()); err != nil {
		t.Fatal(err)
	}
	own, err := folder.Issue(pass, certs.Request{Kind: certs.Server, Name: "127.0.0.1", Days: 10}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := certs.Listen(certs.Files{Cert: own.Cert, Key: own.Key})
	if err != nil {
		t.Fatal(err)
	}
	s, address := start(t, Options{Handler: hello, TLS: l.Config()})
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(folder.CA())
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	get := func(max uint16, h2 bool) (*http.Response, error) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: max}, ForceAttemptHTTP2: h2}
		defer tr.CloseIdleConnections()
		answer, err := (&http.Client{Transport: tr}).Get("https://" + address + "/")
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		return answer, err
	}
	serial := func() string {
		answer, err := get(0, true)
		if err != nil {
			t.Fatal(err)
		}
		if answer.ProtoMajor != 2 || answer.TLS.Version != tls.VersionTLS13 || !strings.HasPrefix(answer.Header.Get("Strict-Transport-Security"), "max-age=31536000") {
			t.Errorf("%s, %x, %v", answer.Proto, answer.TLS.Version, answer.Header)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.Text(16)
	}
	if got := serial(); got != own.Serial {
		t.Errorf("serial %s, want %s", got, own.Serial)
	}
	if answer, err := get(0, false); err != nil || answer.ProtoMajor != 1 {
		t.Errorf("HTTP/1.1: %v, %v", answer, err)
	}
	if _, err := get(tls.VersionTLS12, false); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: %v", err)
	}
	renewed, err := folder.Renew(pass, certs.Request{Kind: certs.Server, Name: "127.0.0.1", Days: 20}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != renewed.Serial {
		t.Errorf("after Reload serial %s, want %s", got, renewed.Serial)
	}
	for range 100 { // TLS handshakes that stand still take no place from anybody
		slowly(t, "", address)
	}
	if got := serial(); got != renewed.Serial || s.Counts().Refused != 0 {
		t.Errorf("beside broken handshakes: %s", got)
	}
}
