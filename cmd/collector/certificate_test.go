package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/internal/certs"
	"citygrid/internal/secret"
)

// TestCertificateOfAnotherBox: a box with another's certificate does not start, and check
// finds it, before any broker is asked; with its own it does.
func TestCertificateOfAnotherBox(t *testing.T) {
	path := box(t, "")
	folder, pass := certs.Folder(filepath.Join(filepath.Dir(path), "ca")), secret.New("a passphrase of a test")
	if err := folder.Init("x", pass, time.Now()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"c1": "", "c2": `is of "c2", but this is "c1"`} {
		if _, err := folder.Issue(pass, certs.Request{Kind: certs.Collector, Name: id, Days: 10}, time.Now()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte(`{url: "tcp://127.0.0.1:1"}`), []byte(`{url: "ssl://127.0.0.1:1", ca: ca/ca.crt, cert: ca/clients/`+id+`.crt, key: ca/clients/`+id+`.key}`), 1)
		other := filepath.Join(filepath.Dir(path), id+".yaml")
		if err := os.WriteFile(other, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = assemble(other)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "broker.cert")) {
			t.Errorf("certificate of %s: %v", id, err)
		}
	}
}
