package mqttlink

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestBadConfigurationEndsRunAtOnce(t *testing.T) {
	good := Config{URL: "tcp://localhost", ClientID: "c-1"}
	tests := []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no url", func(c *Config) { c.URL = "" }, "scheme"},
		{"unknown scheme", func(c *Config) { c.URL = "http://x" }, `scheme "http"`},
		{"not a url", func(c *Config) { c.URL = "tcp://x:sec ret%zz" }, "not a URL"},
		{"credentials in the url", func(c *Config) { c.URL = "tcp://u:geheim@x" }, "credentials"},
		{"path", func(c *Config) { c.URL = "tcp://x/mqtt" }, "nothing else"},
		{"no host", func(c *Config) { c.URL = "tcp://:1883" }, "nothing else"},
		{"certificates without TLS", func(c *Config) { c.TLS = &tls.Config{} }, "not encrypted"},
		{"no client id", func(c *Config) { c.ClientID = "" }, "client id"},
		{"client id with a dot", func(c *Config) { c.ClientID = "a.b" }, "client id"},
		{"empty filter", func(c *Config) { c.Subscriptions = []string{""} }, "empty"},
		{"# in the middle", func(c *Config) { c.Subscriptions = []string{"a/#/b"} }, "must be the last"},
		{"+ beside letters", func(c *Config) { c.Subscriptions = []string{"a+/b"} }, "fill its level"},
		{"persistent share", func(c *Config) { c.Subscriptions = []string{"$share/g/a"} }, "clean session"},
		{"will to a wildcard", func(c *Config) { c.Will = &Will{Topic: "a/+"} }, "last will"},
		{"back-off upside down", func(c *Config) { c.Backoff = Backoff{Min: time.Minute, Max: time.Second} }, "back-off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.edit(&cfg)
			err := Run(context.Background(), cfg, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Run: %v, want an error with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "sec ret") {
				t.Errorf("the error prints the password: %v", err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for url, want := range map[string]string{
		"tcp://b": "b:1883", "mqtt://b:7": "b:7", "mqtts://b": "b:8883", "ssl://[::1]:9/": "[::1]:9", "tls://b": "b:8883",
	} {
		s, err := newSettings(Config{URL: url, ClientID: "x"})
		if err != nil || s.address != want {
			t.Errorf("%s: address %v, error %v, want %s", url, s, err, want)
		}
	}
}

func TestBackoffDelay(t *testing.T) {
	b := Backoff{Min: 300 * time.Millisecond, Max: 30 * time.Second}
	tests := []struct {
		failures int
		r        float64
		want     time.Duration
	}{
		{0, 0, 150 * time.Millisecond},
		{1, 0, 300 * time.Millisecond},
		{1, 0.5, 450 * time.Millisecond},
		{6, 0, 9600 * time.Millisecond},
		{7, 0, 15 * time.Second},
		{1 << 30, 0.5, 22500 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := b.Delay(tt.failures, tt.r); got != tt.want {
			t.Errorf("Delay(%d, %v) = %v, want %v", tt.failures, tt.r, got, tt.want)
		}
	}
}
