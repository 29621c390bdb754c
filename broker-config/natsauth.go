package brokerconfig

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// authenticator decides for the embedded server, by the access list of the
// moment.
type authenticator struct {
	log     *slog.Logger
	revoked func(*x509.Certificate) bool

	mu     sync.RWMutex // held for reading until a client is registered
	access *Access
	users  map[string]User
	server *server.Server

	// shown is the certificate that each user connected with last; a user has one
	// connection, because its name is its client id.
	shownMu sync.Mutex
	shown   map[string]*x509.Certificate
}

func newAuthenticator(a *Access, revoked func(*x509.Certificate) bool, log *slog.Logger) *authenticator {
	if revoked == nil {
		revoked = func(*x509.Certificate) bool { return false }
	}
	return &authenticator{log: log, revoked: revoked, access: a, users: a.byName(), shown: make(map[string]*x509.Certificate)}
}

// Check is called by the server for every CONNECT.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	name, refusal := a.decide(c)
	if refusal != "" {
		a.log.Warn("broker refused a client", "user", name, "remote", c.RemoteAddress(), "reason", refusal)
		return false
	}
	if cert := certificateOf(c.GetTLSConnectionState()); cert != nil {
		a.shownMu.Lock()
		a.shown[name] = cert
		a.shownMu.Unlock()
	}
	c.RegisterUser(&server.User{Username: name, Permissions: permissions(a.users[name])})
	return true
}

// decide returns the user's name, and why it is refused, if it is.
func (a *authenticator) decide(c server.ClientAuthentication) (name, refusal string) {
	opts := c.GetOpts()
	if cert := certificateOf(c.GetTLSConnectionState()); cert != nil {
		name = cert.Subject.CommonName
		if _, known := a.users[name]; !known {
			return name, "certificate of no enrolled user"
		}
		if a.revoked(cert) {
			return name, "certificate is revoked"
		}
		if opts.Username != "" && opts.Username != name {
			return name, "user name is not the certificate's"
		}
	} else {
		name = opts.Username
		u, known := a.users[name]
		if !known {
			u.PasswordHash = decoyHash
		}
		if !CheckPassword(u.PasswordHash, opts.Password) || !known {
			return name, "unknown user or wrong password"
		}
	}
	if id := a.clientID(c.GetID()); id != name {
		return name, "client id is not the user name"
	}
	return name, ""
}

// decoyHash makes an unknown user cost as much time as a known one. It is the
// hash of a password that nobody kept.
const decoyHash = "$7$1000$xl5bRXIiN5cPZ2Ji$2ElE8BGciu/zNgm4wy0EH/if79tiLcV/vVovu/tzWshVHEjA44CD3WNL/AFToWL+OrjKpnWSrQyADcXn8k0pig=="

// certificateOf returns a verified client certificate; nil for a client without one.
func certificateOf(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return nil
	}
	return state.PeerCertificates[0]
}

// revokedNow returns the users whose certificate is revoked, and forgets their
// certificates.
func (a *authenticator) revokedNow() map[string]bool {
	a.mu.Lock() // nobody is between the judgement and the registration
	defer a.mu.Unlock()
	a.shownMu.Lock()
	defer a.shownMu.Unlock()
	names := map[string]bool{}
	for name, cert := range a.shown {
		if a.revoked(cert) {
			names[name] = true
			delete(a.shown, name)
		}
	}
	return names
}

// clientID asks the server for the MQTT client id of a connection, which the
// authentication interface does not show.
func (a *authenticator) clientID(cid uint64) string {
	z, err := a.server.Connz(&server.ConnzOptions{CID: cid})
	if err != nil || len(z.Conns) != 1 {
		return ""
	}
	return z.Conns[0].MQTTClient
}

// replace installs a new list and returns the users whose rights changed.
func (a *authenticator) replace(next *Access) map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := changed(a.access, next)
	a.access, a.users = next, next.byName()
	return names
}

// permissions translates filters to NATS subjects. An empty allow list would
// allow everything there, hence the explicit denial.
func permissions(u User) *server.Permissions {
	allow := func(filters []string) *server.SubjectPermission {
		var p server.SubjectPermission
		for _, f := range filters {
			p.Allow = append(p.Allow, subjects(f)...)
		}
		if len(p.Allow) == 0 {
			p.Deny = []string{">"}
		}
		return &p
	}
	return &server.Permissions{Publish: allow(u.Publish), Subscribe: allow(u.Subscribe)}
}

// subjects returns the NATS subjects of a valid MQTT filter. MQTT's a/# takes
// in a itself [MQTT 3.1.1, 4.7.1.2], NATS's a.> does not, so both are needed.
func subjects(filter string) []string {
	subject := strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace(filter)
	if parent, ok := strings.CutSuffix(subject, ".>"); ok {
		return []string{subject, parent}
	}
	return []string{subject}
}
