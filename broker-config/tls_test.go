package brokerconfig_test

import (
	"crypto/tls"
	"strings"
	"testing"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/certs"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// startTLS runs the embedded broker with a certificate of a.
func startTLS(t *testing.T, a *brokertest.Authority, clientCA string) *brokerconfig.Broker {
	t.Helper()
	cert, key := a.Server()
	l, err := certs.Listen(certs.Files{Cert: cert, Key: key, ClientCA: clientCA})
	if err != nil {
		t.Fatal(err)
	}
	return startNATS(t, brokerconfig.Options{Access: testAccess(t), TLS: l.Config()})
}

// trusting is what a user loads from files: the authority ca, and a certificate
// of its own when issuer is not nil.
func trusting(t *testing.T, ca string, issuer *brokertest.Authority, user string) *tls.Config {
	t.Helper()
	cert, key := "", ""
	if issuer != nil {
		cert, key = issuer.Client(user)
	}
	cfg, err := mqttlink.LoadTLS(ca, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A reading goes up and its receipt comes down over TLS, with passwords inside
// it and with certificates in their place.
func TestFlowOverTLS(t *testing.T) {
	ours := brokertest.NewAuthority(t)
	for name, tt := range map[string]struct {
		clientCA string
		issuer   *brokertest.Authority
	}{
		"passwords":           {"", nil},
		"client certificates": {ours.CA, ours},
	} {
		t.Run(name, func(t *testing.T) {
			b := startTLS(t, ours, tt.clientCA)
			if !strings.HasPrefix(b.URL(), "ssl://") {
				t.Fatalf("URL %s, want ssl://", b.URL())
			}
			connect := func(user, filter string) *client {
				cfg := config(b.URL(), user, filter)
				cfg.TLS = trusting(t, ours.CA, tt.issuer, user)
				if tt.issuer != nil {
					cfg.Password = secret.Secret{} // the certificate speaks
				}
				return mustDial(t, cfg)
			}
			up, down := topicOf("310115", "c-1", schemas.Readings), topicOf("310115", "c-1", schemas.Receipts)
			hub := connect("hub-1", topicOf("310115", "", schemas.Readings))
			collector := connect("c-1", down)
			collector.publish(t, up, "a reading")
			if got := hub.collect(t, "a reading"); got[0] != up+" a reading" {
				t.Errorf("the hub got %q", got)
			}
			hub.publish(t, down, "a receipt")
			if got := collector.collect(t, "a receipt"); got[0] != down+" a receipt" {
				t.Errorf("the collector got %q", got)
			}
		})
	}
}

// Every refusal says what the operator should look at.
func TestTLSRefusals(t *testing.T) {
	ours, foreign := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	b := startTLS(t, ours, ours.CA)
	for name, tt := range map[string]struct {
		tls  *tls.Config
		user string
		want string
	}{
		"wrong CA":               {trusting(t, foreign.CA, ours, "c-1"), "c-1", "signed by an authority that is not in the CA file"},
		"its own check":          {trusting(t, ours.CA, ours, "c-2"), "c-1", "in the wrong box"},
		"no client certificate":  {trusting(t, ours.CA, nil, ""), "c-1", "give a client certificate"},
		"foreign certificate":    {trusting(t, ours.CA, foreign, "c-1"), "c-1", "that its authority signed"},
		"another's certificate":  {unchecked(trusting(t, ours.CA, ours, "c-2")), "c-1", "not authorised"},
		"certificate of nobody":  {trusting(t, ours.CA, ours, "c-9"), "c-9", "not authorised"},
		"broker of another name": {named(trusting(t, ours.CA, ours, "c-1"), "broker.example"), "c-1", "certificate is for another name"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(b.URL(), tt.user)
			cfg.TLS = tt.tls
			if _, err := dial(t, cfg); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), b.URL()) && name != "its own check" {
				t.Errorf("error %v: want the URL and %q", err, tt.want)
			}
		})
	}
}

func named(cfg *tls.Config, host string) *tls.Config {
	cfg.ServerName = host
	return cfg
}

// unchecked shows the broker a certificate that this side would not have taken itself.
func unchecked(cfg *tls.Config) *tls.Config {
	cfg.Certificates = nil
	return cfg
}
