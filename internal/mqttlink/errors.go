package mqttlink

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

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
	hint := cmp.Or(s.refusedTLS(err), s.cutTLS(err), connectHint(err))
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
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the broker's certificate has ended, or this machine's clock is wrong: renew the certificate, or set the clock"
	case errors.As(err, &invalid):
		return "the broker's certificate is not good for a broker: issue it as a server's"
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

// The alerts with which a broker ends a handshake [RFC 8446 6.2], of those that an
// operator can do something about.
const (
	alertHandshakeFailure tls.AlertError = 40
	alertBadCertificate   tls.AlertError = 42
	alertRevoked          tls.AlertError = 44
	alertExpired          tls.AlertError = 45
	alertUnknown          tls.AlertError = 46
	alertUnknownCA        tls.AlertError = 48
	alertVersion          tls.AlertError = 70
	alertRequired         tls.AlertError = 116
)

// refusedTLS says what a broker's alert is about; empty for an error that is none. The
// alert of a TCP connection has a type that nobody else can name, but the text of
// tls.AlertError.
func (s *settings) refusedTLS(err error) string {
	var network *net.OpError
	if !errors.As(err, &network) || network.Op != "remote error" || network.Err == nil {
		return ""
	}
	is := func(alerts ...tls.AlertError) bool {
		return slices.ContainsFunc(alerts, func(a tls.AlertError) bool { return a.Error() == network.Err.Error() })
	}
	switch {
	case is(alertVersion):
		return "the broker does not speak TLS 1.3, and nothing older is spoken here: update the broker"
	case is(alertRequired), is(alertHandshakeFailure):
		return "the broker wants a client certificate: give a client certificate and key that its authority signed (broker.cert, broker.key)"
	case is(alertExpired):
		return "the broker refused this side's certificate, which has ended" + s.ownCertificate() + ": renew it (citygrid certs renew), or look at the clocks of both machines"
	case is(alertUnknownCA):
		return "the broker refused this side's certificate" + s.ownCertificate() + ": want one that its authority signed"
	case is(alertRevoked):
		return "the broker refused this side's certificate" + s.ownCertificate() + ": it is revoked; issue another one (citygrid certs issue)"
	case is(alertBadCertificate), is(alertUnknown):
		return "the broker refused this side's certificate" + s.ownCertificate() + ": it is revoked, or not a client's that its authority signed; look at the broker's log, and issue another one (citygrid certs issue)"
	}
	return "the broker refused TLS: give a client certificate and key that its authority signed; it must speak TLS 1.3"
}

// cutTLS says what a link over TLS that breaks at its beginning is about: in TLS 1.3 a
// client has done its part before the broker has looked at its certificate, and the
// broker's alert may be lost behind the end of the connection. Empty for other errors
// and without a certificate of this side.
func (s *settings) cutTLS(err error) string {
	cert := own(s.tls)
	switch {
	case cert == nil || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE):
		return ""
	case time.Now().After(cert.NotAfter):
		return "the broker closed the connection; this side's certificate" + s.ownCertificate() + ", which has ended, is the likely reason: renew it (citygrid certs renew), or look at the clocks of both machines"
	}
	return "the broker closed the connection instead of answering: look at its log whether it refuses this side's certificate" + s.ownCertificate()
}

// ownCertificate names the certificate that was shown, for the one who looks for it.
func (s *settings) ownCertificate() string {
	cert := own(s.tls)
	if cert == nil {
		return ""
	}
	return fmt.Sprintf(" (%s, serial %s, until %s)", cert.Subject.CommonName, cert.SerialNumber.Text(16), cert.NotAfter.UTC().Format(time.DateOnly))
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
