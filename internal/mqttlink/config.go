package mqttlink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"citygrid/internal/secret"
)

// MaxPayload is the largest payload, in bytes, that Publish accepts. The
// smallest limit among the brokers, 1 MiB with the message's header, closes
// the connection on a larger one, and would do so again after every reconnect.
const MaxPayload = 1_000_000

// Config says how to reach the broker and what to keep subscribed. The zero
// value of every field that is not marked as required means its default.
type Config struct {
	// URL is the broker: tcp:// or mqtt:// (port 1883 when none is given) for
	// plain TCP, ssl://, tls:// or mqtts:// (port 8883) for TLS. Required. It
	// holds no credentials: they are User and Password.
	URL string
	// ClientID names the session at the broker: 1 to 64 of 0-9 A-Z a-z _ -,
	// which is what every broker accepts. Required. Two programs with one
	// client id throw each other out.
	ClientID string
	User     string
	Password secret.Secret
	// TLS is used with ssl://, tls:// and mqtts://; nil means TLS 1.3 with the
	// system's authorities. LoadTLS makes one from files.
	TLS *tls.Config
	// CleanSession true makes the broker forget the subscriptions and unsent
	// messages of this client whenever the link is down. Shared subscriptions
	// ($share/...) need it, or messages are parked on a member that is gone.
	CleanSession bool
	// Will is published by the broker when the link breaks without a goodbye.
	Will *Will
	// Subscriptions are the filters to subscribe to at QoS 1, on every
	// connection, before the session runs.
	Subscriptions []string
	// InboxBytes bounds the received payloads that the session has not taken
	// yet; default 64 MiB. While it is exceeded the link reads nothing, neither
	// acknowledgements nor answers to pings, and so is given up after KeepAlive
	// + PingTimeout; the broker then sends again what was not acknowledged.
	// The number of waiting messages is bounded by the broker's window, and
	// by MQTT to 65,535.
	InboxBytes int
	// Window bounds the publishes without acknowledgement; default 500.
	Window int
	// Backoff spaces the attempts; default 300 ms to 30 s.
	Backoff Backoff
	// Rand gives the jitter, evenly in [0, 1); default math/rand/v2.
	Rand func() float64

	ConnectTimeout time.Duration // TCP, TLS and MQTT handshake, and SUBACK; default 15 s
	WriteTimeout   time.Duration // one packet; default 10 s
	KeepAlive      time.Duration // whole seconds; default 30 s
	PingTimeout    time.Duration // default 10 s
	// PubackTimeout ends a connection on which publishes are outstanding and
	// none was acknowledged for so long; default 15 s.
	PubackTimeout time.Duration

	// Log takes one line for each link that came up or was lost; nil is silent.
	Log *slog.Logger
	// OnState is told of every change, from the goroutine of Run: it must
	// return soon. It may be nil.
	OnState func(State)

	// dial replaces net.Dialer in tests.
	dial dialFunc
}

// Will is the message that a broker publishes, at QoS 1, for a client that is
// gone.
type Will struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// Backoff is the wait between attempts: it doubles from Min to Max, and each
// wait is a random part between the half and the whole of that, so that a
// thousand collectors do not return in the same second. It starts again at Min
// after a link that stayed up for Max.
type Backoff struct{ Min, Max time.Duration }

// Delay returns the wait after the given number of failures in a row (0 for
// the first) and the random number r in [0, 1).
func (b Backoff) Delay(failures int, r float64) time.Duration {
	d := b.Min
	for ; failures > 0 && d < b.Max; failures-- {
		d *= 2
	}
	d = min(d, b.Max)
	return d/2 + time.Duration(r*float64(d/2))
}

// settings is a Config that was checked and completed.
type settings struct {
	Config
	address string // host:port
	tls     *tls.Config
}

var clientIDPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// newSettings completes cfg with the defaults and reports every contradiction
// that no later attempt could heal.
func newSettings(cfg Config) (*settings, error) {
	s := &settings{Config: cfg}
	s.setDefaults()
	if err := s.setAddress(); err != nil {
		return nil, fmt.Errorf("broker url: %w", err)
	}
	if !clientIDPattern.MatchString(cfg.ClientID) {
		return nil, fmt.Errorf("mqtt client id %q: want 1 to 64 of 0-9 A-Z a-z _ -", cfg.ClientID)
	}
	if err := CheckOwn(s.tls, s.ClientID); err != nil {
		return nil, err
	}
	for _, f := range cfg.Subscriptions {
		if err := s.checkFilter(f); err != nil {
			return nil, fmt.Errorf("subscription %q: %w", f, err)
		}
	}
	if cfg.Will != nil {
		if err := checkPublish(cfg.Will.Topic, cfg.Will.Payload); err != nil {
			return nil, fmt.Errorf("last will: %w", err)
		}
	}
	if s.Backoff.Min > s.Backoff.Max {
		return nil, fmt.Errorf("back-off: the first wait %v is longer than the last %v", s.Backoff.Min, s.Backoff.Max)
	}
	return s, nil
}

func (s *settings) setDefaults() {
	orDuration := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	orDuration(&s.ConnectTimeout, 15*time.Second)
	orDuration(&s.WriteTimeout, 10*time.Second)
	orDuration(&s.KeepAlive, 30*time.Second)
	orDuration(&s.PingTimeout, 10*time.Second)
	orDuration(&s.PubackTimeout, 15*time.Second)
	orDuration(&s.Backoff.Min, 300*time.Millisecond)
	orDuration(&s.Backoff.Max, 30*time.Second)
	if s.Window <= 0 {
		s.Window = 500
	}
	if s.InboxBytes <= 0 {
		s.InboxBytes = 64 << 20
	}
	if s.Rand == nil {
		s.Rand = rand.Float64
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.dial == nil {
		s.dial = new(net.Dialer).DialContext
	}
}

// setAddress reads the URL. Its errors never print it whole, since somebody
// may have put a password there.
func (s *settings) setAddress() error {
	u, err := url.Parse(s.URL)
	if err != nil {
		return errors.New("not a URL: want for example mqtts://broker.example:8883")
	}
	if u.User != nil {
		return errors.New("holds credentials: give the user and the password in their own settings")
	}
	port := "1883"
	switch u.Scheme {
	case "tcp", "mqtt":
		if s.TLS != nil {
			return fmt.Errorf("%s:// is not encrypted although certificates are given: use mqtts://", u.Scheme)
		}
	case "ssl", "tls", "mqtts":
		port = "8883"
		s.tls = s.TLS
		if s.tls == nil {
			s.tls = &tls.Config{MinVersion: tls.VersionTLS13}
		}
	default:
		return fmt.Errorf("scheme %q: want mqtt:// or tcp:// (plain), mqtts:// or ssl:// (TLS)", u.Scheme)
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("want %s://host:port and nothing else", u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	s.address = net.JoinHostPort(u.Hostname(), port)
	return nil
}

func (s *settings) checkFilter(f string) error {
	levels := strings.Split(f, "/")
	if f == "" {
		return errors.New("is empty")
	}
	for i, level := range levels {
		if level == "#" && i == len(levels)-1 || level == "+" {
			continue
		}
		if strings.ContainsAny(level, "#+\x00") {
			return errors.New("a wildcard must fill its level, and # must be the last")
		}
	}
	if levels[0] == "$share" && !s.CleanSession {
		return errors.New("a shared subscription needs a clean session, or messages are parked on a member that is gone")
	}
	return nil
}

// checkPublish reports a message that brokers answer by closing the
// connection.
func checkPublish(topic string, payload []byte) error {
	if topic == "" || strings.ContainsAny(topic, "#+\x00") {
		return fmt.Errorf("topic %q: empty or holds a wildcard", topic)
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("topic %q: payload of %d bytes, the limit is %d", topic, len(payload), MaxPayload)
	}
	return nil
}
