package mqttlink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

var (
	// ErrNotAuthorized: the broker refused the user, the password, or a
	// filter that the user may not subscribe to.
	ErrNotAuthorized = errors.New("not authorised")
	// ErrLost is in the chain of every error that says that an established
	// link ended: the cause of a session's context, and the error of a publish
	// that was not acknowledged before.
	ErrLost = errors.New("link lost")
)

// errGoodbye is the cause of a link that this side ended in order.
var errGoodbye = fmt.Errorf("%w: closed by this side", ErrLost)

// explainConnect makes of a failed connection one line that says what the
// operator should look at.
func (s *settings) explainConnect(err error) error {
	hint := connectHint(err)
	switch {
	case errors.Is(err, packets.ErrorRefusedNotAuthorised), errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		return fmt.Errorf("connect to %s as user %q, client id %q: %w: "+
			"the broker refused (wrong password, user not enrolled, or client id not the user's own)",
			s.URL, s.User, s.ClientID, ErrNotAuthorized)
	case hint != "":
		return fmt.Errorf("connect to %s: %w: %s", s.URL, err, hint)
	}
	return fmt.Errorf("connect to %s: %w", s.URL, err)
}

func connectHint(err error) string {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		dns       *net.DNSError
		network   *net.OpError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the broker running, is the port right?"
	case errors.As(err, &dns):
		return "the name does not resolve: check the host name and the resolver"
	case errors.As(err, &authority):
		return "the broker's certificate is signed by an authority that is not in the CA file"
	case errors.As(err, &host):
		return "the broker's certificate is for another name: connect by that name or issue a new one"
	case errors.As(err, &invalid):
		return "check the broker's certificate and this machine's clock"
	case errors.As(err, &network) && network.Op == "remote error": // a TLS alert of the broker [RFC 8446 6.2]
		return "the broker refused TLS: give a client certificate and key that its authority signed; it must speak TLS 1.3"
	case errors.As(err, &record):
		return "the port does not speak TLS: use mqtt:// or the broker's TLS port"
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return "the broker refuses the client id"
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return "the broker says that it is not available: see its log"
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return "the broker does not speak MQTT 3.1.1"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time: check the address, the firewall, and whether the broker is overloaded"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the broker closed the connection instead of answering: is this its MQTT port, and does it want TLS?"
	}
	return ""
}

// explainLost says how an established link ended.
func (s *settings) explainLost(err error) error {
	switch {
	case errors.Is(err, ErrLost):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w: %s: the broker closed the connection: %w", ErrLost, s.URL, err)
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %s: given up by the client (no answer to a ping, or a packet that makes no sense)", ErrLost, s.URL)
	}
	return fmt.Errorf("%w: %s: %w", ErrLost, s.URL, err)
}
