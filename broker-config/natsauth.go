package brokerconfig

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// authenticator decides for the embedded server, by the access list of the
// moment.
type authenticator struct {
	log *slog.Logger

	mu     sync.RWMutex // held for reading until a client is registered
	access *Access
	users  map[string]User
	server *server.Server
}

func newAuthenticator(a *Access, log *slog.Logger) *authenticator {
	return &authenticator{log: log, access: a, users: a.byName()}
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
	c.RegisterUser(&server.User{Username: name, Permissions: permissions(a.users[name])})
	return true
}

// decide returns the user's name, and why it is refused, if it is.
func (a *authenticator) decide(c server.ClientAuthentication) (name, refusal string) {
	opts := c.GetOpts()
	if cn, ok := certificateName(c.GetTLSConnectionState()); ok {
		name = cn
		if _, known := a.users[name]; !known {
			return name, "certificate of no enrolled user"
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

// certificateName returns the common name of a verified client certificate.
func certificateName(state *tls.ConnectionState) (string, bool) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return "", false
	}
	return state.PeerCertificates[0].Subject.CommonName, true
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
