package brokerconfig

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
)

// MosquittoOptions says where the files will lie on the broker's machine.
type MosquittoOptions struct {
	// ConfigDir is the folder that will hold the rendered files; default
	// /etc/mosquitto/citygrid.
	ConfigDir string
	// DataDir keeps sessions and messages; default /var/lib/mosquitto.
	DataDir string
	// Host and Port are the listener; default 0.0.0.0, and 8883 with TLS or
	// 1883 without.
	Host string
	Port int
	// CertFile and KeyFile make the listener an encrypted one. With ClientCA,
	// clients must show a certificate whose common name is the user, and
	// passwords are not asked for.
	// CRLFile is the list of revoked client certificates; it needs ClientCA. After
	// a change send the broker SIGHUP; a link that is there stays until it breaks.
	CertFile, KeyFile, ClientCA, CRLFile string
	// RunAs is the account that a broker started by root changes to; empty is
	// mosquitto's own default.
	RunAs string
}

// The names of the files that RenderMosquitto returns.
const (
	MosquittoConf   = "mosquitto.conf"
	MosquittoACL    = "acl"
	MosquittoPasswd = "passwd"
)

// RenderMosquitto returns the files for a Mosquitto 2.0 that enforces a, by
// name: mosquitto.conf, acl and passwd. acl and passwd must be readable by the
// broker alone; after a change of these two send it SIGHUP.
func RenderMosquitto(a *Access, o MosquittoOptions) (map[string][]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("render mosquitto files: %w", err)
	}
	if (o.CertFile == "") != (o.KeyFile == "") || o.ClientCA != "" && o.CertFile == "" {
		return nil, errors.New("render mosquitto files: TLS needs the broker's certificate and key, and a client CA needs both")
	}
	if o.CRLFile != "" && o.ClientCA == "" {
		return nil, errors.New("render mosquitto files: a list of revoked certificates needs the client CA")
	}
	for _, v := range []string{o.ConfigDir, o.DataDir, o.Host, o.CertFile, o.KeyFile, o.ClientCA, o.CRLFile, o.RunAs} {
		if strings.ContainsAny(v, "\r\n") {
			return nil, fmt.Errorf("render mosquitto files: line break in %q", v)
		}
	}
	o.setDefaults()
	return map[string][]byte{
		MosquittoConf:   o.conf(),
		MosquittoACL:    mosquittoACL(a),
		MosquittoPasswd: mosquittoPasswd(a),
	}, nil
}

func (o *MosquittoOptions) setDefaults() {
	if o.ConfigDir == "" {
		o.ConfigDir = "/etc/mosquitto/citygrid"
	}
	if o.DataDir == "" {
		o.DataDir = "/var/lib/mosquitto"
	}
	if o.Host == "" {
		o.Host = "0.0.0.0"
	}
	if o.Port == 0 {
		o.Port = 1883
		if o.CertFile != "" {
			o.Port = 8883
		}
	}
}

const rendered = "# Written by citygrid broker mosquitto from the enrolment list: change that, not this.\n"

// limits differ from Mosquitto's defaults, which drop messages that were
// acknowledged: 1,000 queued and 20 in flight.
const limits = `
# No limit by number; by bytes instead. With the defaults acknowledged
# messages are dropped, even while the hub is connected.
max_queued_messages 0
max_queued_bytes 268435456
max_inflight_messages 4000
max_packet_size 1100000

# A kill loses what came after the last save; collectors send it again,
# because only the hub's receipt frees their spool.
persistence true
persistence_location %s/
autosave_interval 60
`

func (o MosquittoOptions) conf() []byte {
	var b bytes.Buffer
	b.WriteString(rendered)
	line := func(format string, v ...any) { fmt.Fprintf(&b, format+"\n", v...) }
	if o.RunAs != "" {
		line("user %s", o.RunAs)
	}
	line("per_listener_settings false")
	line("allow_anonymous false")
	line("password_file %s", path.Join(o.ConfigDir, MosquittoPasswd))
	line("acl_file %s", path.Join(o.ConfigDir, MosquittoACL))
	fmt.Fprintf(&b, limits, strings.TrimSuffix(o.DataDir, "/"))
	line("\nlistener %d %s", o.Port, o.Host)
	line("# A user's name is its client id, so that nobody takes another's session.")
	line("use_username_as_clientid true")
	if o.CertFile != "" {
		line("certfile %s", o.CertFile)
		line("keyfile %s", o.KeyFile)
		line("tls_version tlsv1.3")
	}
	if o.ClientCA != "" {
		line("cafile %s", o.ClientCA)
		line("require_certificate true")
		line("use_identity_as_username true")
	}
	if o.CRLFile != "" {
		line("crlfile %s", o.CRLFile)
	}
	return b.Bytes()
}

func mosquittoACL(a *Access) []byte {
	var b bytes.Buffer
	b.WriteString(rendered)
	for _, u := range a.Users {
		fmt.Fprintf(&b, "\nuser %s\n", u.Name)
		for _, f := range u.Publish {
			fmt.Fprintf(&b, "topic write %s\n", f)
		}
		for _, f := range u.Subscribe {
			fmt.Fprintf(&b, "topic read %s\n", f)
		}
	}
	return b.Bytes()
}

// mosquittoPasswd leaves users without a password out: only a certificate lets
// them in.
func mosquittoPasswd(a *Access) []byte {
	var b bytes.Buffer
	for _, u := range a.Users {
		if u.PasswordHash != "" {
			fmt.Fprintf(&b, "%s:%s\n", u.Name, u.PasswordHash)
		}
	}
	return b.Bytes()
}
