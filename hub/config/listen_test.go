package config

import (
	"strings"
	"testing"
)

// TestNothingInClearOnTheNetwork: what others reach is encrypted, or somebody has said who
// does it; the error names the three ways out.
func TestNothingInClearOnTheNetwork(t *testing.T) {
	pages := func(lines string) string { return strings.Replace(good, "listen: 127.0.0.1:8080", lines, 1) }
	broker := func(lines string) string { return strings.Replace(good, "url: tcp://127.0.0.1:1883", lines, 1) }
	for name, c := range map[string]struct {
		text string
		want []string // in the error; none: accepted
	}{
		"this machine":            {pages("listen: 127.0.0.1:8080"), nil},
		"this machine, IPv6":      {pages("listen: '[::1]:8080'"), nil},
		"this machine by name":    {pages("listen: localhost:8080"), nil},
		"all addresses":           {pages("listen: 0.0.0.0:8080"), []string{"127.0.0.1", "tls.cert and tls.key", "behind_proxy: true", `"0.0.0.0:8080"`}},
		"all addresses, no host":  {pages("listen: ':8080'"), []string{"behind_proxy: true"}},
		"all addresses, IPv6":     {pages("listen: '[::]:8080'"), []string{"behind_proxy: true"}},
		"one address":             {pages("listen: 192.0.2.7:8080"), []string{"behind_proxy: true"}},
		"a name":                  {pages("listen: hub.example:8080"), []string{"behind_proxy: true"}},
		"with a certificate":      {pages("listen: 0.0.0.0:8080\ntls: {cert: a, key: b}"), nil},
		"behind a proxy":          {pages("listen: 0.0.0.0:8080\nbehind_proxy: true"), nil},
		"both":                    {pages("listen: 0.0.0.0:8080\ntls: {cert: a, key: b}\nbehind_proxy: true"), []string{"either"}},
		"certificate without key": {pages("listen: 0.0.0.0:8080\ntls: {cert: a}"), []string{"tls: give both"}},
		"negative limit":          {pages("listen: 127.0.0.1:8080\nlimits: {connections: -1}"), []string{"limits"}},
		"broker on this machine":  {broker("listen: 127.0.0.1:1883"), nil},
		"broker in clear":         {broker("listen: 0.0.0.0:1883"), []string{"broker.listen", "broker.cert and broker.key", "broker.behind_proxy: true"}},
		"broker with certificate": {broker("listen: 0.0.0.0:8883\n  cert: a\n  key: b"), nil},
		"broker behind a proxy":   {broker("listen: 0.0.0.0:1883\n  behind_proxy: true"), nil},
		"client certificates":     {broker("listen: 0.0.0.0:8883\n  cert: a\n  key: b\n  client_ca: c\n  crl: d"), nil},
		"client CA without TLS":   {broker("listen: 127.0.0.1:1883\n  client_ca: c"), []string{"broker.client_ca"}},
		"client CA of another's":  {strings.Replace(good, "url: tcp://127.0.0.1:1883", "url: ssl://127.0.0.1:1883\n  client_ca: c", 1), []string{"broker.client_ca"}},
		"revoked without a CA":    {broker("listen: 0.0.0.0:8883\n  cert: a\n  key: b\n  crl: d"), []string{"broker.crl"}},
		"CA of a store in clear":  {strings.Replace(good, "influx:", "influx:\n  ca: x", 1), []string{"influx.ca"}},
	} {
		_, err := Parse([]byte(c.text), "/f")
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %s", name, err, want)
			}
		}
	}
}
